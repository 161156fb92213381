"""Receipts of the secondary node, and errands: what the relay is asked to do at the peer.

A receipt asked for by an errand is kept for ever; of those the relay fetched by itself the newest
of each hour is.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope

RECEIPT, DAY_REPORT = "receipt", "day_report"
_HOUR = len("2026-11-21T09")


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as it was signed (`node.domain.receipt`), verified before it was kept."""

    peer: str
    size: int
    note: bytes
    at: str


@dataclass(frozen=True, slots=True)
class Errand:
    """Something asked for; `done_at` "" while it waits, `failure` "" when it succeeded."""

    id: int
    kind: str
    subject: str
    size: int
    asked_at: str
    done_at: str = ""
    failure: str = ""


async def put_receipt(scope: WriteScope, receipt: StoredReceipt) -> None:
    """Keep a receipt; earlier ones of the same hour that nobody asked for make room."""
    await scope.rows_affected(
        "INSERT INTO receipt (peer, size, note, at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (peer, size) DO UPDATE SET note = excluded.note, at = excluded.at",
        (receipt.peer, receipt.size, receipt.note, receipt.at),
    )
    await scope.rows_affected(
        "DELETE FROM receipt WHERE peer = $1 AND size < $2 AND at >= $3 AND NOT EXISTS"
        " (SELECT 1 FROM sync_errand e WHERE e.peer = receipt.peer AND e.kind = 'receipt'"
        " AND e.size = receipt.size)",
        (receipt.peer, receipt.size, receipt.at[:_HOUR]),
    )


async def newest_receipt(scope: ReadScope, peer: str, size: int) -> StoredReceipt | None:
    """Return the receipt about the most leaves, `size` at most; None when there is none."""
    rows = await scope.rows(
        "SELECT peer, size, note, at FROM receipt WHERE peer = $1 AND size <= $2"
        " ORDER BY size DESC LIMIT 1",
        (peer, size),
    )
    return StoredReceipt(rows[0][0], rows[0][1], bytes(rows[0][2]), rows[0][3]) if rows else None


async def receipts_by_peer(scope: ReadScope, size: int) -> list[StoredReceipt]:
    """Return of every peer the receipt about the most leaves, `size` at most."""
    rows = await scope.rows(
        "SELECT peer, size, note, at FROM receipt r WHERE size = (SELECT max(size) FROM receipt"
        " WHERE peer = r.peer AND size <= $1) ORDER BY peer",
        (size,),
    )
    return [StoredReceipt(row[0], row[1], bytes(row[2]), row[3]) for row in rows]


async def ask(
    scope: WriteScope, peer: str, kind: str, at: str, *, subject: str = "", size: int = 0
) -> int:
    """Ask for something; return the number of the errand."""
    number = int((await scope.rows("SELECT coalesce(max(id), 0) + 1 FROM sync_errand"))[0][0])
    await scope.rows_affected(
        "INSERT INTO sync_errand (id, peer, kind, subject, size, asked_at, done_at, failure)"
        " VALUES ($1, $2, $3, $4, $5, $6, '', '')",
        (number, peer, kind, subject, size, at),
    )
    return number


async def waiting(scope: ReadScope, peer: str, kind: str) -> list[Errand]:
    """Return the errands of a kind that wait, oldest first."""
    rows = await scope.rows(
        "SELECT id, kind, subject, size, asked_at, done_at, failure FROM sync_errand"
        " WHERE peer = $1 AND kind = $2 AND done_at = '' ORDER BY id",
        (peer, kind),
    )
    return [Errand(*row) for row in rows]


async def find_errand(scope: ReadScope, number: int) -> Errand | None:
    """Return an errand by its number."""
    rows = await scope.rows(
        "SELECT id, kind, subject, size, asked_at, done_at, failure FROM sync_errand WHERE id = $1",
        (number,),
    )
    return Errand(*rows[0]) if rows else None


async def finish(scope: WriteScope, number: int, at: str, failure: str) -> None:
    """Note that an errand was run, and why it failed ("" when it did not)."""
    await scope.rows_affected(
        "UPDATE sync_errand SET done_at = $2, failure = $3 WHERE id = $1", (number, at, failure)
    )
