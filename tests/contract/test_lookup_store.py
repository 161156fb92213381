"""The resolver's reads come back by themselves after the database went away."""

from __future__ import annotations

from node.storage.lookup_store import RegisterReader
from tests.builders import PRODUCER, lot, register_at
from tests.builders import item as an_item
from tests.postgres_server import PostgresServer


async def test_first_find_after_a_restart_of_postgresql_answers(pg_durable: PostgresServer) -> None:
    async with register_at(pg_durable.create_database()) as register:
        await register.registrar.register([an_item(lot(1))], actor=PRODUCER, source_kind="api")
        reader = RegisterReader(register.database)
        assert list(await reader.find([lot(1)])) == [lot(1)]
        pg_durable.stop()
        pg_durable.start()
        assert list(await reader.find([lot(1)])) == [lot(1)]


async def test_find_position_and_changes_agree_on_an_empty_register(store_url: str) -> None:
    async with register_at(store_url) as register:
        reader = RegisterReader(register.database)
        assert await reader.find([lot(1)]) == {}
        assert await reader.position() == 0
        assert await reader.changed_since(0, 10) == (0, [])
