"""P11: median time of a look-up with 3,000,000 records beside one with 300,000.

Memory cold, no Redis, so every look-up is read from PostgreSQL; one connection, so that the time is
that of a look-up and not of a queue. Both registers are on one cluster, and the identifiers are
drawn from all of a register.
"""

from __future__ import annotations

from loadtest.bench.harness import Bench, Better, Comparison, Sample, interleave
from loadtest.bench.nodes import NodeProcess
from loadtest.bench.p02_http_redis import NO_MEMORY
from loadtest.bench.processes import SERVER_CORE
from loadtest.bench.registered_data import (
    LARGE,
    SMALL,
    Registered,
    larger_copy,
    registered_records,
)
from loadtest.bench.wrk import Load, load_paths

# More than are asked for in one round: nearly every look-up is the first one of its record.
PATHS = 100_000
LOAD = Load(connections=1, seconds=4)
# A time is disturbed more easily than a rate: the median of more rounds is steadier.
ROUNDS = 7


def _run() -> Comparison:
    with registered_records(SMALL) as small:
        large = larger_copy(small, records=LARGE)
        with _reading(small) as few, _reading(large) as many:
            few_paths, many_paths = small.paths(PATHS), large.paths(PATHS)
            return interleave(
                lambda: _median_us(many, many_paths),
                lambda: _median_us(few, few_paths),
                unit="us",
                rounds=ROUNDS,
            )


def _reading(registered: Registered) -> NodeProcess:
    return NodeProcess(
        registered.site,
        roles="api,resolver",
        database=registered.url,
        core=SERVER_CORE,
        settings=NO_MEMORY,
    )


def _median_us(node: NodeProcess, paths: list[str]) -> Sample:
    rate = load_paths(node.origin, node.pid, paths=paths, load=LOAD)
    return Sample(rate.p50_ms * 1_000, f"{rate.requests_per_s:,.0f} requests/s, {rate.note}")


BENCH = Bench(
    "P11",
    "增长 median look-up at 3,000,000 / at 300,000",
    1.3,
    1.15,
    _run,
    Better.LOWER,
)
