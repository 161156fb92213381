"""P3: resolution over UDP from the memory of one process, beside a C loop with a fixed answer.

Product: one process with the roles resolver and api on one core, PostgreSQL behind it, 300,000
records, and random ones of HANDLES asked for, each of which was asked for before. The generator,
in C, has the other core. Ceiling: recvmmsg and sendmmsg on the same core, which answers everything
with the datagrams of the median answer.
"""

from __future__ import annotations

from loadtest.bench.handle_look_ups import compare
from loadtest.bench.harness import Bench, Comparison


def _run() -> Comparison:
    return compare("udp", lambda shop: [shop.program("udp_fixed_answer"), str(shop.datagrams)])


BENCH = Bench("P3", "解析(UDP) Handle resolution over UDP", 0.28, 0.42, _run)
