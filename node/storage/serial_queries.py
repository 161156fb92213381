"""Counters that minted suffixes draw from, one for each (prefix, series)."""

from __future__ import annotations

from node.storage.engine import WriteScope


async def take(scope: WriteScope, prefix: str, series: str, count: int) -> int:
    """Take `count` numbers of a series and return the first; the series begins at 1.

    The row stays locked until the scope ends, so a number is handed out once; numbers of a scope
    that rolls back are handed out again.
    """
    rows = await scope.rows(
        "INSERT INTO serial (prefix, series, next_number) VALUES ($1, $2, $3 + 1)"
        " ON CONFLICT (prefix, series) DO UPDATE SET next_number = serial.next_number + $3"
        " RETURNING next_number",
        (prefix, series, count),
    )
    return int(rows[0][0]) - count
