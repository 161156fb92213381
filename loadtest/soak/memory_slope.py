"""The growth of memory of processes that die and come back (pure).

Within each life, after its own warm-up, memory is regressed on time; the lives of a process share
one slope and have each a level of its own, which is ordinary least squares with a constant for each
life: long lives weigh more, as the square of their length. Lives that leave less than `shortest_s`
are passed over.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.acceptance.sampling import MemorySample

SHORTEST_S = 300.0
# Samples are correlated; a mean over so long is taken as one observation of the uncertainty.
_BLOCK_MS = 60_000
_MS_AN_HOUR = 3_600_000.0
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slope:
    """Slope of one process in %/h of its mean `mib`; `error`: its standard error.

    `lives`: how many counted, `hours`: their length together; 0 lives: nothing can be said.
    """

    name: str
    mib: float
    percent_an_hour: float
    error: float
    lives: int
    hours: float

    def exceeds(self, percent_an_hour: float) -> bool:
        """Say whether the growth is more than a bound beyond the uncertainty of two errors."""
        return self.lives > 0 and self.percent_an_hour - 2 * self.error > percent_an_hour


def slopes(
    samples: Sequence[MemorySample], *, warm_up_s: float, shortest_s: float = SHORTEST_S
) -> list[Slope]:
    """Return the slope of every process, in the order of their first samples."""
    lives: dict[str, dict[int, list[MemorySample]]] = {}
    for sample in samples:
        lives.setdefault(sample.name, {}).setdefault(sample.pid, []).append(sample)
    return [
        _slope(name, [_settled(life, warm_up_s) for life in of_one.values()], shortest_s)
        for name, of_one in lives.items()
    ]


def _settled(life: Sequence[MemorySample], warm_up_s: float) -> list[MemorySample]:
    first = life[0].at_ms + 1_000 * warm_up_s
    return [sample for sample in life if sample.at_ms >= first]


def _slope(name: str, lives: Sequence[Sequence[MemorySample]], shortest_s: float) -> Slope:
    long = [life for life in lives if life and _length_ms(life) >= 1_000 * shortest_s]
    hours = sum(_length_ms(life) for life in long) / _MS_AN_HOUR
    if not long or hours == 0:
        return Slope(name, 0.0, 0.0, 0.0, 0, 0.0)
    mean_mib = statistics.fmean(sample.mib for life in long for sample in life)
    slope, error = _common_slope([_minutes(life) for life in long])
    scale = 100.0 / mean_mib
    return Slope(name, mean_mib, slope * scale, error * scale, len(long), hours)


def _length_ms(life: Sequence[MemorySample]) -> int:
    return life[-1].at_ms - life[0].at_ms


def _minutes(life: Sequence[MemorySample]) -> list[Point]:
    """Return (hours, MiB), a mean for each minute."""
    blocks: dict[int, list[MemorySample]] = {}
    for sample in life:
        blocks.setdefault((sample.at_ms - life[0].at_ms) // _BLOCK_MS, []).append(sample)
    return [
        (
            statistics.fmean(s.at_ms - life[0].at_ms for s in block) / _MS_AN_HOUR,
            statistics.fmean(s.mib for s in block),
        )
        for block in blocks.values()
    ]


def _common_slope(lives: Sequence[Sequence[Point]]) -> tuple[float, float]:
    """Return slope and standard error of least squares with a constant for each life."""
    centred = [point for life in lives for point in _centred(life)]
    spread = sum(x * x for x, _ in centred)
    if spread == 0:
        return 0.0, math.inf
    slope = sum(x * y for x, y in centred) / spread
    freedom = len(centred) - len(lives) - 1
    if freedom <= 0:
        return slope, math.inf
    residual = sum((y - slope * x) ** 2 for x, y in centred)
    return slope, math.sqrt(residual / freedom / spread)


def _centred(life: Sequence[Point]) -> list[Point]:
    mean_x, mean_y = statistics.fmean(x for x, _ in life), statistics.fmean(y for _, y in life)
    return [(x - mean_x, y - mean_y) for x, y in life]
