"""HTTP load by wrk, from LOAD_CORE, and how its report is read.

Invariants: a run with a failed request gives no figure; the loop is closed, so the latency is that
of so many connections, not that of an arrival rate.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.processes import LOAD_CORE, BenchFailed, CoreMeter, pinned, run_to_end
from tests.server_process import find_program

_RANDOM_PATHS = Path(__file__).with_name("random_paths.lua")
_SEED = 20241001
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk does: connections, threads and seconds of one run."""

    connections: int = 32
    threads: int = 1
    seconds: int = 4


@dataclass(frozen=True, slots=True)
class HttpRate:
    """What wrk found: requests/s, and latencies in ms. `server_cores` is the measured program's."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    server_cores: float = 0.0

    @property
    def note(self) -> str:
        """What a table says beside the rate."""
        return (
            f"p50 {self.p50_ms:.3g} ms, p99 {self.p99_ms:.3g} ms, "
            f"server {self.server_cores:.2f} cores"
        )


def load_url(url: str, server_pid: int, load: Load = Load()) -> HttpRate:
    """Request one address over and over."""
    return _run([url], server_pid, load)


def load_paths(
    origin: str, server_pid: int, *, paths: Sequence[str], load: Load = Load()
) -> HttpRate:
    """Request random ones of `paths`, each with a leading slash, from `http://host:port`."""
    with tempfile.NamedTemporaryFile("w", suffix=".paths", encoding="ascii") as file:
        file.write("\n".join(paths) + "\n")
        file.flush()
        script = ["-s", str(_RANDOM_PATHS), origin, "--", file.name, str(_SEED)]
        return _run(script, server_pid, load)


def parse_report(report: str) -> HttpRate:
    """Read the report of `wrk --latency`.

    Raises BenchFailed when requests failed or the report is not one of wrk.
    """
    if failed := re.search(r"Socket errors: .*|Non-2xx or 3xx responses: .*", report):
        raise BenchFailed(f"wrk: {failed[0]}")
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", report, re.MULTILINE)
    if rate is None or float(rate[1]) == 0:
        raise BenchFailed(f"wrk: {report}")
    return HttpRate(float(rate[1]), _percentile_ms(report, 50), _percentile_ms(report, 99))


def _percentile_ms(report: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", report, re.MULTILINE)
    if found is None:
        raise BenchFailed(f"wrk: {report}")
    return float(found[1]) * _MS[found[2]]


def _run(target: list[str], server_pid: int, load: Load) -> HttpRate:
    wrk = find_program("wrk", package="wrk")
    size = [f"-t{load.threads}", f"-c{load.connections}", f"-d{load.seconds}s", "--latency"]
    meter = CoreMeter([server_pid])
    report = run_to_end(pinned(LOAD_CORE, [wrk, *size, *target]))
    cores = meter.cores()
    rate = parse_report(report)
    return HttpRate(rate.requests_per_s, rate.p50_ms, rate.p99_ms, cores)
