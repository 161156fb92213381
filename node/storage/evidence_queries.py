"""What the acceptance bundle reads beside the log: acknowledgements, link outages, the projection.

Everything in pages and in order, so that a register of any size is read in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope


@dataclass(frozen=True, slots=True)
class AckedBatch:
    """A range of leaves and when it was acknowledged."""

    first_index: int
    end_index: int
    acked_at: str


@dataclass(frozen=True, slots=True)
class LinkOutage:
    """The link was down from `begins` to `ends`, "" while it still is."""

    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class ProjectedRecord:
    """A row of `record`; `leaf_index` of the change it shows, None while that is not in the log."""

    identifier: str
    object_class: str
    status: str
    is_test: bool
    leaf_index: int | None


async def acked_batches(scope: ReadScope, peer: str, after: int, limit: int) -> list[AckedBatch]:
    """Return acknowledged ranges that begin above leaf index `after`, ascending."""
    rows = await scope.rows(
        "SELECT first_index, end_index, acked_at FROM sync_batch"
        " WHERE peer = $1 AND first_index > $2 ORDER BY first_index LIMIT $3",
        (peer, after, limit),
    )
    return [AckedBatch(*row) for row in rows]


async def link_outages(scope: ReadScope) -> list[LinkOutage]:
    """Return the times in which the link was noted to be down, in order."""
    rows = await scope.rows(
        "SELECT id, closes, at FROM node_event WHERE subject = 'link' ORDER BY number"
    )
    ends = {row[1]: row[2] for row in rows if row[1]}
    return [LinkOutage(row[2], ends.get(row[0], "")) for row in rows if not row[1]]


async def projected_records(scope: ReadScope, after: str, limit: int) -> list[ProjectedRecord]:
    """Return rows of the projection in key order after `after`."""
    rows = await scope.rows(
        "SELECT r.identifier, r.object_class, r.status, r.is_test, l.leaf_index"
        " FROM record r LEFT JOIN leaf l USING (change_id)"
        " WHERE r.identifier > $1 ORDER BY r.identifier LIMIT $2",
        (after, limit),
    )
    return [ProjectedRecord(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]


async def last_comparison(scope: ReadScope, size: int) -> tuple[int, int, int, int] | None:
    """Return (size, records, differences, mended) of the last comparison with the peer, if any.

    Only comparisons of at most the first `size` leaves.
    """
    rows = await scope.rows(
        "SELECT size, total, differences, mended FROM reconciliation"
        " WHERE finished_at <> '' AND size > 0 AND size <= $1 ORDER BY size DESC, id DESC LIMIT 1",
        (size,),
    )
    return (rows[0][0], rows[0][1], rows[0][2], rows[0][3]) if rows else None
