"""Add, list, suspend and resume the prefixes of a data directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from admin.local_keys import with_register
from admin.parts import utc_now
from node.config import Config
from node.domain.identifiers.handle import parse_prefix
from node.domain.identifiers.suffix_profile import PROFILES
from node.domain.prefix import Prefix, PrefixState
from node.errors import Conflict, InvalidInput, Problem
from node.registration.prefix_states import move_prefix
from node.registration.register import moment
from node.storage import prefix_queries
from node.storage.engine import Database


def add(
    config: Config,
    name: str,
    *,
    is_test: bool,
    profile: str,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Mapping[str, object]:
    """Put a prefix into service; whether it is a test prefix can never be changed later."""
    if profile not in PROFILES:
        problem = Problem("profile", "not_listed", "未知的后缀规则", "Unknown suffix profile")
        raise InvalidInput("未知的后缀规则", "Unknown suffix profile", problems=[problem])
    prefix = Prefix(
        parse_prefix(name),
        profile=profile,
        is_test=is_test,
        valid_from=valid_from,
        valid_until=valid_until,
    )

    async def put(database: Database) -> None:
        async with database.write() as scope:
            if any(p.name == prefix.name for p in await prefix_queries.everyone(scope)):
                raise Conflict(f"前缀 {prefix.name} 已存在", f"Prefix {prefix.name} exists already")
            await prefix_queries.put(scope, prefix, moment(utc_now))

    with_register(config, put)
    return _shown(prefix)


def list_all(config: Config) -> Sequence[Mapping[str, object]]:
    """Return every prefix and who administers the handles below it."""

    async def read(database: Database) -> list[Mapping[str, object]]:
        async with database.read() as scope:
            prefixes = await prefix_queries.everyone(scope)
            administrators = await prefix_queries.administrators(scope)
        return [
            {
                **_shown(prefix),
                "administrators": [
                    f"{a.index}:{a.handle}" for a in administrators.get(prefix.name, ())
                ],
            }
            for prefix in prefixes
        ]

    return with_register(config, read)


def suspend(config: Config, name: str) -> None:
    """Stop registrations below a prefix; what is registered stays resolvable."""
    _move(config, name, PrefixState.SUSPENDED)


def resume(config: Config, name: str) -> None:
    """Allow registrations below a suspended prefix again."""
    _move(config, name, PrefixState.ACTIVE)


def _move(config: Config, name: str, to: PrefixState) -> None:
    async def move(database: Database) -> None:
        await move_prefix(database, name, to, utc_now)

    with_register(config, move)


def _shown(prefix: Prefix) -> Mapping[str, object]:
    return {
        "prefix": prefix.name,
        "state": prefix.state.value,
        "profile": prefix.profile,
        "test": prefix.is_test,
        "valid_from": prefix.valid_from.isoformat() if prefix.valid_from else "",
        "valid_until": prefix.valid_until.isoformat() if prefix.valid_until else "",
    }
