"""How much may be under way on a line whose speed nobody knows (pure).

Whatever is under way when a line turns out to be thin delays the answers behind it, and answers
that are too late end the session: a backlog sent all at once would never arrive. So little is sent
at first, more as long as answers come well within the time they may take, less when they do not.

Invariants: from `FEWEST` (or all there can be, if that is less) to `most` items may be under way.
"""

from __future__ import annotations

FIRST, FEWEST = 100, 20
# Half as much again, only when answers would then still come in time: 3/2 of 1/2 is below 1.
QUICK, SLOW = 0.5, 0.75


class Pace:
    """Grows and shrinks with the time that answers take; `patience_s` is the most they may."""

    def __init__(self, most: int, patience_s: float) -> None:
        self._most = most
        self._patience_s = patience_s
        self.allowed = min(FIRST, most)

    def answered(self, took_s: float) -> None:
        """Note how long the answer to a batch took, from its leaving to its answer."""
        if took_s < QUICK * self._patience_s:
            self.allowed = min(self._most, self.allowed * 3 // 2)
        elif took_s > SLOW * self._patience_s:
            self.allowed = max(min(FEWEST, self._most), self.allowed // 2)

    def batch(self, limit: int) -> int:
        """Return how many items the next batch may have, at most `limit`: two make up a pace."""
        return min(limit, max(1, self.allowed // 2))
