"""A register is continued with the keys it was begun with, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from admin.node_identity import node_identity
from admin.schema_upgrade import upgrade_schema
from node.config import Config, load
from node.errors import IntegrityFailure, Unavailable, WrongState
from node.registration.sequencer import Sequencer
from node.storage.engine import Database, open_database
from node.telemetry import Metrics
from tests.builders import Clock


def config_of(data: Path, **settings: object) -> Config:
    return load(None, {}, {"data_dir": data} | settings)


async def sign_once(database: Database, config: Config) -> None:
    _, signer = await node_identity(database, config)
    sequencer = Sequencer(database, signer, Metrics(), origin=signer.name, clock=Clock())
    await sequencer.run_batch()


@pytest.fixture
def database(store_url: str) -> Database:
    upgrade_schema(store_url)
    return open_database(store_url)


async def test_keys_are_made_once_and_found_again(database: Database, tmp_path: Path) -> None:
    first = await node_identity(database, config_of(tmp_path / "a"))
    again = await node_identity(database, config_of(tmp_path / "a"))
    assert first == again
    await database.close()


async def test_another_data_directory_cannot_continue_the_register(
    database: Database, tmp_path: Path
) -> None:
    await sign_once(database, config_of(tmp_path / "a"))
    with pytest.raises(Unavailable):
        await node_identity(database, config_of(tmp_path / "b"))
    assert not (tmp_path / "b" / "keys").exists()
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    await database.close()
    await other.close()


async def test_foreign_keys_are_refused_before_and_after_the_first_signature(
    database: Database, tmp_path: Path
) -> None:
    await node_identity(database, config_of(tmp_path / "a"))
    with pytest.raises(IntegrityFailure):
        await node_identity(database, config_of(tmp_path / "b"))
    await sign_once(database, config_of(tmp_path / "a"))
    with pytest.raises(IntegrityFailure):
        await node_identity(database, config_of(tmp_path / "b"))
    shutil.copy(tmp_path / "b/keys/identifier_tag.key", tmp_path / "a/keys/identifier_tag.key")
    with pytest.raises(IntegrityFailure):
        await node_identity(database, config_of(tmp_path / "a"))
    await database.close()


async def test_the_name_of_a_signed_log_is_final(database: Database, tmp_path: Path) -> None:
    await sign_once(database, config_of(tmp_path / "a", **{"log.origin": "log.example/1"}))
    _, signer = await node_identity(database, config_of(tmp_path / "a"))
    assert signer.name == "log.example/1"
    with pytest.raises(WrongState):
        await node_identity(database, config_of(tmp_path / "a", **{"log.origin": "log.example/2"}))
    await database.close()
