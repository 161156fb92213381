"""What the audit reads: everything, in pages, in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.storage.engine import ReadScope


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A leaf with the change behind it; the change's columns are None when its row is gone.

    `leaf_index` is -1 for a change that still waits; `previous` is the content of the revision that
    `previous_id` names, None when there is none.
    """

    leaf_index: int
    change_id: int
    leaf_action: str
    follows: bool
    identifier: str | None
    revision: int | None
    action: str | None
    previous_id: int | None
    content: bytes | None
    salt: bytes | None
    leaf: bytes | None
    previous: bytes | None


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A row of the projection with the content of the change it points to (None: it is gone)."""

    identifier: str
    object_class: str
    template: str
    status: str
    revision: int
    change_id: int
    is_test: bool
    registered_at: str
    updated_at: str
    content: bytes | None


async def logged_changes(scope: ReadScope, first: int, limit: int) -> list[LoggedChange]:
    """Return leaves from index `first` on, with their changes."""
    rows = await scope.rows(
        "SELECT l.leaf_index, l.change_id, l.action, l.follows, c.identifier, c.revision, c.action,"
        " c.previous_id, c.content, c.salt, c.leaf, b.content"
        " FROM leaf l LEFT JOIN change c USING (change_id)"
        " LEFT JOIN change b ON b.change_id = c.previous_id"
        " WHERE l.leaf_index >= $1 ORDER BY l.leaf_index LIMIT $2",
        (first, limit),
    )
    return [_logged(row) for row in rows]


async def waiting_changes(scope: ReadScope, after: int, limit: int) -> list[LoggedChange]:
    """Return changes that wait for the log, with change ids above `after`."""
    rows = await scope.rows(
        "SELECT -1, p.change_id, c.action, p.follows, c.identifier, c.revision, c.action,"
        " c.previous_id, c.content, c.salt, c.leaf, b.content"
        " FROM pending p LEFT JOIN change c USING (change_id)"
        " LEFT JOIN change b ON b.change_id = c.previous_id"
        " WHERE p.change_id > $1 ORDER BY p.change_id LIMIT $2",
        (after, limit),
    )
    return [_logged(row) for row in rows]


def _logged(row: Sequence[Any]) -> LoggedChange:
    return LoggedChange(*row[:8], *(None if value is None else bytes(value) for value in row[8:]))


async def records(scope: ReadScope, after: str, limit: int) -> list[RecordRow]:
    """Return records in key order after `after`."""
    rows = await scope.rows(
        "SELECT r.identifier, r.object_class, r.template, r.status, r.revision, r.change_id,"
        " r.is_test, r.registered_at, r.updated_at, c.content"
        " FROM record r LEFT JOIN change c USING (change_id)"
        " WHERE r.identifier > $1 ORDER BY r.identifier LIMIT $2",
        (after, limit),
    )
    return [_record(row) for row in rows]


def _record(row: Sequence[Any]) -> RecordRow:
    name, object_class, template, status, revision, change_id, is_test, since, updated, data = row
    return RecordRow(
        identifier=name,
        object_class=object_class,
        template=template,
        status=status,
        revision=revision,
        change_id=change_id,
        is_test=bool(is_test),
        registered_at=since,
        updated_at=updated,
        content=None if data is None else bytes(data),
    )


async def unlogged(scope: ReadScope, limit: int) -> list[tuple[int, str]]:
    """Return (change id, identifier) of changes that are neither in the log nor waiting for it."""
    rows = await scope.rows(
        "SELECT c.change_id, c.identifier FROM change c"
        " WHERE NOT EXISTS (SELECT 1 FROM leaf l WHERE l.change_id = c.change_id)"
        " AND NOT EXISTS (SELECT 1 FROM pending p WHERE p.change_id = c.change_id)"
        " ORDER BY c.change_id LIMIT $1",
        (limit,),
    )
    return [(row[0], row[1]) for row in rows]


async def unprojected(scope: ReadScope, limit: int) -> list[tuple[int, str]]:
    """Return (change id, identifier) of changes that no record shows, nor a later state of it."""
    rows = await scope.rows(
        "SELECT c.change_id, c.identifier FROM change c WHERE NOT EXISTS (SELECT 1 FROM record r"
        " WHERE r.identifier = c.identifier AND r.revision >= c.revision)"
        " AND substr(c.identifier, 1, 1) <> '~'"  # statements stand for no record
        " ORDER BY c.change_id LIMIT $1",
        (limit,),
    )
    return [(row[0], row[1]) for row in rows]


async def logged_and_waiting(scope: ReadScope, limit: int) -> list[int]:
    """Return the ids of changes that are in the log and yet wait for it."""
    rows = await scope.rows(
        "SELECT change_id FROM pending JOIN leaf USING (change_id) ORDER BY change_id LIMIT $1",
        (limit,),
    )
    return [row[0] for row in rows]


async def totals(scope: ReadScope) -> tuple[int, int, int]:
    """Return how many records, changes and leaves there are."""
    row = (
        await scope.rows(
            "SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM change),"
            " (SELECT count(*) FROM leaf)"
        )
    )[0]
    return row[0], row[1], row[2]


async def tree_totals(scope: ReadScope) -> tuple[int, int, int]:
    """Return how many leaves, hash tiles and entry bundles are stored."""
    row = (
        await scope.rows(
            "SELECT (SELECT count(*) FROM leaf), (SELECT count(*) FROM tile),"
            " (SELECT count(*) FROM entry_bundle)"
        )
    )[0]
    return row[0], row[1], row[2]


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A row of `tally_statement` with its change (None: it is gone) and its place in the log."""

    kind: str
    subject: str
    change_id: int
    begins: str
    ends: str
    leaf: bytes | None
    leaf_index: int | None


async def statement_rows(scope: ReadScope, after: int, limit: int) -> list[StatementRow]:
    """Return rows of statements with change ids above `after`, in their order."""
    rows = await scope.rows(
        "SELECT s.kind, s.subject, s.change_id, s.begins, s.ends, c.leaf, l.leaf_index"
        " FROM tally_statement s LEFT JOIN change c USING (change_id)"
        " LEFT JOIN leaf l USING (change_id) WHERE s.change_id > $1 ORDER BY s.change_id LIMIT $2",
        (after, limit),
    )
    return [_statement(row) for row in rows]


def _statement(row: Sequence[Any]) -> StatementRow:
    kind, subject, change_id, begins, ends, leaf, index = row
    found = None if leaf is None else bytes(leaf)
    return StatementRow(kind, subject, change_id, begins, ends, found, index)


async def unstated(scope: ReadScope, limit: int) -> list[tuple[int, str]]:
    """Return (change id, identifier) of statements that their table does not name."""
    rows = await scope.rows(
        "SELECT c.change_id, c.identifier FROM change c WHERE substr(c.identifier, 1, 1) = '~'"
        " AND NOT EXISTS (SELECT 1 FROM tally_statement s WHERE s.change_id = c.change_id)"
        " ORDER BY c.change_id LIMIT $1",
        (limit,),
    )
    return [(row[0], row[1]) for row in rows]


async def selectors(scope: ReadScope) -> list[tuple[str, bytes]]:
    """Return what every campaign selects: (campaign, canonical JSON)."""
    rows = await scope.rows("SELECT campaign, selector FROM tally_selector ORDER BY campaign")
    return [(row[0], bytes(row[1])) for row in rows]


async def client_periods(scope: ReadScope) -> list[str]:
    """Return the beginnings of the statements that a history of clients is kept of."""
    rows = await scope.rows("SELECT DISTINCT begins FROM tally_client ORDER BY begins")
    return [row[0] for row in rows]
