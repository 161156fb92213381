"""Prefixes this node serves, and who administers the handles below them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from node.domain.handle_record import Administrator
from node.domain.prefix import Prefix, PrefixState
from node.storage.engine import ReadScope, WriteScope


async def everyone(scope: ReadScope) -> list[Prefix]:
    """Return every prefix, sorted by name."""
    rows = await scope.rows(
        "SELECT name, state, profile, is_test, fold_suffix, valid_from, valid_until"
        " FROM prefix ORDER BY name"
    )
    return [_prefix(row) for row in rows]


def _prefix(row: Sequence[Any]) -> Prefix:
    name, state, profile, is_test, fold_suffix, valid_from, valid_until = row
    return Prefix(
        name=name,
        state=PrefixState(state),
        profile=profile,
        is_test=bool(is_test),
        fold_suffix=bool(fold_suffix),
        valid_from=datetime.fromisoformat(valid_from) if valid_from else None,
        valid_until=datetime.fromisoformat(valid_until) if valid_until else None,
    )


async def put(scope: WriteScope, prefix: Prefix, at: str) -> None:
    """Add a prefix or replace what is known of it."""
    await scope.rows_affected(
        "INSERT INTO prefix (name, state, profile, is_test, fold_suffix, valid_from, valid_until,"
        " updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET"
        " state = excluded.state, profile = excluded.profile, is_test = excluded.is_test,"
        " fold_suffix = excluded.fold_suffix, valid_from = excluded.valid_from,"
        " valid_until = excluded.valid_until, updated_at = excluded.updated_at",
        (
            prefix.name,
            str(prefix.state),
            prefix.profile,
            prefix.is_test,
            prefix.fold_suffix,
            prefix.valid_from.isoformat() if prefix.valid_from else "",
            prefix.valid_until.isoformat() if prefix.valid_until else "",
            at,
        ),
    )


async def administrators(scope: ReadScope) -> dict[str, tuple[Administrator, ...]]:
    """Return the administrators of every prefix that has any, in their order."""
    rows = await scope.rows(
        "SELECT prefix, handle, key_index, permissions FROM prefix_administrator"
        " ORDER BY prefix, position"
    )
    found: dict[str, tuple[Administrator, ...]] = {}
    for prefix, handle, index, permissions in rows:
        found[prefix] = (*found.get(prefix, ()), Administrator(handle, index, permissions))
    return found


async def put_administrator(scope: WriteScope, prefix: str, administrator: Administrator) -> None:
    """Add an administrator after those a prefix has, or change the rights of one it has."""
    key = (prefix, administrator.handle, administrator.index, administrator.permissions)
    changed = await scope.rows_affected(
        "UPDATE prefix_administrator SET permissions = $4"
        " WHERE prefix = $1 AND handle = $2 AND key_index = $3",
        key,
    )
    if not changed:
        await scope.rows_affected(
            "INSERT INTO prefix_administrator (prefix, position, handle, key_index, permissions)"
            " SELECT $1, coalesce(max(position), 0) + 1, $2,"
            " CAST($3 AS integer), CAST($4 AS integer)"
            " FROM prefix_administrator WHERE prefix = $1",
            key,
        )
