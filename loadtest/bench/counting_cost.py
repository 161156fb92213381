"""What noting look-ups costs: the same node with and without it, at the same time.

Both processes share one core, warm, and are asked for the same identifiers at once, so that
whatever the machine does to one it does to the other: in turn, second by second, rounds differed by
13 %, which hides a cost of 4 %. What is compared are answers for a second of processor time.
"""

from __future__ import annotations

from collections.abc import Callable

from loadtest.bench.harness import Comparison, Sample, side_by_side

ROUNDS = 20
SECONDS = 4
LEAST = 0.95
OFF = {"XIBIAO_TALLY__ENABLED": "false"}


def sample(answers_per_s: float, server_cores: float, note: str) -> Sample:
    """Give the figure of one run."""
    each_us = server_cores / answers_per_s * 1e6
    return Sample(
        answers_per_s / server_cores, f"{answers_per_s:,.0f}/s, {each_us:.2f} µs each, {note}"
    )


def compare_costs(noting: Callable[[], Sample], silent: Callable[[], Sample]) -> Comparison:
    """Measure both at once."""
    return side_by_side(noting, silent, unit="answers/core·s", rounds=ROUNDS)
