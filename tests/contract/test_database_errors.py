"""What PostgreSQL says when it cannot work becomes an error callers know how to meet."""

from __future__ import annotations

import asyncpg
import pytest

from node.errors import Overloaded, Unavailable
from node.storage.engine import Retry, open_database


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
