"""One thread with one connection: whoever works on the file does so through it, in turn."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sync.secondary.store.connection import unavailable

_T = TypeVar("_T")


class StoreThread:
    """Runs jobs on its connection one after the other. Jobs may be handed in from any thread."""

    def __init__(self, name: str, opening: Callable[[], sqlite3.Connection]) -> None:
        """Start the thread and open the connection in it; raises what `opening` raises."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        try:
            self._db = self._executor.submit(opening).result()
        except BaseException:
            self._executor.shutdown()
            raise

    def call(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a job and wait for its result; raises Unavailable when the file does not work."""
        return self._executor.submit(self._run, job).result()

    async def run(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a job while this task waits; raises Unavailable when the file does not work.

        A job that was begun ends, also when the task is cancelled.
        """
        return await asyncio.wrap_future(self._executor.submit(self._run, job))

    def close(self) -> None:
        """Finish what was handed in and close the connection."""
        self._executor.submit(self._db.close).result()
        self._executor.shutdown()

    def _run(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return job(self._db)
        except sqlite3.Error as error:
            raise unavailable(error) from error
