"""Seeded randomness, the only source of variety in the data.

Invariants: one seed gives one sequence on every machine; each call names what it draws, so the
order of calls is part of the output format.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar


class _Weighted(Protocol):
    @property
    def weight(self) -> int: ...


_Option = TypeVar("_Option", bound=_Weighted)


def seeded(seed: int | str) -> random.Random:
    """Make a generator for `seed`. It decides demonstration data, never a secret."""
    return random.Random(seed)  # noqa: S311


class Chance:
    """Draws from one seeded sequence. `random` gives the next number of [0, 1)."""

    __slots__ = ("random",)

    def __init__(self, seed: int | str) -> None:
        self.random = seeded(seed).random

    def uniform(self, low: float, high: float) -> float:
        """Draw evenly from low to high."""
        return low + (high - low) * self.random()

    def central(self, low: float, high: float) -> float:
        """Draw from low to high, the middle most often (triangular)."""
        return low + (high - low) * (self.random() + self.random()) * 0.5

    def index(self, count: int) -> int:
        """Draw an index below `count`, all equally likely."""
        return int(self.random() * count)

    def days(self, most: int) -> int:
        """Draw a whole number of days below `most`."""
        return int(0 + most * self.random())

    def pick(self, options: Sequence[_Option]) -> _Option:
        """Draw an option, each as likely as its weight says."""
        left = self.random() * sum(option.weight for option in options)
        for option in options:
            left -= option.weight
            if left < 0:
                return option
        return options[-1]
