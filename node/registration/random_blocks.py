"""Random bytes for salts, asked of the operating system by the block: a call each costs 2 µs.

Invariants: no byte is handed out twice, also not by a process and its forked child.
"""

from __future__ import annotations

import os
from collections.abc import Callable

BLOCK_BYTES = 16_384


class RandomBlocks:
    """Hands out what `source` (`secrets.token_bytes`) gave, in order; one thread at a time."""

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._block = b""
        self._position = 0
        self._process = os.getpid()

    def __call__(self, count: int) -> bytes:
        """Return `count` random bytes, at most BLOCK_BYTES."""
        end = self._position + count
        if end > len(self._block) or self._process != os.getpid():
            self._block, end = self._source(max(BLOCK_BYTES, count)), count
            self._process = os.getpid()
        taken = self._block[end - count : end]
        self._position = end
        return taken
