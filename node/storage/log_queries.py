"""Pending changes, leaves, tiles, entry bundles and the state of the log.

Only the sequencer writes here. `advance` moves the log state by compare-and-swap on (size, root):
whoever loses sees `SequencerFenced`, so two sequencers can never fork the log, however deployed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from node.errors import SequencerFenced
from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class LogState:
    """The log after its last batch; `checkpoint` is the signed note, b"" for a log never signed."""

    size: int
    root: bytes
    checkpoint: bytes
    signed_at: str


class PendingChange(msgspec.Struct, frozen=True, gc=False):
    """A committed change that waits for its place in the log."""

    change_id: int
    action: str
    leaf: bytes
    follows: bool = False


async def state(scope: ReadScope) -> LogState:
    """Return the state of the log."""
    row = (await scope.alone("SELECT size, root, checkpoint, signed_at FROM log_state"))[0]
    return LogState(row[0], bytes(row[1]), bytes(row[2]), row[3])


async def lock_state(scope: WriteScope) -> LogState:
    """Return the state of the log and keep other sequencers waiting until the scope ends."""
    if scope.is_postgresql:
        await scope.rows("SELECT id FROM log_state FOR UPDATE")
    return await state(scope)


# Written so that each change is found by its key, whatever PostgreSQL believes about the tables: a
# plain join was planned while they were nearly empty, and read all changes for every batch.
_TAKE = """
WITH taken AS (
  DELETE FROM pending WHERE change_id = ANY(ARRAY(
    SELECT change_id FROM pending ORDER BY change_id LIMIT $1))
  RETURNING change_id, follows
)
SELECT taken.change_id, c.action, c.leaf, taken.follows
FROM taken CROSS JOIN LATERAL (
  SELECT action, leaf FROM change WHERE change_id = taken.change_id LIMIT 1) AS c
ORDER BY taken.change_id
"""


async def claim_tag_key(scope: WriteScope, digest: bytes) -> bytes:
    """Note the digest of the tag key at the register's first start; return the digest noted."""
    await scope.rows_affected(
        "UPDATE log_state SET tag_key_sha256 = $1 WHERE length(tag_key_sha256) = 0", (digest,)
    )
    return bytes((await scope.rows("SELECT tag_key_sha256 FROM log_state"))[0][0])


async def take_pending(scope: WriteScope, limit: int) -> list[PendingChange]:
    """Remove up to `limit` pending changes, oldest first, and return them."""
    if scope.is_postgresql:
        rows = await scope.rows(_TAKE, (limit,))
    else:
        rows = await scope.rows(
            "SELECT change_id, action, leaf, follows FROM pending JOIN change USING (change_id)"
            " ORDER BY change_id LIMIT $1",
            (limit,),
        )
        if rows:  # one writer: every row up to the last one taken was taken
            await scope.rows_affected("DELETE FROM pending WHERE change_id <= $1", (rows[-1][0],))
    return [PendingChange(row[0], row[1], bytes(row[2]), bool(row[3])) for row in rows]


async def insert_leaves(scope: WriteScope, first: int, changes: Sequence[PendingChange]) -> None:
    """Give `changes` the leaf indexes first, first + 1, …"""
    if scope.is_postgresql:
        await scope.rows_affected(
            "INSERT INTO leaf (leaf_index, change_id, action, follows)"
            " SELECT $1::bigint + i.n - 1, i.change_id, i.action, i.follows"
            " FROM unnest($2::bigint[], $3::text[], $4::bool[])"
            " WITH ORDINALITY AS i(change_id, action, follows, n)",
            (
                first,
                [c.change_id for c in changes],
                [c.action for c in changes],
                [c.follows for c in changes],
            ),
        )
        return
    await scope.many(
        "INSERT INTO leaf (leaf_index, change_id, action, follows) VALUES ($1, $2, $3, $4)",
        [(first + n, c.change_id, c.action, c.follows) for n, c in enumerate(changes)],
    )


async def put_tiles(scope: WriteScope, tiles: Iterable[tuple[int, int, bytes]]) -> None:
    """Write hash tiles (level, number, hashes); a partial tile is replaced by its longer self."""
    await scope.many(
        "INSERT INTO tile (level, number, hashes) VALUES ($1, $2, $3)"
        " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes",
        list(tiles),
    )


async def put_bundles(scope: WriteScope, bundles: Iterable[tuple[int, bytes]]) -> None:
    """Write full entry bundles (number, data)."""
    await scope.many("INSERT INTO entry_bundle (number, data) VALUES ($1, $2)", list(bundles))


