"""What the genealogy asks about source lots: which are registered, which were revoked."""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.storage.engine import ReadScope


async def revoked_among(scope: ReadScope, identifiers: Sequence[str]) -> set[str]:
    """Return those of `identifiers` that were revoked."""
    return await _among(scope, identifiers, "status = 'revoked'")


async def registered_among(scope: ReadScope, identifiers: Sequence[str]) -> set[str]:
    """Return those of `identifiers` that are registered; a reserved one is not yet."""
    return await _among(scope, identifiers, "status <> 'reserved'")


async def _among(scope: ReadScope, identifiers: Sequence[str], condition: str) -> set[str]:
    if not identifiers:
        return set()
    given: object
    if scope.is_postgresql:
        listed, given = "= ANY($1::text[])", list(identifiers)
    else:
        listed, given = "IN (SELECT value FROM json_each($1))", json.dumps(list(identifiers))
    sql = f"SELECT identifier FROM record WHERE identifier {listed} AND {condition}"  # noqa: S608 - constants
    return {row[0] for row in await scope.rows(sql, (given,))}
