"""A node warmed up for resolutions over the Handle protocol, and the load on it.

Invariants: generator and ceilings are compiled for the run with the system's compiler; a run in
which answers were wrong, or more than a few lost, gives no figure (BenchFailed).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.handle_messages import ask_once, packets, resolution, write_messages
from loadtest.bench.harness import Comparison, Sample, interleave
from loadtest.bench.nodes import NodeProcess
from loadtest.bench.processes import (
    LOAD_CORE,
    SERVER_CORE,
    BenchFailed,
    CoreMeter,
    pinned,
    run_to_end,
)
from loadtest.bench.registered_data import SMALL, Registered, registered_records
from tests.server_process import find_program

HANDLES = 20_000
# Status, lot, product, name, stage, producer, day, content: what an answer on one label shows.
INDEXES = (1900, 2001, 2002, 2003, 2004, 2013, 2020)
SECONDS = 4.0
MOST_LOST = 0.001
_CHECKOUT = Path(__file__).parents[2]
_SETTINGS = {
    # All that is asked for is in memory: an answer to keep takes 7 KB with its faces.
    "XIBIAO_LOOKUP__MEMORY_CACHE": "512MiB",
    # The limit on answers over UDP stays in force, but one client who asks for all keeps below.
    "XIBIAO_HANDLE__UDP_RATE": "4GiB",
}


@dataclass(frozen=True, slots=True)
class HandleRate:
    """What the generator found; `server_cores` is the measured program's."""

    answers_per_s: float
    server_cores: float
    note: str


@dataclass(frozen=True, slots=True)
class Workshop:
    """A directory with the compiled programs, the requests, and an answer of median length."""

    place: Path

    @property
    def answer(self) -> Path:
        """One answer."""
        return self.place / "answer"

    @property
    def datagrams(self) -> Path:
        """The same answer as it comes over UDP."""
        return self.place / "datagrams"

    def program(self, name: str) -> str:
        """Compile a C source of this package, once, and give the program."""
        program = self.place / name
        if not program.exists():
            compiler = find_program("cc", package="gcc")
            source = Path(__file__).with_name(f"{name}.c")
            run_to_end([compiler, "-O2", "-o", str(program), str(source)])
        return str(program)

    def warm(self, registered: Registered, *nodes: NodeProcess) -> list[bytes]:
        """Choose HANDLES, ask nodes for each once, and give the answers of the last."""
        asked = [resolution(path[1:], INDEXES) for path in registered.paths(HANDLES)]
        write_messages(self.place / "requests", asked)
        answers: list[bytes] = []
        for node in nodes:
            answers = ask_once(node.handle_port, asked)
        return answers

    def load(self, transport: str, port: int, pid: int, *, seconds: float = SECONDS) -> HandleRate:
        """Load a server and give what came of it."""
        meter = CoreMeter([pid])
        requests = str(self.place / "requests")
        load = [self.program("handle_load"), transport, str(port), requests, str(seconds)]
        report = json.loads(run_to_end(pinned(LOAD_CORE, load)))
        cores = meter.cores()
        if report["wrong"] or report["lost"] > MOST_LOST * report["answered"]:
            raise BenchFailed(f"handle_load: {report}")
        each_us = cores * report["seconds"] / report["answered"] * 1e6
        return HandleRate(
            report["answered"] / report["seconds"],
            cores,
            f"p50 {report['p50_us']} µs, p99 {report['p99_us']} µs, {report['lost']} lost, "
            f"server {cores:.2f} cores, {each_us:.2f} µs each, load {report['cores']:.2f} cores",
        )


def compare(transport: str, ceiling: Callable[[Workshop], list[str]]) -> Comparison:
    """Compare a node with a program, `ceiling`, that answers `transport` with fixed bytes."""
    with (
        registered_records(SMALL) as registered,
        TemporaryDirectory(prefix="xibiao-bench-handle-") as directory,
        warm_node(registered, {}) as node,
    ):
        workshop = Workshop(Path(directory))
        answers = sorted(workshop.warm(registered, node), key=len)
        median = answers[len(answers) // 2]
        write_messages(workshop.answer, [median])
        write_messages(workshop.datagrams, packets(median))

        def measured(port: int, pid: int) -> Sample:
            rate = workshop.load(transport, port, pid)
            return Sample(rate.answers_per_s, rate.note)

        with _running(ceiling(workshop)) as (port, pid):
            return interleave(
                lambda: measured(node.handle_port, node.pid),
                lambda: measured(port, pid),
                unit="answers/s",
            )


def warm_node(registered: Registered, settings: Mapping[str, str]) -> NodeProcess:
    """Give a node for `Workshop.warm`, with further settings."""
    return NodeProcess(
        registered.site,
        roles="api,resolver",
        database=registered.url,
        core=SERVER_CORE,
        settings=_SETTINGS | dict(settings),
    )


@contextmanager
def _running(command: list[str]) -> Iterator[tuple[int, int]]:
    """Run a ceiling on the core of the server; give the port it prints and its process number."""
    with subprocess.Popen(
        pinned(SERVER_CORE, command), stdout=subprocess.PIPE, text=True, cwd=_CHECKOUT
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()
