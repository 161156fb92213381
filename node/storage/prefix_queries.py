"""Prefixes this node serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

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
