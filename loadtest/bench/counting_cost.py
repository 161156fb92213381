"""What noting look-ups costs: the same node with and without it, in turn.

Both processes stand on one core, warm, and are asked in turn for the same identifiers. What is
compared are answers for a second of processor time, which foreign load disturbs least; answers/s
stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from loadtest.bench.harness import Comparison, Sample, interleave

ROUNDS = 25
SECONDS = 1
LEAST = 0.95
OFF = {"XIBIAO_TALLY__ENABLED": "false"}


def sample(answers_per_s: float, server_cores: float, note: str) -> Sample:
    """Give the figure of one run."""
    each_us = server_cores / answers_per_s * 1e6
    return Sample(
        answers_per_s / server_cores, f"{answers_per_s:,.0f}/s, {each_us:.2f} µs each, {note}"
    )


def compare_costs(noting: Callable[[], Sample], silent: Callable[[], Sample]) -> Comparison:
    """Measure both in turn."""
    return interleave(noting, silent, unit="answers/core·s", rounds=ROUNDS)
