"""API keys. Only the SHA-256 of a key's 256-bit random secret is stored."""

from __future__ import annotations

import json

from node.storage.engine import ReadScope, WriteScope
from node.storage.stored_values import StoredKey


async def everyone(scope: ReadScope) -> list[StoredKey]:
    """Return every key, oldest first."""
    rows = await scope.rows(
        "SELECT id, role, label, prefixes, secret_sha256, created_at, expires_at, revoked_at"
        " FROM api_key ORDER BY created_at, id"
    )
    return [
        StoredKey(r[0], r[1], r[2], tuple(json.loads(r[3])), bytes(r[4]), r[5], r[6], r[7])
        for r in rows
    ]


async def add(scope: WriteScope, key: StoredKey) -> None:
    """Store a new key."""
    await scope.rows_affected(
        "INSERT INTO api_key (id, role, label, prefixes, secret_sha256, created_at, expires_at,"
        " revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        (
            key.id,
            key.role,
            key.label,
            json.dumps(key.prefixes),
            key.secret_sha256,
            key.created_at,
            key.expires_at,
            key.revoked_at,
        ),
    )


async def revoke(scope: WriteScope, key_id: str, at: str) -> bool:
    """Put a key out of force; say whether there was such a key in force."""
    return bool(
        await scope.rows_affected(
            "UPDATE api_key SET revoked_at = $1 WHERE id = $2 AND revoked_at = ''", (at, key_id)
        )
    )
