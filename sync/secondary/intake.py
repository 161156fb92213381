"""Between the streams and the writing thread: what arrives together shares one commit.

A commit costs as much for one leaf as for thousands, and it is the commit that an answer waits
for. So while one is under way everything that arrives is collected, and goes into the next.
Invariant: jobs are done in the order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sync.secondary.ledger import Batch, Job, Ledger, Outcome
from sync.secondary.store.thread import StoreThread

MOST_ENTRIES = 8_000


class Intake:
    """Collects jobs and has the ledger do them. Used by one event loop."""

    def __init__(self, writer: StoreThread, ledger: Ledger) -> None:
        self._writer = writer
        self._ledger = ledger
        self._waiting: deque[tuple[Job, asyncio.Future[Outcome]]] = deque()
        self._working: asyncio.Task[None] | None = None

    def submit(self, job: Job) -> asyncio.Future[Outcome]:
        """Hand a job in; the future holds its outcome once that is durable.

        It fails with the error that kept the commit from happening; then nothing was done.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="secondary-intake")
        return future

    async def drain(self) -> None:
        """Wait until everything handed in is done."""
        while self._working is not None:
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._do(self._next_group())
        finally:
            self._working = None

    def _next_group(self) -> list[tuple[Job, asyncio.Future[Outcome]]]:
        group, entries = [self._waiting.popleft()], 0
        while self._waiting and entries < MOST_ENTRIES:
            (_, what), _ = self._waiting[0]
            entries += len(what.entries) if isinstance(what, Batch) else 0
            group.append(self._waiting.popleft())
        return group

    async def _do(self, group: list[tuple[Job, asyncio.Future[Outcome]]]) -> None:
        jobs = [job for job, _ in group]
        try:
            outcomes = await self._writer.run(lambda db: self._ledger.run(db, jobs))
        # The edge of a background job: whoever waits for it is told, whatever it was.
        except Exception as error:  # noqa: BLE001
            if len(group) > 1:
                # One node's trouble is not another's: each job once more, for itself.
                for one in group:
                    await self._do([one])
                return
            ((_, future),) = group
            if not future.done():
                future.set_exception(error)
                future.exception()  # a caller that has gone need not be told
            return
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
