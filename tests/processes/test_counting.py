"""A real node counts what was asked of it over every face, and nothing else makes it count."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

import grpc

from admin.demo import SEED
from admin.demo_batches import iter_rows
from sync.proto.idlink.v1 import enterprise_resolution_pb2 as pb
from sync.proto.idlink.v1.enterprise_resolution_pb2_grpc import EnterpriseResolutionStub
from tests.handle_sockets import resolution
from tests.redis_process import RedisServer
from tests.tallies import HOUR_MS, Look, Spool

ROOT = Path(__file__).parents[2]
WAIT_S = 180
BROWSER = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0"
ENVELOPE = 20
CAMPAIGNS = "/api/v1/campaigns"


@contextmanager
def node(data: Path, *options: str, **settings: str) -> Iterator[Mapping[str, str]]:
    """Start a node, give its faces, and kill it at the end."""
    with running(data, *options, **settings) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline() or "{}")


@contextmanager
def running(data: Path, *options: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-m", "admin", "up", "--json", "--data", str(data), *options]
    with (data.parent / "node.log").open("a") as log:
        process = subprocess.Popen(
            program,
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until(holds: Callable[[], bool], *, pause_s: float = 0.05) -> None:
    """Wait until something holds; fail after a deadline that only a fault reaches."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(pause_s)


@dataclass
class Asker:
    """Asks a node over its faces and keeps the truth: (class, channel) -> how often."""

    faces: Mapping[str, str]
    truth: Counter[tuple[str, str]] = field(default_factory=Counter)
    connections: dict[str, HTTPConnection] = field(default_factory=dict)

    def http(
        self,
        name: str,
        handles: Sequence[str],
        *,
        source: str,
        accept: str = "application/json",
        agent: str = BROWSER,
        key: str = "",
    ) -> None:
        """Ask for each handle once, from a source address; they are of class `name`."""
        host, port = self.faces["http"].removeprefix("http://").split(":")
        connection = self.connections.get(source)
        if connection is None:
            connection = HTTPConnection(host, int(port), timeout=WAIT_S, source_address=(source, 0))
            self.connections[source] = connection
        headers = {"User-Agent": agent, "Accept": accept}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        for handle in handles:
            connection.request("GET", f"/{handle}", headers=headers)
            connection.getresponse().read()
        self.truth[name, "page" if accept == "text/html" else "http"] += len(handles)

    def udp(self, name: str, handles: Sequence[str], *, source: str) -> None:
        """Ask in datagrams."""
        host, port = self.faces["handle"].split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.bind((source, 0))
            connection.settimeout(WAIT_S)
            for number, handle in enumerate(handles):
                connection.sendto(resolution(handle, request_id=number + 1), (host, int(port)))
                connection.recv(1_024)
        self.truth[name, "handle_udp"] += len(handles)

    def tcp(self, name: str, handles: Sequence[str], *, source: str) -> None:
        """Ask over one connection."""
        host, port = self.faces["handle"].split(":")
        address = (host, int(port))
        with socket.create_connection(address, WAIT_S, source_address=(source, 0)) as connection:
            stream = connection.makefile("rwb")
            for handle in handles:
                stream.write(resolution(handle))
                stream.flush()
                head = stream.read(ENVELOPE)
                stream.read(int.from_bytes(head[16:20], "big"))
        self.truth[name, "handle_tcp"] += len(handles)

    def grpc(self, name: str, handles: Sequence[str]) -> None:
        """Ask as the secondary node does."""
        with grpc.insecure_channel(self.faces["grpc"]) as channel:
            stub = EnterpriseResolutionStub(channel)  # type: ignore[no-untyped-call]
            for handle in handles:
                stub.Resolve(pb.ResolveRequest(identifier=handle), timeout=WAIT_S)
        self.truth[name, "grpc"] += len(handles)

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()


