"""T3: what noting costs a look-up over UDP from memory.

As P3, of fewer records: one process on one core, random ones of HANDLES that were asked for before.
Instead of a ceiling the same node that notes nothing.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.counting_cost import LEAST, OFF, SECONDS, compare_costs, sample
from loadtest.bench.handle_look_ups import Workshop, warm_node
from loadtest.bench.harness import Bench, Comparison, Sample
from loadtest.bench.nodes import NodeProcess
from loadtest.bench.registered_data import SEED_RECORDS, registered_records


def _run() -> Comparison:
    with (
        registered_records(SEED_RECORDS) as registered,
        TemporaryDirectory(prefix="xibiao-bench-tally-") as directory,
        warm_node(registered, {}) as noting,
        warm_node(registered, OFF) as silent,
    ):
        workshop = Workshop(Path(directory))
        workshop.warm(registered, noting, silent)

        def measured(node: NodeProcess) -> Sample:
            rate = workshop.load("udp", node.handle_port, node.pid, seconds=SECONDS)
            return sample(rate.answers_per_s, rate.server_cores, rate.note)

        return compare_costs(lambda: measured(noting), lambda: measured(silent))


BENCH = Bench("T3", "计数开销(UDP) Cost of counting over UDP", LEAST, 1.0, _run)
