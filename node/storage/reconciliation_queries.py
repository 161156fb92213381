"""Comparisons with the secondary node: asked for by operators, run by the relay, kept for ever."""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One comparison; `finished_at` "" while it waits or runs. `details` is JSON."""

    id: int
    peer: str
    kind: str
    requested_at: str
    finished_at: str = ""
    size: int = 0
    total: int = 0
    differences: int = 0
    mended: int = 0
    details: str = "{}"


async def request(scope: WriteScope, peer: str, kind: str, at: str) -> int:
    """Ask for a comparison of `kind` digest or full; return its number."""
    number = int((await scope.rows("SELECT coalesce(max(id), 0) + 1 FROM reconciliation"))[0][0])
    await scope.rows_affected(
        "INSERT INTO reconciliation (id, peer, kind, requested_at, finished_at, size, total,"
        " differences, mended, details) VALUES ($1, $2, $3, $4, '', 0, 0, 0, 0, '{}')",
        (number, peer, kind, at),
    )
    return number


async def waiting(scope: ReadScope, peer: str) -> Reconciliation | None:
    """Return the comparison that waits longest, if any."""
    rows = await scope.rows(
        "SELECT id, peer, kind, requested_at, finished_at, size, total, differences, mended,"
        " details FROM reconciliation WHERE peer = $1 AND finished_at = '' ORDER BY id LIMIT 1",
        (peer,),
    )
    return Reconciliation(*rows[0]) if rows else None


async def find(scope: ReadScope, number: int) -> Reconciliation | None:
    """Return a comparison by its number."""
    rows = await scope.rows(
        "SELECT id, peer, kind, requested_at, finished_at, size, total, differences, mended,"
        " details FROM reconciliation WHERE id = $1",
        (number,),
    )
    return Reconciliation(*rows[0]) if rows else None


async def last(scope: ReadScope) -> Reconciliation | None:
    """Return the comparison that finished last, if any."""
    rows = await scope.rows(
        "SELECT id, peer, kind, requested_at, finished_at, size, total, differences, mended,"
        " details FROM reconciliation WHERE finished_at <> '' ORDER BY id DESC LIMIT 1"
    )
    return Reconciliation(*rows[0]) if rows else None


async def finish(scope: WriteScope, result: Reconciliation) -> None:
    """Write what a comparison found."""
    await scope.rows_affected(
        "UPDATE reconciliation SET finished_at = $2, size = $3, total = $4, differences = $5,"
        " mended = $6, details = $7 WHERE id = $1",
        (
            result.id,
            result.finished_at,
            result.size,
            result.total,
            result.differences,
            result.mended,
            result.details,
        ),
    )
