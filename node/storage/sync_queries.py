"""The link to the secondary node as the database knows it: changes, refused items, evidence.

Every leaf below a peer's `acked_size` is held by the peer. `sync_item` has a row only for an item
that is not simply acknowledged; an acknowledged later change of the same identifier settles it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.storage.engine import ReadScope, WriteScope
from node.storage.statistics_queries import oldest_pending_leaf


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One leaf with what it commits to; `salt` is the whole 32 bytes."""

    index: int
    identifier: str
    leaf: bytes
    salt: bytes
    content: bytes

    @property
    def at(self) -> str:
        """Return when the change was accepted, as its leaf says (the leaf's first member)."""
        return self.leaf[7:31].decode()


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """When a range of leaves was committed, sent, received and acknowledged."""

    first_index: int
    end_index: int
    oldest_at: str
    sent_at: str
    received_at: str
    acked_at: str
    receipt: str


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """An item that the peer did not take. `state`: rejected, blocked, unknown or dropped."""

    index: int
    identifier: str
    state: str
    code: str
    reason: str
    attempts: int
    changed_at: str


_IN_RANGE = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content
FROM leaf l JOIN change c USING (change_id)
WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index
"""
_AT_POSTGRESQL = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content
FROM leaf l JOIN change c USING (change_id)
WHERE l.leaf_index = ANY($1::bigint[]) ORDER BY l.leaf_index
"""
_AT_SQLITE = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content
FROM leaf l JOIN change c USING (change_id)
WHERE l.leaf_index IN (SELECT value FROM json_each($1)) ORDER BY l.leaf_index
"""


async def changes(scope: ReadScope, first: int, end: int) -> list[LoggedChange]:
    """Return the changes at the leaf indexes first … end - 1, in order."""
    return [_change(row) for row in await scope.alone(_IN_RANGE, first, end)]


async def changes_at(scope: ReadScope, indexes: Sequence[int]) -> list[LoggedChange]:
    """Return the changes at some leaf indexes, in order."""
    if scope.is_postgresql:
        rows = await scope.rows(_AT_POSTGRESQL, (list(indexes),))
    else:
        rows = await scope.rows(_AT_SQLITE, (json.dumps(list(indexes)),))
    return [_change(row) for row in rows]


_CURRENT = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content, c.previous_id
FROM record r JOIN change c USING (change_id) LEFT JOIN leaf l USING (change_id)
WHERE r.identifier > $1 ORDER BY r.identifier LIMIT $2
"""
_ONE = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content, c.previous_id
FROM change c LEFT JOIN leaf l USING (change_id) WHERE c.change_id = $1
"""


async def current_changes(
    scope: ReadScope, after: str, limit: int, size: int
) -> tuple[list[LoggedChange], str]:
    """Return each record's last change below leaf index `size`, by identifier after `after`.

    `limit` records are looked at; the text returned is where to go on, "" at the end.
    """
    rows = await scope.rows(_CURRENT, (after, limit))
    found = []
    for current in rows:
        row = current
        while row is not None and (row[0] is None or row[0] >= size):
            earlier = await scope.rows(_ONE, (row[5],)) if row[5] is not None else ()
            row = earlier[0] if earlier else None
        if row is not None:
            found.append(_change(row[:5]))
    return found, rows[-1][1] if len(rows) == limit else ""


_OF_POSTGRESQL = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content
FROM record r JOIN change c USING (change_id) JOIN leaf l USING (change_id)
WHERE r.identifier = ANY($1::text[]) ORDER BY r.identifier
"""
_OF_SQLITE = """
SELECT l.leaf_index, c.identifier, c.leaf, c.salt, c.content
FROM record r JOIN change c USING (change_id) JOIN leaf l USING (change_id)
WHERE r.identifier IN (SELECT value FROM json_each($1)) ORDER BY r.identifier
"""


async def current_of(scope: ReadScope, identifiers: Sequence[str]) -> list[LoggedChange]:
    """Return the latest changes of some records, where they are in the log."""
    if scope.is_postgresql:
        rows = await scope.rows(_OF_POSTGRESQL, (list(identifiers),))
    else:
        rows = await scope.rows(_OF_SQLITE, (json.dumps(list(identifiers)),))
    return [_change(row) for row in rows]


def _change(row: Sequence[Any]) -> LoggedChange:
    index, identifier, leaf, salt, content = row
    return LoggedChange(index, identifier, bytes(leaf), bytes(salt), bytes(content))


async def add_evidence(scope: WriteScope, peer: str, batches: Sequence[BatchEvidence]) -> None:
    """Keep the times of acknowledged batches; a range that is sent anew replaces its evidence."""
    await scope.many(
        "INSERT INTO sync_batch (peer, first_index, end_index, oldest_at, sent_at, received_at,"
        " acked_at, receipt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (peer, first_index) DO UPDATE SET end_index = excluded.end_index,"
        " sent_at = excluded.sent_at, received_at = excluded.received_at,"
        " acked_at = excluded.acked_at, receipt = excluded.receipt",
        [
            (
                peer,
                b.first_index,
                b.end_index,
                b.oldest_at,
                b.sent_at,
                b.received_at,
                b.acked_at,
                b.receipt,
            )
            for b in batches
        ],
    )


