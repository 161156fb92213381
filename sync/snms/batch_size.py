"""How many items a request carries: fewer when a gateway gives up, more again when all goes well.

Invariant: the size is 1 at least, and at most what the peer was heard to allow in this session.
"""

from __future__ import annotations

START, MOST = 500, 2_000
_GOOD_IN_A_ROW = 8


class BatchSize:
    """The size of the next request."""

    def __init__(self, ceiling: int = MOST) -> None:
        self._ceiling = max(1, min(ceiling, MOST))
        self._good = 0
        self.now = min(START, self._ceiling)

    def went_well(self) -> None:
        """Note a request that was answered; a run of them makes the next ones larger."""
        self._good += 1
        if self._good >= _GOOD_IN_A_ROW:
            self._good = 0
            self.now = min(self._ceiling, self.now + max(1, self.now // 2))

    def halve(self) -> None:
        """Note that a gateway gave up waiting."""
        self._good = 0
        self.now = max(1, self.now // 2)

    def limit_to(self, ceiling: int) -> None:
        """Note that the peer takes no more than this."""
        self._good = 0
        self._ceiling = max(1, min(ceiling, self._ceiling))
        self.now = min(self.now, self._ceiling)
