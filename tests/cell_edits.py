"""Edits of single cells behind the register's back, for the tests of the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from node.storage.engine import Database

FLAGS = ("is_test", "follows")


def falsified(value: object, random: Random) -> object:
    """Return another value of the same kind, near the true one."""
    if value is None:
        return random.randint(1, 5)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + random.choice((1_000, 7_000))  # far from every other row's key
    if isinstance(value, bytes):
        if not value:
            return b"x"
        place = random.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1 << random.randrange(8)]) + value[place + 1 :]
    text = str(value)
    if not text:
        return "x"
    place = random.randrange(len(text))
    return text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]


async def rows_of(
    database: Database, table: str, cells: tuple[tuple[str, ...], tuple[str, ...]]
) -> Sequence[Sequence[object]]:
    """Return keys and cells of every row; `cells`: names of the keys, names of the cells."""
    keys, columns = cells
    names = ", ".join((*keys, *columns))
    async with database.read() as scope:
        found = await scope.rows(f"SELECT {names} FROM {table} ORDER BY {', '.join(keys)}")
    return [tuple(row) for row in found]


async def put(
    database: Database, table: str, column: str, value: object, where: Mapping[str, object]
) -> int:
    """Write one cell of the row that has these keys."""
    conditions = " AND ".join(f"{name} = ${n}" for n, name in enumerate(where, start=2))
    async with database.write() as scope:
        return await scope.rows_affected(
            f"UPDATE {table} SET {column} = $1 WHERE {conditions}", (value, *where.values())
        )
