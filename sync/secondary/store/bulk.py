"""Statements over many rows, as few of them as possible.

Each `execute` hands the processor over to other threads and takes it back; done for every row,
that doubles the cost of storing and leaves the writer waiting for whoever has the processor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

_ROWS = 200
_LENGTHS = (1, 10, 50, _ROWS)

Row = Sequence[Any]


def insert_many(db: sqlite3.Connection, into: str, rows: Sequence[Row]) -> None:
    """Insert rows; `into` is `table (columns)`."""
    if not rows:
        return
    one = f"({','.join('?' * len(rows[0]))})"
    whole = len(rows) // _ROWS * _ROWS
    many = f"INSERT INTO {into} VALUES {','.join([one] * _ROWS)}"  # noqa: S608
    for start in range(0, whole, _ROWS):
        db.execute(many, list(chain.from_iterable(rows[start : start + _ROWS])))
    db.executemany(f"INSERT INTO {into} VALUES {one}", rows[whole:])  # noqa: S608


def select_in(db: sqlite3.Connection, select: str, keys: Sequence[Any]) -> Iterator[Row]:
    """Yield the rows of a statement that ends in `IN`, for all of `keys`."""
    for start in range(0, len(keys), _ROWS):
        part = list(keys[start : start + _ROWS])
        # One statement for every length of list would crowd the prepared ones out.
        length = next(length for length in _LENGTHS if length >= len(part))
        part += part[-1:] * (length - len(part))
        yield from db.execute(f"{select} ({','.join('?' * len(part))})", part).fetchall()
