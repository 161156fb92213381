"""Which handles there are below a prefix: ranges of the register's primary key.

Only live records count: active or suspended. Keys are compared byte by byte in both databases, so
the order is that of code points.
"""

from __future__ import annotations

from node.storage.engine import ReadScope

# "0" is the character after "/": together they enclose all keys `PREFIX/…` and nothing else.
_BELOW = "identifier > $1 AND identifier < $2 AND status IN ('active', 'suspended')"


async def listed(scope: ReadScope, prefix: str, *, after: str, limit: int) -> list[str]:
    """Return up to `limit` handles below a prefix that come after `after` ("": from the first)."""
    rows = await scope.rows(
        f"SELECT identifier FROM record WHERE {_BELOW} ORDER BY identifier LIMIT $3",  # noqa: S608 - constants
        (max(after, f"{prefix}/"), f"{prefix}0", limit),
    )
    return [row[0] for row in rows]


async def counted(scope: ReadScope, prefix: str) -> int:
    """Return how many handles there are below a prefix."""
    rows = await scope.rows(
        f"SELECT count(*) FROM record WHERE {_BELOW}",  # noqa: S608 - constants
        (f"{prefix}/", f"{prefix}0"),
    )
    return int(rows[0][0])
