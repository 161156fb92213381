"""Typed overload: registration says "later" before the log or the memory of the node falls behind.

Two bounds: changes that wait for the sequencer (an import or a burst must not push a suspension
minutes back in the log), and batch requests at work in this process (each holds its rows).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from node.errors import Overloaded, XibiaoError
from node.storage import log_queries
from node.storage.engine import Database
from node.telemetry import Metrics

_log = structlog.get_logger(__name__)

POLL_S = 0.2


class Backpressure:
    """Knows how far behind the log is, at most a fifth of a second late; `run` keeps it so."""

    def __init__(
        self, database: Database, metrics: Metrics, *, pending_limit: int, batch_limit: int
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._pending_limit = pending_limit
        self._batch_limit = batch_limit
        self._batches = 0
        self._is_behind = False

    def check(self) -> None:
        """Raise Overloaded while too many changes wait for the sequencer."""
        if self._is_behind:
            raise Overloaded(
                "日志签名积压,请稍后重试", "The log is catching up, please retry later"
            )

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold one of the places for batch requests; raise Overloaded when none is free."""
        self.check()
        if self._batches >= self._batch_limit:
            raise Overloaded(retry_after_s=1)
        self._batches += 1
        try:
            yield
        finally:
            self._batches -= 1

    async def run(self) -> None:
        """Look at the backlog for ever; a database that is down is reported by whoever needs it."""
        while True:
            try:
                async with self._database.read() as scope:
                    waiting = await log_queries.pending_count(scope, self._pending_limit + 1)
                self._metrics.pending_entries.set(waiting)
                self._is_behind = waiting > self._pending_limit
            except XibiaoError as error:
                _log.warning("backlog_unknown", code=error.code)
            await asyncio.sleep(POLL_S)
