"""Find and change records; `insert_queries` makes new ones.

A revision is a row of `change`, which never changes again, and a claim on a place in the log
(`pending`); the row of the record moves on to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.domain.record import StoredRecord
from node.storage.engine import ReadScope, WriteScope
from node.storage.stored_values import NewChange


@dataclass(frozen=True, slots=True)
class LockedRecord:
    """A record and its latest change, locked against other writers until the scope ends."""

    identifier: str
    status: str
    revision: int
    change_id: int
    content: bytes


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One revision of a record; `leaf_index` is None until it has been sequenced."""

    revision: int
    action: str
    content: bytes
    leaf_index: int | None


async def append_sqlite(
    scope: WriteScope, changes: Sequence[NewChange], *, previous_ids: Sequence[int] | None
) -> None:
    """Store revisions on SQLite; `previous_ids` are None of first ones, whose records are new."""
    first_id = (await scope.rows("SELECT coalesce(max(change_id), 0) + 1 FROM change"))[0][0]
    numbered = list(enumerate(changes, start=first_id))
    if previous_ids is None:
        await scope.many(
            "INSERT INTO record (identifier, object_class, template, status, revision, change_id,"
            " is_test, registered_at, updated_at) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)",
            [
                (c.identifier, c.object_class, c.template, c.status, i, c.is_test, c.at, c.at)
                for i, c in numbered
            ],
        )
    else:
        await scope.many(
            "UPDATE record SET object_class = $1, template = $2, status = $3, revision = $4,"
            " change_id = $5, updated_at = $6 WHERE identifier = $7",
            [
                (c.object_class, c.template, c.status, c.revision, i, c.at, c.identifier)
                for i, c in numbered
            ],
        )
    before: Sequence[int | None] = previous_ids or [None] * len(changes)
    await scope.many(
        "INSERT INTO change (change_id, identifier, revision, action, previous_id, content, salt,"
        " leaf) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (i, c.identifier, c.revision, c.action, p, c.content, c.salt, c.leaf)
            for (i, c), p in zip(numbered, before, strict=True)
        ],
    )
    await scope.many(
        "INSERT INTO pending (change_id, follows) VALUES ($1, $2)",
        [(i, c.revision > 1) for i, c in numbered],
    )


_LOCK = "SELECT 1 FROM record WHERE identifier = ANY($1::text[]) ORDER BY identifier FOR UPDATE"
_LOCKED = """
SELECT r.identifier, r.status, r.revision, r.change_id, c.content
FROM record r JOIN change c USING (change_id) WHERE r.identifier = ANY($1::text[])
"""
_LOCKED_SQLITE = _LOCKED.replace("= ANY($1::text[])", "IN (SELECT value FROM json_each($1))")


