"""P4: resolution over TCP, connections kept, beside a uvloop Protocol that writes fixed bytes.

As P3, but over 32 connections with one request outstanding on each.
"""

from __future__ import annotations

import sys

from loadtest.bench.handle_look_ups import compare
from loadtest.bench.harness import Bench, Comparison


def _run() -> Comparison:
    python = [sys.executable, "-m", "loadtest.bench.tcp_fixed_answer"]
    return compare("tcp", lambda shop: [*python, str(shop.answer)])


BENCH = Bench("P4", "解析(TCP) Handle resolution over TCP", 0.60, 0.85, _run)
