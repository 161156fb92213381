"""Figures for the status page, counted from the register itself."""

from __future__ import annotations

from node.storage.engine import ReadScope


async def records_by_status(scope: ReadScope) -> dict[tuple[str, bool], int]:
    """Return how many records stand in each (status, is test)."""
    rows = await scope.rows("SELECT status, is_test, count(*) FROM record GROUP BY status, is_test")
    return {(row[0], bool(row[1])): int(row[2]) for row in rows}