async def recent_evidence(scope: ReadScope, peer: str, limit: int) -> list[BatchEvidence]:
    """Return the evidence of the last batches, newest first."""
    rows = await scope.rows(
        "SELECT first_index, end_index, oldest_at, sent_at, received_at, acked_at, receipt"
        " FROM sync_batch WHERE peer = $1 ORDER BY first_index DESC LIMIT $2",
        (peer, limit),
    )
    return [BatchEvidence(*row) for row in rows]


async def put_items(scope: WriteScope, peer: str, items: Sequence[WaitingItem]) -> None:
    """Write what became of items that were not simply taken."""
    await scope.many(
        "INSERT INTO sync_item (peer, leaf_index, identifier, state, code, reason, attempts,"
        " changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (peer, leaf_index) DO UPDATE SET state = excluded.state,"
        " code = excluded.code, reason = excluded.reason, attempts = sync_item.attempts + 1,"
        " changed_at = excluded.changed_at",
        [
            (peer, i.index, i.identifier, i.state, i.code, i.reason, i.attempts, i.changed_at)
            for i in items
        ],
    )


async def settle(scope: WriteScope, peer: str, indexes: Sequence[int]) -> None:
    """Forget items that the peer has taken after all."""
    await scope.many(
        "DELETE FROM sync_item WHERE peer = $1 AND leaf_index = $2",
        [(peer, index) for index in indexes],
    )


async def settle_superseded(scope: WriteScope, peer: str, taken: Sequence[tuple[str, int]]) -> None:
    """Forget items whose identifier had a later change taken: (identifier, leaf index) pairs."""
    await scope.many(
        "DELETE FROM sync_item WHERE peer = $1 AND identifier = $2 AND leaf_index < $3",
        [(peer, identifier, index) for identifier, index in taken],
    )


_ITEMS_IN_STATE = (
    "SELECT leaf_index, identifier, state, code, reason, attempts, changed_at FROM sync_item"
    " WHERE peer = $1 AND state = $2"
)


async def items(scope: ReadScope, peer: str, state: str, limit: int) -> list[WaitingItem]:
    """Return items in one state, those that changed longest ago first."""
    rows = await scope.rows(
        f"{_ITEMS_IN_STATE} ORDER BY changed_at, leaf_index LIMIT $3",
        (peer, state, limit),
    )
    return [WaitingItem(*row) for row in rows]


async def items_after(
    scope: ReadScope, peer: str, state: str, after: int, limit: int
) -> list[WaitingItem]:
    """Return items in one state with a leaf index above `after`, by leaf index."""
    rows = await scope.rows(
        f"{_ITEMS_IN_STATE} AND leaf_index > $3 ORDER BY leaf_index LIMIT $4",
        (peer, state, after, limit),
    )
    return [WaitingItem(*row) for row in rows]


async def item_counts(scope: ReadScope, peer: str) -> dict[str, int]:
    """Return how many items are in each state."""
    rows = await scope.rows(
        "SELECT state, count(*) FROM sync_item WHERE peer = $1 GROUP BY state", (peer,)
    )
    return {row[0]: int(row[1]) for row in rows}


async def change_state(
    scope: WriteScope, peer: str, indexes: Sequence[int], state: str, reason: str, at: str
) -> int:
    """Move waiting items to another state, as an operator decides; return how many there were."""
    moved = 0
    for index in indexes:
        moved += await scope.rows_affected(
            "UPDATE sync_item SET state = $3, reason = $4, changed_at = $5"
            " WHERE peer = $1 AND leaf_index = $2",
            (peer, index, state, reason, at),
        )
    return moved


async def change_state_of(scope: WriteScope, peer: str, before: str, code: str, state: str) -> None:
    """Move the items that were put into one state for one code to another state."""
    await scope.rows_affected(
        "UPDATE sync_item SET state = $4 WHERE peer = $1 AND state = $2 AND code = $3",
        (peer, before, code, state),
    )


async def oldest_unacknowledged(scope: ReadScope, acked_size: int) -> str:
    """Return the time of the first change the peer does not have, "" when it has all."""
    rows = await scope.rows(
        "SELECT c.leaf FROM leaf l JOIN change c USING (change_id) WHERE l.leaf_index = $1",
        (acked_size,),
    )
    leaf = bytes(rows[0][0]) if rows else await oldest_pending_leaf(scope)
    return leaf[7:31].decode() if leaf else ""


async def put_cosignature(scope: WriteScope, peer: str, size: int, line: bytes, at: str) -> None:
    """Keep a cosignature on the checkpoint of `size`; the first one stays."""
    await scope.rows_affected(
        "INSERT INTO cosignature (size, peer, line, at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING",
        (size, peer, line, at),
    )


async def cosignatures(scope: ReadScope, size: int) -> list[bytes]:
    """Return the signature lines of cosigners on the checkpoint of `size`."""
    rows = await scope.rows("SELECT line FROM cosignature WHERE size = $1 ORDER BY peer", (size,))
    return [bytes(row[0]) for row in rows]


async def last_cosignature(scope: ReadScope, peer: str) -> tuple[int, str]:
    """Return (size, time) of a peer's newest cosignature, (0, "") when there is none."""
    rows = await scope.rows(
        "SELECT size, at FROM cosignature WHERE peer = $1 ORDER BY size DESC LIMIT 1", (peer,)
    )
    return (int(rows[0][0]), str(rows[0][1])) if rows else (0, "")
