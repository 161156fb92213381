"""What arrives together shares one commit, and one node's trouble is not another's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence

import pytest

from node.errors import IntegrityFailure
from sync.secondary.intake import Intake
from sync.secondary.ledger import Batch, BatchOutcome, Job, Ledger, Outcome
from sync.secondary.store.thread import StoreThread
from tests.secondary_books import COSIGNER

DAMAGED = 7


class CountingLedger(Ledger):
    """A ledger that notes which jobs came together; a job of node 7 fails its whole group."""

    def __init__(self) -> None:
        super().__init__(COSIGNER, lambda: 0)
        self.groups: list[list[int]] = []

    def run(self, db: sqlite3.Connection, jobs: Sequence[Job]) -> list[Outcome]:
        self.groups.append([node for node, _ in jobs])
        if any(node == DAMAGED for node, _ in jobs):
            raise IntegrityFailure
        return [BatchOutcome(node, (), 0, "") for node, _ in jobs]


@pytest.fixture
def writer() -> StoreThread:
    """A thread with a connection that nobody looks at."""
    return StoreThread("test-writer", lambda: sqlite3.connect(":memory:"))


async def outcomes(intake: Intake, *nodes: int) -> list[int | None]:
    """Hand in a job for each node at once; return what became of them, None for a failure."""
    futures = [intake.submit((node, Batch(0, ()))) for node in nodes]
    results = await asyncio.gather(*futures, return_exceptions=True)
    await intake.drain()
    return [r.acked_size if isinstance(r, BatchOutcome) else None for r in results]


async def test_jobs_that_arrive_together_are_one_step(writer: StoreThread) -> None:
    ledger = CountingLedger()
    intake = Intake(writer, ledger)
    assert await outcomes(intake, 1, 2, 3) == [1, 2, 3]
    assert await outcomes(intake, 4) == [4]
    assert ledger.groups == [[1, 2, 3], [4]]
    writer.close()


async def test_a_job_that_fails_fails_alone(writer: StoreThread) -> None:
    intake = Intake(writer, CountingLedger())
    assert await outcomes(intake, 1, DAMAGED, 3) == [1, None, 3]
    writer.close()


async def test_a_caller_that_has_gone_stops_nobody(writer: StoreThread) -> None:
    intake = Intake(writer, CountingLedger())
    gone = intake.submit((DAMAGED, Batch(0, ())))
    left = intake.submit((2, Batch(0, ())))
    gone.cancel()
    assert isinstance(await left, BatchOutcome)
    await intake.drain()
    writer.close()