def xibiao(*arguments: str, settings: Mapping[str, str]) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(
        [sys.executable, "-m", "admin", *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def key_of(data: Path, role: str, settings: Mapping[str, str]) -> str:
    """Make an API key."""
    where = ("--data", str(data), "--json")
    key: str = json.loads(xibiao("key", "create", "--role", role, *where, settings=settings))["key"]
    return key


def post(faces: Mapping[str, str], key: str, path: str, body: object) -> dict[str, Any]:
    """Send JSON with a key."""
    return _answer(faces, "POST", path, key, json.dumps(body))


def get(faces: Mapping[str, str], key: str, path: str) -> dict[str, Any]:
    """Read JSON with a key, or without."""
    return _answer(faces, "GET", path, key, "")


def _answer(
    faces: Mapping[str, str], method: str, path: str, key: str, body: str
) -> dict[str, Any]:
    host, port = faces["http"].removeprefix("http://").split(":")
    with closing(HTTPConnection(host, int(port), timeout=WAIT_S)) as connection:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request(method, path, body, headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def registered(faces: Mapping[str, str], key: str) -> list[str]:
    """Return handles of the demonstration that are there: reading the register is no look-up."""
    named = [row["handle"] for row in iter_rows(160, SEED)]
    return [h for h in named if "code" not in get(faces, key, f"/api/v1/identifiers/{h}")]


def figures(faces: Mapping[str, str]) -> dict[str, Any]:
    """Return what status says of look-ups."""
    found: dict[str, Any] = get(faces, "", "/api/v1/status")["resolutions"]
    return found


def ask_everything(asker: Asker, handles: Sequence[str], *, producer: str, partner: str) -> None:
    """Ask some 2,000 times, over all faces, as all kinds of clients."""
    web, page, udp, tcp, peer = (handles[n * 20 : n * 20 + 20] for n in range(5))
    absent = [f"{handle}-NONE" for handle in handles[:50]]
    for number in range(11, 21):
        source = f"127.0.0.{number}"
        asker.http("ext_user", web, source=source)
        asker.http("repeat", web, source=source)
        asker.http("ext_user", page, source=source, accept="text/html")
        asker.udp("ext_user", udp, source=source)
        asker.udp("repeat", udp[:2], source=source)
        asker.http("repeat", udp[:5], source=source)
        asker.tcp("ext_user", tcp, source=source)
    asker.http("miss", absent, source="127.0.0.12")
    asker.udp("miss", absent[:20], source="127.0.0.13")
    asker.tcp("miss", absent[:20], source="127.0.0.13")
    asker.http("crawler", handles[:50], source="127.0.0.30", agent="Baiduspider/2.0")
    asker.http("health", handles[:50], source="127.0.0.31", agent="kube-probe/1.30")
    asker.http("int_business", handles[:50], source="127.0.1.5")
    asker.udp("int_business", handles[:20], source="127.0.1.5")
    asker.http("int_business", handles[:50], source="127.0.0.40", key=producer)
    asker.http("ext_system", handles[:40], source="127.0.0.41", key=partner, agent="python/3")
    asker.http("repeat", handles[:10], source="127.0.0.42", key=partner, agent="python/3")
    asker.http("self", handles[:50], source="127.0.0.1")
    asker.udp("self", handles[:50], source="127.0.0.1")
    asker.grpc("ext_system", peer)
    asker.grpc("repeat", peer[:5])


def by_class(truth: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Return the truth by class."""
    total: Counter[str] = Counter()
    for (name, _), number in truth.items():
        total[name] += number
    return dict(total)


def seen(found: Mapping[str, Any]) -> dict[str, int]:
    """Return the classes that figures show, without zeros."""
    return {n: c for n, c in (found["deductions"] | found["counted"]).items() if c}


def has_more_drafts(journals: Path, known: set[Path]) -> bool:
    return set(journals.glob("*.draft")) > known


@contextmanager
def node_and_tally(data: Path, settings: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Start a node and, in a process of its own, what counts for it; give the node's faces."""
    listen = ("--http", "127.0.0.1:0", "--handle", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    roles = ("--roles", "api,sequencer,resolver")
    with (
        node(data, "--demo", "--secondary", "off", *roles, *listen, **settings) as faces,
        running(data, "--roles", "tally", **settings),
    ):
        yield faces


def test_every_figure_equals_the_truth(
    tmp_path: Path, postgres_url: str, redis_url: str, redis_server: RedisServer
) -> None:
    data = tmp_path / "data"
    settings = {
        "XIBIAO_DATABASE__URL": postgres_url,
        "XIBIAO_REDIS__URL": redis_url,
        "XIBIAO_TALLY__OWN_NETWORKS": "127.0.1.0/24",
        "XIBIAO_HANDLE__UDP_UNLIMITED": "127.0.0.0/8",
    }
    with ExitStack() as stack:
        faces = stack.enter_context(node_and_tally(data, settings))
        keys = {role: key_of(data, role, settings) for role in ("producer", "partner")}
        operator = key_of(data, "administrator", settings)
        asker = Asker(faces)
        stack.callback(asker.close)
        # A new key is known to every process within a second.
        until(lambda: "campaigns" in get(faces, operator, CAMPAIGNS))
        handles = registered(faces, operator)[:100]
        asker.http("ext_user", handles[:5], source="127.0.2.9")
        until(lambda: figures(faces)["net"] == 5)
        until_at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        asked = {"until": until_at, "reason": "drill", "networks": ["127.0.2.0/24"]}
        campaign = post(faces, operator, CAMPAIGNS, asked)["id"]
        asker.http("loadtest", handles * 2, source="127.0.2.9")
        ask_everything(asker, handles, **keys)
        truth = by_class(asker.truth)
        assert sum(truth.values()) > 1_750
        # Everything durable shows before it is sealed …
        until(lambda: figures(faces)["gross"] == sum(truth.values()))
        assert seen(figures(faces)) == truth
        # … and sealed it is the same, by channel too, whatever becomes of the cache.
        sealed = post(faces, operator, "/api/v1/resolutions:seal", {})["statement"]
        redis_server.flush()
        until(lambda: figures(faces)["settled"]["gross"] == sum(truth.values()))
        found = figures(faces)
        assert seen(found) == truth
        assert found["net"] == truth["ext_user"] + truth["ext_system"]
        assert found["dropped"] == 0
        by_channel = Counter[str]()
        for (_, channel), number in asker.truth.items():
            by_channel[channel] += number
        assert {c: n["gross"] for c, n in found["by_channel"].items()} == by_channel
        if sealed["events"] == sum(truth.values()):  # no hour ended meanwhile
            told = {
                (name, channel): number
                for name, by in sealed["counts"].items()
                for channel, number in by.items()
            }
            assert told == asker.truth
        (listed,) = get(faces, operator, CAMPAIGNS)["campaigns"]
        assert listed["id"] == campaign
        audited = xibiao("audit", "--data", str(data), "--json", settings=settings)
        assert json.loads(audited)["differences"] == []


def test_a_counting_process_killed_while_it_seals_counts_everything_once(
    tmp_path: Path, postgres_url: str
) -> None:
    """Hours that passed before are sealed by a process that is killed again and again."""
    data, random = tmp_path / "data", Random(5)
    settings = {"XIBIAO_DATABASE__URL": postgres_url}
    roles = ("--roles", "api,sequencer", "--http", "127.0.0.1:0", "--secondary", "off")
    with node(data, *roles, **settings) as faces:
        hour_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
        noted = write_past_hours(data / "tally" / "spool", hour_ms - 5 * HOUR_MS)
        journals = data / "tally" / "journal"
        for _ in range(4):
            # Somewhere between the first byte of a draft and the deletion of the spool.
            with running(data, "--roles", "tally", **settings) as process:
                known = set(journals.glob("*.draft"))
                until(partial(has_more_drafts, journals, known), pause_s=0.002)
                time.sleep(random.uniform(0.0, 0.15))
                process.send_signal(signal.SIGKILL)
        with running(data, "--roles", "tally", **settings):
            until(lambda: figures(faces)["settled"]["gross"] == sum(noted.values()))
            assert seen(figures(faces)) == noted
            until(lambda: not list((data / "tally" / "spool").glob("*.spool")))
        statements = figures(faces)["settled"]["statements"]
        assert statements == 5
    audited = xibiao("audit", "--data", str(data), "--json", settings=settings)
    assert json.loads(audited)["differences"] == []


def write_past_hours(folder: Path, begins_ms: int) -> dict[str, int]:
    """Write what a resolver would have noted in five hours; return the truth by class."""
    spool = Spool(folder / f"past-{begins_ms}.spool")
    for hour in range(5):
        for block in range(20):
            at_ms = begins_ms + hour * HOUR_MS + block * 150_000
            looks = [
                Look(f"88.888.1501/{hour}-{block}-{number}", address=f"192.0.2.{number % 100}")
                for number in range(200)
            ]
            spool.write(at_ms, [*looks, looks[0]])
    spool.close()
    return {"ext_user": 5 * 20 * 200, "repeat": 5 * 20}
