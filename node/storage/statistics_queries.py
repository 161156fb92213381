"""Figures for the status page, counted from the register itself."""

from __future__ import annotations

from node.storage.engine import ReadScope


async def oldest_pending_leaf(scope: ReadScope) -> bytes | None:
    """Return the leaf of the change that has waited longest for the sequencer, None if none does.

    The leaf says when the change was made.
    """
    rows = await scope.rows(
        "SELECT leaf FROM change WHERE change_id = (SELECT min(change_id) FROM pending)"
    )
    return bytes(rows[0][0]) if rows else None


async def records_by_status(scope: ReadScope) -> dict[tuple[str, bool], int]:
    """Return how many records stand in each (status, is test)."""
    rows = await scope.rows("SELECT status, is_test, count(*) FROM record GROUP BY status, is_test")
    return {(row[0], bool(row[1])): int(row[2]) for row in rows}
