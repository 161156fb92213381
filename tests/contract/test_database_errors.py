"""What PostgreSQL says when it cannot work becomes an error callers know how to meet."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from node.errors import Overloaded, Unavailable
from node.storage.engine import Database, Retry, open_database


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", Unavailable),  # connection_failure
        ("53100", Unavailable),  # disk_full
        ("53300", Overloaded),  # too_many_connections
        ("57014", Unavailable),  # query_canceled: statement time-out
        ("57P01", Unavailable),  # admin_shutdown
        ("58030", Unavailable),  # io_error
        ("55P03", Unavailable),  # lock_not_available
        ("40001", Retry),  # serialization_failure
        ("40P01", Retry),  # deadlock_detected
    ],
)
async def test_states_of_postgresql_become_our_errors(
    postgres_url: str, state: str, expected: type[Exception]
) -> None:
    database = open_database(postgres_url)
    try:
        with pytest.raises(expected) as caught:
            async with database.write() as scope:
                await scope.rows(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        assert type(caught.value) is expected
    finally:
        await database.close()


async def test_a_connection_in_the_middle_of_its_end_is_given_up_as_lost(postgres_url: str) -> None:
    """The driver's own words for a server's farewell that came while nothing was asked."""
    database = open_database(postgres_url)
    try:
        async with database.read() as scope:
            ((before,),) = await scope.alone("SELECT pg_backend_pid()")
        with pytest.raises(Unavailable):
            async with database.read():
                raise asyncpg.InternalClientError(
                    "cannot switch to state 12; another operation (2) is in progress"
                )
        async with database.read() as scope:
            ((after,),) = await scope.alone("SELECT pg_backend_pid()")
        assert after != before
    finally:
        await database.close()


async def test_lost_connections_are_closed_to_the_end_by_whoever_is_cancelled(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A session that ends with the server cancels what reads for it in the middle of this."""
    closing, may_close, closed = asyncio.Event(), asyncio.Event(), list[object]()
    close = asyncpg.Connection.close

    async def slow_close(connection: asyncpg.Connection, **options: float) -> None:
        if not options:  # SQLAlchemy gives a time to the connection that was lost itself
            closing.set()
            await may_close.wait()
        await close(connection, **options)
        closed.append(connection)

    async def lose(database: Database) -> None:
        async with database.read() as scope:
            await scope.rows("SELECT 1")
            raise asyncpg.ConnectionDoesNotExistError

    database = open_database(postgres_url)
    try:
        async with database.read() as one, database.read() as other:
            await one.rows("SELECT 1")
            await other.rows("SELECT 1")
        monkeypatch.setattr(asyncpg.Connection, "close", slow_close)
        losing = asyncio.create_task(lose(database))
        await closing.wait()
        losing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await losing
        may_close.set()
        async with asyncio.timeout(30):
            while len(closed) < 2:  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0)
    finally:
        await database.close()
    assert [record.message for record in caplog.records if record.exc_info] == []
