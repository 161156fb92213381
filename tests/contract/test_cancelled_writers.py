"""A writer who is cancelled, at whatever moment, leaves the database to the next one at once."""

from __future__ import annotations

import asyncio
from random import Random

from admin.schema_upgrade import upgrade_schema
from node.storage.engine import Database, open_database

ROUNDS, WRITERS = 25, 3
INSERT = (
    "INSERT INTO sync_alarm (id, kind, zh, en, evidence, raised_at, cleared_at)"
    " VALUES ($1, 'k', 'zh', 'en', $2, '2026', '2026')"
)


class Writing:
    """Transactions of several statements, each reading back what it wrote."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._number = 0

    async def one(self) -> None:
        async with self._database.write() as scope:
            for _ in range(4):
                self._number += 1
                await scope.rows_affected(INSERT, (self._number, b"x" * 30_000))
                await scope.rows("SELECT id, evidence FROM sync_alarm")


async def test_cancelled_writers_hold_no_lock(store_url: str) -> None:
    await asyncio.to_thread(upgrade_schema, store_url)
    # A lock that is not given back shows as an error after this time.
    database = open_database(store_url, lock_timeout_ms=1_000)
    random, writing = Random(5), Writing(database)
    try:
        for _ in range(ROUNDS):
            writers = [asyncio.create_task(writing.one()) for _ in range(WRITERS)]
            for _ in range(random.randrange(40)):
                await asyncio.sleep(0)
            await asyncio.sleep(random.random() * 0.01)
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
            async with database.write() as scope:
                await scope.rows_affected("DELETE FROM sync_alarm", ())
    finally:
        await database.close()
