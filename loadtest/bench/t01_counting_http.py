"""T1: what noting costs a look-up over HTTP from memory.

As P1, of fewer records: one process on one core, 20,000 random identifiers that were asked for
before. Instead of a ceiling the same node that notes nothing.
"""

from __future__ import annotations

from loadtest.bench.counting_cost import LEAST, OFF, SECONDS, compare_costs, sample
from loadtest.bench.harness import Bench, Comparison, Sample
from loadtest.bench.http_look_ups import WARMING, ask_once
from loadtest.bench.nodes import NodeProcess
from loadtest.bench.processes import SERVER_CORE
from loadtest.bench.registered_data import SEED_RECORDS, registered_records
from loadtest.bench.wrk import Load, load_paths

PATHS = 20_000
LOAD = Load(connections=32, seconds=SECONDS)


def _run() -> Comparison:
    with registered_records(SEED_RECORDS) as registered:
        paths = registered.paths(PATHS)

        def node(settings: dict[str, str]) -> NodeProcess:
            return NodeProcess(
                registered.site,
                roles="api,resolver",
                database=registered.url,
                core=SERVER_CORE,
                settings=settings,
            )

        def measured(node: NodeProcess) -> Sample:
            rate = load_paths(node.origin, node.pid, paths=paths, load=LOAD)
            return sample(rate.requests_per_s, rate.server_cores, rate.note)

        with node({}) as noting, node(OFF) as silent:
            for asked in (noting, silent):
                for _ in range(WARMING):
                    ask_once(asked.port, paths)
            return compare_costs(lambda: measured(noting), lambda: measured(silent))


BENCH = Bench("T1", "计数开销(HTTP) Cost of counting over HTTP", LEAST, 1.0, _run)
