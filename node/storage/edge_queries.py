"""Open edges: source lots that a record names but that are not registered yet.

An edge whose parent arrived and contradicts the child stays, with the code of the contradiction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from node.storage.engine import ReadScope, WriteScope


async def add(scope: WriteScope, edges: Sequence[tuple[str, str]], at: str) -> None:
    """Remember (parent, child) pairs whose parent is unknown."""
    if not edges:
        return
    if scope.is_postgresql:
        await scope.rows_affected(
            "INSERT INTO open_edge (parent, child, since, fault) SELECT e.parent, e.child, $3, ''"
            " FROM unnest($1::text[], $2::text[]) AS e(parent, child) ON CONFLICT DO NOTHING",
            ([parent for parent, _ in edges], [child for _, child in edges], at),
        )
        return
    await scope.many(
        "INSERT INTO open_edge (parent, child, since, fault) VALUES ($1, $2, $3, '')"
        " ON CONFLICT DO NOTHING",
        [(parent, child, at) for parent, child in edges],
    )


async def close(scope: WriteScope, parents: Sequence[str]) -> list[tuple[str, str]]:
    """Forget the edges that waited for `parents`, and return them as (parent, child)."""
    if scope.is_postgresql:
        rows = await scope.rows(
            "DELETE FROM open_edge WHERE parent = ANY($1::text[]) RETURNING parent, child",
            (list(parents),),
        )
    else:
        rows = await scope.rows(
            "DELETE FROM open_edge WHERE parent IN (SELECT value FROM json_each($1))"
            " RETURNING parent, child",
            (json.dumps(list(parents)),),
        )
    return [(row[0], row[1]) for row in rows]


async def forget(scope: WriteScope, child: str, parents: Sequence[str]) -> None:
    """Forget that `child` waits for `parents`, and the contradiction found with them."""
    await scope.many(
        "DELETE FROM open_edge WHERE parent = $1 AND child = $2",
        [(parent, child) for parent in (*parents, "*")],
    )


async def mark(scope: WriteScope, child: str, fault: str, at: str) -> None:
    """Keep a contradiction found between a child and its late parents (parent "*")."""
    await scope.rows_affected(
        "INSERT INTO open_edge (parent, child, since, fault) VALUES ('*', $1, $2, $3)"
        " ON CONFLICT (parent, child) DO UPDATE SET fault = excluded.fault",
        (child, at, fault),
    )


async def count(scope: ReadScope) -> int:
    """Return how many edges wait for their parent or contradict it."""
    return int((await scope.rows("SELECT count(*) FROM open_edge"))[0][0])
