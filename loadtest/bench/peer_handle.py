"""The product beside the official Handle server, when `HANDLE_SERVER` says where one is installed.

Both on the same core in turn, with the same 20,000 identifiers and the same values, warmed up: what
counts is how many times as many resolutions the product answers. Without the variable there is no
such bench; over TCP there is none, because the peer ends a connection after each answer.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.handle_look_ups import HANDLES, Workshop, warm_node
from loadtest.bench.harness import Bench, Comparison, Sample, interleave
from loadtest.bench.http_look_ups import WARMING, ask_once
from loadtest.bench.nodes import NodeProcess
from loadtest.bench.peer_server import (
    VARIABLE,
    PeerServer,
    installed_at,
    require_loopback_alone,
)
from loadtest.bench.processes import BenchFailed
from loadtest.bench.registered_data import SEED_RECORDS, registered_records
from loadtest.bench.wrk import Load, load_paths

# The Java machine compiles what runs often; it has reached its speed after some ten seconds.
_WARM_UP_S = 15.0
_HANDLES_PATH = "/api/handles"
Values = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Both:
    """Both servers, warm, and the requests."""

    shop: Workshop
    node: NodeProcess
    peer: PeerServer
    paths: Sequence[str]


@contextmanager
def _both() -> Iterator[Both]:
    distribution = installed_at()
    if distribution is None:
        raise BenchFailed(f"{VARIABLE} is not set")
    require_loopback_alone()
    with (
        registered_records(SEED_RECORDS) as registered,
        TemporaryDirectory(prefix="xibiao-bench-peer-") as directory,
        warm_node(registered, {}) as node,
    ):
        shop = Workshop(Path(directory))
        shop.warm(registered, node)
        paths = [f"{_HANDLES_PATH}{path}" for path in registered.paths(HANDLES)]
        for _ in range(WARMING):
            ask_once(node.port, paths)
        with closing(PeerServer(distribution, _values(node, paths))) as peer:
            shop.load("udp", peer.port, peer.pid, seconds=_WARM_UP_S)
            yield Both(shop, node, peer, paths)


def _values(node: NodeProcess, paths: Sequence[str]) -> dict[str, Values]:
    """Return what the product shows of each identifier, as its JSON API says it."""
    found: dict[str, Values] = {}
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    with closing(connection):
        for path in paths:
            connection.request("GET", path)
            answer = json.loads(connection.getresponse().read())
            found[str(answer["handle"])] = answer["values"]
    return found


def _over_udp() -> Comparison:
    with _both() as both:

        def measured(port: int, pid: int) -> Sample:
            rate = both.shop.load("udp", port, pid)
            return Sample(rate.answers_per_s, rate.note)

        return interleave(
            lambda: measured(both.node.handle_port, both.node.pid),
            lambda: measured(both.peer.port, both.peer.pid),
            unit="answers/s",
        )


def _over_http() -> Comparison:
    load = Load(connections=32)
    with _both() as both:
        if not both.peer.speaks_http:
            raise BenchFailed("该发行包没有 HTTP 接口 this distribution has no HTTP interface")

        def measured(origin: str, pid: int) -> Sample:
            rate = load_paths(origin, pid, paths=both.paths, load=load)
            return Sample(rate.requests_per_s, rate.note)

        measured(both.peer.origin, both.peer.pid)
        return interleave(
            lambda: measured(both.node.origin, both.node.pid),
            lambda: measured(both.peer.origin, both.peer.pid),
            unit="requests/s",
        )


_TITLE = "与官方服务器比 beside the official server"
BENCHES = (
    Bench("PEER-UDP", f"{_TITLE}, UDP", None, 2.3, _over_udp),
    Bench("PEER-HTTP", f"{_TITLE}, HTTP", None, 3.0, _over_http),
)
