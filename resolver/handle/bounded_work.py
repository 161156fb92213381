"""Long computations beside the event loop: few at a time, few waiting, the rest turned away.

Stretching a secret (PBKDF2), signing and Diffie-Hellman take milliseconds. In threads of their own
they do not hold up look-ups, and a flood of them cannot pile up: what does not fit is refused
before anything is done for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from node.errors import Overloaded

_T = TypeVar("_T")


class BoundedWork:
    """Runs jobs in `threads` threads; at most `limit` are running or waiting. One loop owns it."""

    def __init__(self, *, threads: int = 2, limit: int = 128) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="handle")
        self._limit = limit
        self._jobs = 0

    async def run(self, job: Callable[[], _T]) -> _T:
        """Return what `job` returns, raise what it raises; raise Overloaded when too many wait."""
        if self._jobs >= self._limit:
            raise Overloaded()
        self._jobs += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, job)
        # Whoever waits may be cancelled; the job then still runs and still counts.
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    def close(self) -> None:
        """Start no more jobs; those that run end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, job: asyncio.Future[_T]) -> None:
        self._jobs -= 1
        if not job.cancelled():
            job.exception()  # retrieved here too, in case nobody waits any more