async def advance(scope: WriteScope, before: LogState, after: LogState) -> None:
    """Move the log from `before` to `after`; raise SequencerFenced when it was not at `before`."""
    moved = await scope.rows_affected(
        "UPDATE log_state SET size = $1, root = $2, checkpoint = $3, signed_at = $4"
        " WHERE size = $5 AND root = $6",
        (after.size, after.root, after.checkpoint, after.signed_at, before.size, before.root),
    )
    if moved != 1:
        raise SequencerFenced


async def read_tiles(
    scope: ReadScope, addresses: Sequence[tuple[int, int]]
) -> Mapping[tuple[int, int], bytes]:
    """Return the hash tiles that exist among `addresses` (level, number)."""
    found: dict[tuple[int, int], bytes] = {}
    sql = "SELECT hashes FROM tile WHERE level = $1 AND number = $2"
    for address in dict.fromkeys(addresses):
        for row in await scope.rows(sql, address):
            found[address] = bytes(row[0])
    return found


async def leaf_hashes(scope: ReadScope, first: int, end: int) -> bytes:
    """Return the hashes that the tree has at the leaf indexes first … end - 1, 32 bytes each.

    Shorter when tiles are missing.
    """
    rows = await scope.rows(
        "SELECT hashes FROM tile WHERE level = 0 AND number >= $1 AND number <= $2 ORDER BY number",
        (first >> 8, (end - 1) >> 8),
    )
    start = 32 * (first & 255)
    return b"".join(bytes(row[0]) for row in rows)[start : start + 32 * (end - first)]


async def read_bundle(scope: ReadScope, number: int) -> bytes | None:
    """Return a full entry bundle, or None when it is not full yet."""
    rows = await scope.rows("SELECT data FROM entry_bundle WHERE number = $1", (number,))
    return bytes(rows[0][0]) if rows else None


async def leaves(scope: ReadScope, first: int, end: int) -> list[bytes]:
    """Return the leaf bytes with indexes first … end - 1, in order."""
    rows = await scope.rows(
        "SELECT c.leaf FROM leaf l JOIN change c USING (change_id)"
        " WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index",
        (first, end),
    )
    return [bytes(row[0]) for row in rows]


async def leaf_of(scope: ReadScope, identifier: str) -> tuple[int | None, bytes] | None:
    """Return (leaf index or None while pending, leaf bytes) of a record's latest change."""
    rows = await scope.rows(
        "SELECT l.leaf_index, c.leaf FROM record r JOIN change c USING (change_id)"
        " LEFT JOIN leaf l USING (change_id) WHERE r.identifier = $1",
        (identifier,),
    )
    return (rows[0][0], bytes(rows[0][1])) if rows else None


async def pending_count(scope: ReadScope, ceiling: int) -> int:
    """Return how many changes wait for the sequencer, counting no further than `ceiling`."""
    rows = await scope.rows(
        "SELECT count(*) FROM (SELECT 1 FROM pending LIMIT $1) AS waiting", (ceiling,)
    )
    return int(rows[0][0])


async def unlogged(scope: ReadScope, limit: int) -> list[str]:
    """Return identifiers whose latest committed change to an existing record is not logged yet."""
    # Not a join: what is believed of `pending` is always wrong, and a join read all changes for it.
    rows = await scope.alone(
        "SELECT (SELECT c.identifier FROM change c WHERE c.change_id = p.change_id)"
        " FROM pending p WHERE p.follows LIMIT $1",
        limit,
    )
    return [row[0] for row in rows]


async def has_work(scope: ReadScope) -> bool:
    """Say whether anything is pending, or the log has never been signed."""
    rows = await scope.rows(
        "SELECT EXISTS (SELECT 1 FROM pending)"
        " OR EXISTS (SELECT 1 FROM log_state WHERE length(checkpoint) = 0)"
    )
    return bool(rows[0][0])


async def changed_since(
    scope: ReadScope, position: int, limit: int
) -> tuple[int, list[tuple[int, str]]]:
    """Return (new position, [(leaf index, identifier)]) of changes to existing records.

    First registrations are left out: no cache holds anything of an identifier that did not exist,
    but for negative answers, which live a second at most. The size is read before the rows, so a
    batch sequenced in between is seen by the next call.
    """
    size = (await state(scope)).size
    if size <= position:
        return size, []
    rows = await scope.rows(
        "SELECT l.leaf_index, c.identifier FROM leaf l JOIN change c USING (change_id)"
        " WHERE l.follows AND l.leaf_index >= $1 AND l.leaf_index < $2"
        " ORDER BY l.leaf_index LIMIT $3",
        (position, size, limit),
    )
    changes = [(row[0], row[1]) for row in rows]
    return (changes[-1][0] + 1 if len(changes) == limit else size), changes