async def lock(scope: WriteScope, identifiers: Sequence[str]) -> dict[str, LockedRecord]:
    """Lock the records that exist among `identifiers` and return them with their latest content."""
    if scope.is_postgresql:
        wanted = sorted(identifiers)
        # Two statements: one that waits for a row and joins would pair the new row with the change
        # it saw before it waited, find no match and lose the record.
        await scope.rows(_LOCK, (wanted,))
        rows = await scope.rows(_LOCKED, (wanted,))
    else:  # BEGIN IMMEDIATE holds the only write lock there is
        rows = await scope.rows(_LOCKED_SQLITE, (json.dumps(list(identifiers)),))
    return {row[0]: LockedRecord(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows}


_APPEND = """
WITH input AS (
  SELECT nextval('change_change_id_seq') AS change_id, i.*
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[],
              $8::bigint[], $9::bytea[], $10::bytea[], $11::bytea[])
    AS i(identifier, object_class, template, status, revision, at, action, previous_id, content,
         salt, leaf)
), moved AS (
  UPDATE record r SET object_class = i.object_class, template = i.template, status = i.status,
         revision = i.revision, change_id = i.change_id, updated_at = i.at
  FROM input i WHERE r.identifier = i.identifier AND r.revision = i.revision - 1
  RETURNING i.change_id
), stored AS (
  INSERT INTO change (change_id, identifier, revision, action, previous_id, content, salt, leaf)
  SELECT change_id, identifier, revision, action, previous_id, content, salt, leaf
  FROM input JOIN moved USING (change_id)
), queued AS (
  INSERT INTO pending (change_id, follows) SELECT change_id, true FROM moved
)
SELECT count(*) FROM moved
"""


async def append(
    scope: WriteScope, changes: Sequence[NewChange], locked: Mapping[str, LockedRecord]
) -> None:
    """Store later revisions of records that `lock` returned in this same scope."""
    if not changes:
        return
    previous = [locked[c.identifier].change_id for c in changes]
    if not scope.is_postgresql:
        await append_sqlite(scope, changes, previous_ids=previous)
        return
    columns = (
        [c.identifier for c in changes],
        [c.object_class for c in changes],
        [c.template for c in changes],
        [c.status for c in changes],
        [c.revision for c in changes],
        [c.at for c in changes],
        [c.action for c in changes],
        previous,
        [c.content for c in changes],
        [c.salt for c in changes],
        [c.leaf for c in changes],
    )
    moved = (await scope.rows(_APPEND, columns))[0][0]
    if moved != len(changes):  # cannot happen while the rows are locked
        raise RuntimeError(f"{len(changes) - moved} locked records moved underneath")


_FIND = """
SELECT r.identifier, r.status, r.revision, r.object_class, r.template, r.is_test, r.registered_at,
       r.updated_at, c.content
FROM record r JOIN change c USING (change_id) WHERE r.identifier = ANY($1::text[])
"""
_FIND_SQLITE = _FIND.replace("= ANY($1::text[])", "IN (SELECT value FROM json_each($1))")


async def find(scope: ReadScope, identifiers: Sequence[str]) -> dict[str, StoredRecord]:
    """Return the records that exist among `identifiers`: the look-up's statement.

    On PostgreSQL it stands alone in autocommit; within a transaction use `find_within`.
    """
    if not scope.is_postgresql:
        return await find_within(scope, identifiers)
    rows = await scope.alone(_FIND, list(identifiers))
    return {row[0]: StoredRecord(*row) for row in rows}


async def find_within(scope: ReadScope, identifiers: Sequence[str]) -> dict[str, StoredRecord]:
    """Return the records that exist among `identifiers`, as this transaction sees them."""
    if not identifiers:
        return {}
    if scope.is_postgresql:
        rows = await scope.rows(_FIND, (list(identifiers),))
    else:
        rows = await scope.rows(_FIND_SQLITE, (json.dumps(list(identifiers)),))
    return {row[0]: _stored(row) for row in rows}


def _stored(row: Sequence[Any]) -> StoredRecord:
    identifier, status, revision, object_class, template, is_test, registered, updated, content = (
        row
    )
    return StoredRecord(
        identifier=identifier,
        status=status,
        revision=revision,
        object_class=object_class,
        template=template,
        is_test=bool(is_test),
        registered_at=registered,
        updated_at=updated,
        content=bytes(content),
    )


_HISTORY = """
WITH RECURSIVE chain(change_id) AS (
  SELECT change_id FROM record WHERE identifier = $1
  UNION ALL
  SELECT c.previous_id FROM change c JOIN chain USING (change_id) WHERE c.previous_id IS NOT NULL
)
SELECT c.revision, c.action, c.content, l.leaf_index
FROM chain JOIN change c USING (change_id) LEFT JOIN leaf l USING (change_id)
ORDER BY c.revision
"""


async def history(scope: ReadScope, identifier: str) -> list[HistoryRow]:
    """Return every revision of a record, oldest first; empty when there is no record."""
    rows = await scope.rows(_HISTORY, (identifier,))
    return [HistoryRow(row[0], row[1], bytes(row[2]), row[3]) for row in rows]
