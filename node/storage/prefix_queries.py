"""Prefixes this node serves."""

from __future__ import annotations

from node.domain.prefix import Prefix
from node.storage.engine import ReadScope, WriteScope

_COLUMNS = "name, state, profile, is_test, fold_suffix, valid_from, valid_until"


async def everyone(scope: ReadScope) -> list[Prefix]:
    """Return every prefix, sorted by name."""
    return [
        _prefix(row) for row in await scope.rows(f"SELECT {_COLUMNS} FROM prefix ORDER BY name")
    ]


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
