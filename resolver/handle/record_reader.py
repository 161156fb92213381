"""Whole records from the register, a bounded number at a time.

Challenges, proofs and checks before them read the register on behalf of people who have proved
nothing yet. However many ask, they take a few connections to the database and leave it the rest.
"""

from __future__ import annotations

import asyncio

from node.domain.handle_record import FullRecord
from node.errors import Overloaded
from resolver.handle.register_port import HandleRegister


class RecordReader:
    """Reads records for one event loop; `at_once` at a time, `waiting` more have their turn."""

    def __init__(self, register: HandleRegister, *, at_once: int = 4, waiting: int = 256) -> None:
        self._register = register
        self._turns = asyncio.Semaphore(at_once)
        self._limit = at_once + waiting
        self._reads = 0

    async def read(self, handle: str) -> FullRecord | None:
        """Return a live record by its canonical handle; None when there is none.

        Raises Overloaded when too many wait, and what the register raises.
        """
        if self._reads >= self._limit:
            raise Overloaded()
        self._reads += 1
        try:
            async with self._turns:
                return await self._register.read(handle)
        finally:
            self._reads -= 1
