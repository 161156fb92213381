"""A flood with forged sources: the victim is hardly hit, and real clients are served beside it.

The victim is the network 127.7.7.0/24: the flood is sent from sockets bound there, and what they
receive is what a victim would. Meanwhile real clients ask, one from another network and some from
the victim's own, as deployed clients do: over UDP, again after a while, and over TCP in the end.

Invariants: a flood is measured by the bytes of its datagrams, without those of IP and UDP; every
kind of question is a flood of its own, on a node that has had time to forgive the one before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from loadtest.trials.findings import Finding, TrialFailed, none_of
from loadtest.trials.handle_site import HandleSite, PatientClient, ask_over_tcp, is_answer, question
from loadtest.trials.stores import Stores
from loadtest.trials.xibiao_command import CHECKOUT

TRIAL = "handle-flood"
VICTIM = "127.7.7"
CLIENTS = {"beside": ("127.1.1.1",), "inside": tuple(f"127.7.7.{n}" for n in range(101, 109))}
KINDS = ("same", "absent", "site", "bent")
MOST_TO_VICTIM = 0.10
LEAST_SERVED = 0.99
_PAUSE_S = 0.02
_FORGIVEN_S = 8.0


def handle_flood_trial(
    place: Path,
    stores: Stores,
    *,
    rows: int,
    seed: int,
    rate: int = 50_000,
    kinds: Sequence[str] = KINDS,
) -> Iterator[Finding]:
    """Send `rows` datagrams, an equal part of each kind, at up to `rate` a second."""
    with HandleSite(place, stores, {}) as site:
        values = ask_over_tcp(site.address, question(1))[44:-4]
        for number, kind in enumerate(kinds):
            if number:
                time.sleep(_FORGIVEN_S)
            flood = _Flood(site.address, kind, count=rows // len(kinds), rate=rate, seed=seed)
            yield flood.finding(site, values)
        site.node.stop()


@dataclass(frozen=True, slots=True)
class _Flood:
    server: tuple[str, int]
    kind: str
    count: int
    rate: int
    seed: int

    def finding(self, site: HandleSite, values: bytes) -> Finding:
        """Flood the node, ask it all the while, and judge."""
        groups = {name: _Asking(self.server, sources) for name, sources in CLIENTS.items()}
        with (
            self._process() as process,
            ThreadPoolExecutor(sum(map(len, CLIENTS.values()))) as pool,
        ):
            for asking in groups.values():
                asking.start(pool, values, until=lambda: process.poll() is not None)
            measured = self._measured(process)
        share = measured["received"] / measured["sent"]
        faults: dict[str, object] = {}
        for name, asking in groups.items():
            faults |= asking.faults(name)
        if share > MOST_TO_VICTIM:
            faults["victim"] = f"was sent {share:.1%} of the flood"
        if failures := site.failures():
            faults["failed"] = f"{failures} requests met an unexpected error"
        return none_of(
            TRIAL,
            f"flood of kind {self.kind}: the victim is spared, real clients are served",
            faults,
            datagrams=self.count,
            a_second=round(self.count / measured["seconds"]),
            sent_bytes=measured["sent"],
            victim_bytes=measured["received"],
            share=round(share, 4),
            **{name: asking.figures() for name, asking in groups.items()},
        )

    def _process(self) -> subprocess.Popen[str]:
        host, port = self.server
        numbers = (port, self.count, self.rate, self.seed)
        module = [sys.executable, "-m", "loadtest.trials.handle_flood"]
        command = [*module, self.kind, VICTIM, host, *map(str, numbers)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)

    def _measured(self, process: subprocess.Popen[str]) -> Mapping[str, float]:
        assert process.stdout is not None
        if process.wait():
            raise TrialFailed(f"the flood ended with {process.returncode}")
        measured: Mapping[str, float] = json.loads(process.stdout.read())
        return measured


class _Asking:
    """Clients of one kind, each in a thread of its own, and how they fared."""

    def __init__(self, server: tuple[str, int], sources: Sequence[str]) -> None:
        self._clients = [PatientClient(server, source) for source in sources]
        self._asked = 0
        self._wrong: dict[str, object] = {}

    def start(self, pool: Executor, values: bytes, *, until: Callable[[], bool]) -> None:
        """Ask on and on, each client at least once."""
        for client in self._clients:
            pool.submit(self._ask, client, values, until)

    def _ask(self, client: PatientClient, values: bytes, until: Callable[[], bool]) -> None:
        with client:
            for number in count(1):
                reply = client.ask(number)
                self._asked += 1
                if reply and not is_answer(reply, number, values[: len(reply) - 44]):
                    self._wrong[f"answer {number}"] = reply.hex()
                if until():
                    return
                time.sleep(_PAUSE_S)

    def faults(self, name: str) -> dict[str, object]:
        """Give wrong answers, and that too few came."""
        served = 1 - self._sum("unanswered") / self._asked
        few = {} if served >= LEAST_SERVED else {name: f"{served:.1%} served"}
        return self._wrong | few

    def figures(self) -> Mapping[str, object]:
        """Give how many answers came which way."""
        ways = {way: self._sum(way) for way in ("over_udp", "over_tcp", "unanswered")}
        slowest_s = max(client.slowest_s for client in self._clients)
        return {"asked": self._asked, **ways, "slowest_s": round(slowest_s, 2)}

    def _sum(self, way: str) -> int:
        return sum(getattr(client, way) for client in self._clients)
