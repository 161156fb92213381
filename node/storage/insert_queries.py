"""Insert new records.

A new record is three rows: its projection (`record`), its first change (`change`) and the claim on
a place in the log (`pending`). PostgreSQL takes a few of them in one statement, and of many the
changes, which hold nearly all the bytes, by COPY; SQLite, whose single writer holds the lock
already, takes a batch in four statements.

Invariant: all functions are called with changes sorted by identifier, so that two batches never
wait for each other in a ring.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from node.storage.engine import Database, ReadScope, WriteScope
from node.storage.record_queries import append_sqlite
from node.storage.stored_values import NewChange

_INSERT_NEW = """
WITH input AS (
  SELECT nextval('change_change_id_seq') AS change_id, i.*
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::text[],
              $7::text[], $8::bytea[], $9::bytea[], $10::bytea[])
    AS i(identifier, object_class, template, status, is_test, at, action, content, salt, leaf)
), created AS (
  INSERT INTO record (identifier, object_class, template, status, revision, change_id, is_test,
                      registered_at, updated_at)
  SELECT identifier, object_class, template, status, 1, change_id, is_test, at, at FROM input
  ON CONFLICT (identifier) DO NOTHING
  RETURNING identifier, change_id
), stored AS (
  INSERT INTO change (change_id, identifier, revision, action, content, salt, leaf)
  SELECT change_id, input.identifier, 1, action, content, salt, leaf
  FROM input JOIN created USING (change_id)
), queued AS (
  INSERT INTO pending (change_id, follows) SELECT change_id, false FROM created
)
SELECT identifier FROM created
"""

# The same for what needs nothing besides: a record for which another one waits is left out.
_INSERT_NEW_ALONE = _INSERT_NEW.replace(
    "content, salt, leaf)\n)",
    "content, salt, leaf)\n"
    "  WHERE NOT EXISTS (SELECT 1 FROM open_edge e WHERE e.parent = i.identifier)\n)",
)

# Where each row's `kind` says which of the given classes, templates … are its own: the rows of a
# batch differ in their identifiers alone.
_CLAIM_NEW = """
WITH created AS (
  INSERT INTO record (identifier, object_class, template, status, revision, change_id, is_test,
                      registered_at, updated_at)
  SELECT i.identifier, ($3::text[])[i.kind], ($4::text[])[i.kind], ($5::text[])[i.kind], 1,
         nextval('change_change_id_seq'), ($6::bool[])[i.kind], ($7::text[])[i.kind],
         ($7::text[])[i.kind]
  FROM unnest($1::text[], $2::int[]) AS i(identifier, kind)
  ON CONFLICT (identifier) DO NOTHING
  RETURNING identifier, change_id
), queued AS (
  INSERT INTO pending (change_id, follows) SELECT change_id, false FROM created
)
SELECT identifier, change_id FROM created
"""
_COPIED = ("change_id", "identifier", "revision", "action", "content", "salt", "leaf")
MANY = 100  # rows from which two statements and a COPY are quicker than one statement


async def insert_new(scope: WriteScope, changes: Sequence[NewChange]) -> set[str]:
    """Insert first revisions; return the identifiers created. Others existed and are untouched."""
    if scope.is_postgresql:
        insert = _insert_few if len(changes) < MANY else _insert_many
        return await insert(scope, changes)
    existing = await _existing_sqlite(scope, [c.identifier for c in changes])
    fresh = [change for change in _first_of_each(changes) if change.identifier not in existing]
    await append_sqlite(scope, fresh, previous_ids=None)
    return {change.identifier for change in fresh}


async def insert_new_alone(database: Database, changes: Sequence[NewChange]) -> set[str]:
    """Insert first revisions in a transaction of its own; return the identifiers created.

    Left out are those that exist, and those that a record waits for as its source. For fewer than
    MANY changes, on PostgreSQL.
    """
    rows = await database.write_alone(_INSERT_NEW_ALONE, *_columns(changes))
    return {row[0] for row in rows}


def _first_of_each(changes: Sequence[NewChange]) -> Sequence[NewChange]:
    """Leave out further changes of the same identifier."""
    first: dict[str, NewChange] = {}
    for change in changes:
        first.setdefault(change.identifier, change)
    return changes if len(first) == len(changes) else list(first.values())


async def _insert_few(scope: WriteScope, changes: Sequence[NewChange]) -> set[str]:
    return {row[0] for row in await scope.rows(_INSERT_NEW, _columns(changes))}


def _columns(changes: Sequence[NewChange]) -> tuple[list[Any], ...]:
    return (
        [c.identifier for c in changes],
        [c.object_class for c in changes],
        [c.template for c in changes],
        [c.status for c in changes],
        [c.is_test for c in changes],
        [c.at for c in changes],
        [c.action for c in changes],
        [c.content for c in changes],
        [c.salt for c in changes],
        [c.leaf for c in changes],
    )


async def _insert_many(scope: WriteScope, changes: Sequence[NewChange]) -> set[str]:
    changes = _first_of_each(changes)
    shapes = [(c.object_class, c.template, c.status, c.is_test, c.at) for c in changes]
    kinds = {shape: kind for kind, shape in enumerate(dict.fromkeys(shapes), start=1)}
    names = [c.identifier for c in changes]
    of_kind = tuple(list(column) for column in zip(*kinds, strict=True))
    columns = (names, [kinds[shape] for shape in shapes], *of_kind)
    # Which of them are new is decided here, once and for all, so that the COPY meets no conflict.
    created: dict[str, int] = {row[0]: row[1] for row in await scope.rows(_CLAIM_NEW, columns)}
    rows = [
        (created[c.identifier], c.identifier, 1, c.action, c.content, c.salt, c.leaf)
        for c in changes
        if c.identifier in created
    ]
    if rows:
        await scope.copy("change", _COPIED, rows)
    return set(created)


async def _existing_sqlite(scope: ReadScope, identifiers: Sequence[str]) -> set[str]:
    rows = await scope.rows(
        "SELECT identifier FROM record WHERE identifier IN (SELECT value FROM json_each($1))",
        (json.dumps(identifiers),),
    )
    return {row[0] for row in rows}
