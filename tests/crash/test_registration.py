"""Servers, connections and processes die in the middle; what was acknowledged is there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from admin.parts import Register
from node.errors import Unavailable
from node.storage import record_queries
from node.storage.engine import Database, open_database
from tests.builders import (
    assert_sound,
    counts,
    idempotency_key,
    item,
    lot,
    register_at,
    register_one,
)
from tests.postgres_server import PostgresServer

CHECKOUT = Path(__file__).parents[2]
KILLS = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of an empty database that writes through to disk."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/xibiao.db"
        return
    server: PostgresServer = request.getfixturevalue("pg_durable")
    server.start()
    url = server.create_database()
    yield url
    server.drop_database(url)


def acknowledged_until_killed(url: str, first: int, lines: int) -> list[str]:
    """Run the looping process, kill it after so many acknowledgements, return all that it gave."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.loop_until_killed", url, str(first)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.readlines()
    return [line.removesuffix("\n") for line in told if line.endswith("\n")]


async def test_a_process_killed_again_and_again_loses_nothing_acknowledged(
    durable_url: str,
) -> None:
    promised: list[str] = []
    for kill in range(KILLS):
        promised += await asyncio.to_thread(
            acknowledged_until_killed, durable_url, kill * 10_000, 7 + 11 * kill
        )
        async with register_at(durable_url) as register:
            await assert_sound(register.database)
            async with register.database.read() as scope:
                found = await record_queries.find_within(scope, promised)
            assert set(promised) - found.keys() == set()
            await register.sequencer.drain()
            await assert_sound(register.database)
    assert len(promised) > KILLS * 7


async def end_connections(url: str) -> None:
    """End every other connection to the database, as an administrator may."""
    database = open_database(url)
    try:
        async with database.read() as scope:
            await scope.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    finally:
        await database.close()


async def persist(register: Register, number: int, refusals: list[Unavailable]) -> str:
    """Register a lot under its own key, repeating while the register is not available."""
    for attempt in range(60):
        try:
            result = await register_one(
                register, item(lot(number)), key=idempotency_key(f"k-{number}")
            )
        except Unavailable as error:
            refusals.append(error)
            await asyncio.sleep(0.01 * attempt)
        else:
            return result.identifier
    raise AssertionError("the register never came back")


async def test_connections_ended_in_the_middle_are_unavailable_and_retries_have_one_effect(
    postgres_url: str,
) -> None:
    refusals: list[Unavailable] = []
    async with register_at(postgres_url) as register:

        async def disturb() -> None:
            for _ in range(5):
                await asyncio.sleep(0.02)
                await end_connections(postgres_url)

        work = (persist(register, number, refusals) for number in range(150))
        *promised, _ = await asyncio.gather(*work, disturb())
        assert len(promised) == 150
        assert (await counts(register.database))["change"] == 150
        await register.sequencer.drain()
        await assert_sound(register.database)
    assert refusals


async def test_a_connection_ended_within_a_transaction_leaves_nothing_of_it(
    postgres_url: str,
) -> None:
    async with register_at(postgres_url) as register:
        with pytest.raises(Unavailable):
            await write_and_be_cut_off(register, postgres_url)
        assert (await counts(register.database))["open_edge"] == 0


async def write_and_be_cut_off(register: Register, url: str) -> None:
    async with register.database.write() as scope:
        await scope.rows_affected(
            "INSERT INTO open_edge (parent, child, since, fault) VALUES ($1, $2, $3, '')",
            ("a", "b", "now"),
        )
        await end_connections(url)
        await scope.rows("SELECT 1")


async def test_a_row_locked_too_long_by_somebody_else_is_unavailable(postgres_url: str) -> None:
    async with register_at(postgres_url) as register:
        await register_one(register, item(lot(1)))
        hasty = open_database(postgres_url, lock_timeout_ms=50)
        try:
            async with register.database.write() as scope:
                await record_queries.lock(scope, [lot(1)])
                with pytest.raises(Unavailable):
                    await lock_one(hasty)
        finally:
            await hasty.close()


async def lock_one(database: Database) -> None:
    async with database.write() as scope:
        await record_queries.lock(scope, [lot(1)])


async def test_a_server_killed_under_load_keeps_what_it_acknowledged(
    pg_durable: PostgresServer,
) -> None:
    pg_durable.start()
    url = pg_durable.create_database()
    refusals: list[Unavailable] = []
    async with register_at(url) as register:

        async def kill_and_start() -> None:
            await asyncio.sleep(0.05)
            await asyncio.to_thread(pg_durable.kill)
            await asyncio.to_thread(pg_durable.start)

        work = (persist(register, number, refusals) for number in range(200))
        *promised, _ = await asyncio.gather(*work, kill_and_start())
        async with register.database.read() as scope:
            found = await record_queries.find_within(scope, [str(p) for p in promised])
        assert len(found) == 200
        assert (await counts(register.database))["change"] == 200
        await register.sequencer.drain()
        await assert_sound(register.database)
    assert refusals
    pg_durable.drop_database(url)
