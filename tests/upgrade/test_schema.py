"""Migrations make exactly the tables the code knows, once, and never destroy a register."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from admin.schema_upgrade import alembic_config, upgrade_schema
from node.errors import WrongState
from node.storage.all_tables import metadata
from node.storage.engine import driver_url, open_database
from node.storage.schema_version import current_version
from tests.builders import counts, item, lot, register_at, register_one

HEAD = "0005"
CHECKOUT = Path(__file__).parents[2]


async def differences(url: str) -> list[object]:
    """Return what would have to change for the database to be as `tables` says."""

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(driver_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


async def execute(url: str, statement: str) -> None:
    """Run one statement on a database."""
    database = open_database(url)
    try:
        async with database.write() as scope:
            await scope.rows_affected(statement, ())
    finally:
        await database.close()


def test_an_empty_database_becomes_the_tables_of_the_code(store_url: str) -> None:
    assert asyncio.run(current_version(store_url)) == ""
    assert upgrade_schema(store_url) == HEAD
    assert asyncio.run(current_version(store_url)) == HEAD
    assert asyncio.run(differences(store_url)) == []


async def test_upgrading_again_changes_nothing(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        await register.sequencer.drain()
        before = await counts(register.database)
        assert await asyncio.to_thread(upgrade_schema, store_url) == HEAD
        assert await counts(register.database) == before


def test_a_register_of_the_first_release_keeps_what_it_has(store_url: str) -> None:
    command.upgrade(alembic_config(store_url), "0001")
    prefix = "'88.111.7', 'active', 'free', false, true, '', '', ''"
    asyncio.run(execute(store_url, f"INSERT INTO prefix VALUES ({prefix})"))

    async def prefixes_and_administrators() -> tuple[set[str], int]:
        async with register_at(store_url) as register:
            picture = register.directory.now
            return set(picture.prefixes), len(picture.administrators)

    assert upgrade_schema(store_url) == HEAD
    assert asyncio.run(differences(store_url)) == []
    known, administrators = asyncio.run(prefixes_and_administrators())
    assert "88.111.7" in known
    assert administrators == 0


async def test_two_processes_may_upgrade_at_the_same_time(postgres_url: str) -> None:
    program = "import sys; from admin.schema_upgrade import *; print(upgrade_schema(sys.argv[1]))"
    upgrades = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, postgres_url, cwd=CHECKOUT, stdout=PIPE
        )
        for _ in range(2)
    ]
    outputs = await asyncio.gather(*(upgrade.communicate() for upgrade in upgrades))
    assert [output.split() for output, _ in outputs] == [[HEAD.encode()]] * 2


def test_a_schema_of_a_newer_release_is_refused(store_url: str) -> None:
    upgrade_schema(store_url)
    asyncio.run(execute(store_url, "UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WrongState) as refusal:
        upgrade_schema(store_url)
    assert refusal.value.code == "schema_newer"
    assert asyncio.run(current_version(store_url)) == "9999"


def test_going_back_is_refused_in_words_and_destroys_nothing(store_url: str) -> None:
    upgrade_schema(store_url)
    with pytest.raises(RuntimeError, match="restore a backup"):
        command.downgrade(alembic_config(store_url), "base")
    assert asyncio.run(current_version(store_url)) == HEAD
    assert asyncio.run(differences(store_url)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_state SET size = -1",
        "INSERT INTO log_state (id, size, root, checkpoint, signed_at, tag_key_sha256)"
        " SELECT 2, size, root, checkpoint, signed_at, tag_key_sha256 FROM log_state",
        "INSERT INTO record (identifier, object_class, template, status, revision, change_id,"
        " is_test, registered_at, updated_at)"
        " VALUES ('x', 'batch', 't', 'active', 0, 1, false, '', '')",
    ],
)
def test_the_database_itself_refuses_what_can_never_be(store_url: str, statement: str) -> None:
    upgrade_schema(store_url)
    with pytest.raises(Exception, match=r"(?i)check constraint"):
        asyncio.run(execute(store_url, statement))
