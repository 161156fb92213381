"""Make, list and revoke API keys of a data directory, beside a running node or without one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from admin.parts import database_url, open_register_database, utc_now
from admin.schema_upgrade import upgrade_schema
from node.api.access_control import new_key
from node.config import Config
from node.domain.identifiers.handle import parse_prefix
from node.errors import NotFound
from node.registration.register import moment
from node.registration.requests import Role
from node.storage import key_queries
from node.storage.engine import Database

T = TypeVar("T")


def with_register(config: Config, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on the register of a configuration, its schema brought up to date first."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    upgrade_schema(database_url(config))

    async def opened() -> T:
        database = open_register_database(config)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(opened())


def create_key(
    config: Config, role: str, *, prefixes: Sequence[str], label: str
) -> Mapping[str, str]:
    """Make a key and return its `id` and, this once, the `key` itself."""
    stored, shown = new_key(
        role=Role(role),
        prefixes=tuple(parse_prefix(name) for name in prefixes),
        label=label,
        at=moment(utc_now),
        random_bytes=secrets.token_bytes,
    )

    async def add(database: Database) -> None:
        async with database.write() as scope:
            await key_queries.add(scope, stored)

    with_register(config, add)
    return {"id": stored.id, "key": shown}


def list_keys(config: Config) -> Sequence[Mapping[str, object]]:
    """Return every key without its secret."""

    async def read(database: Database) -> list[Mapping[str, object]]:
        async with database.read() as scope:
            keys = await key_queries.everyone(scope)
        return [
            {
                "id": key.id,
                "role": key.role,
                "label": key.label,
                "prefixes": list(key.prefixes),
                "created_at": key.created_at,
                "expires_at": key.expires_at,
                "revoked_at": key.revoked_at,
            }
            for key in keys
        ]

    return with_register(config, read)


def revoke_key(config: Config, key_id: str) -> None:
    """Put a key out of force; raise NotFound when no key in force has this id."""

    async def revoke(database: Database) -> bool:
        async with database.write() as scope:
            return await key_queries.revoke(scope, key_id, moment(utc_now))

    if not with_register(config, revoke):
        raise NotFound(f"没有有效的密钥 {key_id[:40]}", f"No key in force: {key_id[:40]}")
