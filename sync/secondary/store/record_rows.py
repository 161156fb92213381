"""The records, and the changes that were not applied to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.secondary.store.bulk import Row, insert_many, select_in
from sync.secondary.store.log_rows import key_of
from sync.secondary.verification import Held, Opening

_HELD = "SELECT id, identifier, tag, prefix, entry, revision, status FROM record WHERE"
_HEAD_BYTES = 8
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Unapplied:
    """A change that was seen and not applied. `code` "": it was not opened."""

    key: int
    tag: bytes
    revision: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A leaf, with its opening (salt and digest, 48 bytes) and state when it was applied."""

    leaf: bytes
    opening: bytes | None
    shared: bytes | None


@dataclass(frozen=True, slots=True)
class StoredState:
    """A record as it is held: the key of its entry and the state that entry brought."""

    key: int
    shared: bytes


def by_tags(db: sqlite3.Connection, tags: Sequence[bytes]) -> dict[bytes, Held]:
    """Return the records of some tags; others with the same first bytes may be among them."""
    heads = [tag[:_HEAD_BYTES] for tag in tags]
    return {row[2]: Held(*row) for row in select_in(db, f"{_HELD} substr(tag, 1, 8) IN", heads)}


def by_identifiers(db: sqlite3.Connection, identifiers: Sequence[str]) -> dict[str, Held]:
    """Return the records of some identifiers."""
    return {row[1]: Held(*row) for row in select_in(db, f"{_HELD} identifier IN", identifiers)}


def add(db: sqlite3.Connection, records: Sequence[Held]) -> None:
    """Add records; their `row` is not looked at."""
    columns = "record (identifier, tag, prefix, entry, revision, status)"
    insert_many(db, columns, [record[1:] for record in records])


def change(db: sqlite3.Connection, records: Sequence[Held]) -> None:
    """Give records, named by their `row`, another entry, revision and status."""
    db.executemany(
        "UPDATE record SET entry = ?, revision = ?, status = ? WHERE id = ?",
        [(held.key, held.revision, held.status, held.row) for held in records],
    )


def remove(db: sqlite3.Connection, rows: Sequence[int]) -> None:
    """Remove records."""
    db.executemany("DELETE FROM record WHERE id = ?", [(row,) for row in rows])


def set_opened(db: sqlite3.Connection, key: int, opening: Opening, *, previous: int | None) -> None:
    """Note that an entry whose leaf was held already is applied now."""
    db.execute(
        "UPDATE entry SET opening = ?, shared = ?, previous = coalesce(previous, ?) WHERE key = ?",
        (opening.salt + opening.withheld_digest, opening.shared, previous, key),
    )
    db.execute("DELETE FROM unapplied WHERE key = ?", (key,))


def entry_at(db: sqlite3.Connection, key: int) -> EntryRow | None:
    """Return the entry at a key, None when no such leaf is held."""
    row = db.execute("SELECT leaf, opening, shared FROM entry WHERE key = ?", (key,)).fetchone()
    return EntryRow(*row) if row else None


def add_unapplied(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Note changes that are not applied: (key, tag, revision, code, message)."""
    insert_many(db, "unapplied (key, tag, revision, code, message)", rows)


def set_refused(db: sqlite3.Connection, key: int, *, code: str, message: str) -> None:
    """Note why a change was refused this time."""
    db.execute("UPDATE unapplied SET code = ?, message = ? WHERE key = ?", (code, message, key))


def refused_between(db: sqlite3.Connection, first_key: int, end_key: int) -> list[Unapplied]:
    """Return what was refused among some leaves, in log order."""
    rows = db.execute(
        "SELECT key, tag, revision, code, message FROM unapplied"
        " WHERE key >= ? AND key < ? AND code <> '' ORDER BY key",
        (first_key, end_key),
    )
    return [Unapplied(*row) for row in rows]


def seen_revisions(db: sqlite3.Connection, tags: Sequence[bytes]) -> dict[bytes, int]:
    """Return the highest revision seen and not applied, of those tags that have one."""
    newest: dict[bytes, int] = {}
    for tag, revision in select_in(db, "SELECT tag, revision FROM unapplied WHERE tag IN", tags):
        newest[tag] = max(revision, newest.get(tag, 0))
    return newest


def find(db: sqlite3.Connection, node: int, identifier: str) -> StoredState | None:
    """Return a record of a node."""
    row = db.execute(
        "SELECT entry, shared FROM record JOIN entry ON entry.key = record.entry"
        " WHERE identifier = ? AND entry >= ? AND entry < ?",
        (identifier, key_of(node, 0), key_of(node + 1, 0)),
    ).fetchone()
    return StoredState(*row) if row else None


def walk(
    db: sqlite3.Connection, prefixes: Sequence[int], as_of_key: int
) -> Iterator[tuple[str, int, bytes]]:
    """Yield (identifier, key, shared state) of all records of prefixes before `as_of_key`.

    A record that changed later is yielded as it was then; one that did not exist yet is left out;
    one that has no entry, which is damage, is yielded with an empty state.
    """
    rows = db.execute(
        "SELECT identifier, entry, coalesce(shared, x''), previous"  # noqa: S608
        " FROM record LEFT JOIN entry ON key = entry"
        f" WHERE prefix IN ({','.join('?' * len(prefixes))})",
        list(prefixes),
    )
    while page := rows.fetchmany(_PAGE):
        for identifier, key, shared, previous in page:
            if key < as_of_key:
                yield identifier, key, shared
            elif (earlier := _earlier(db, previous, as_of_key)) is not None:
                yield identifier, earlier.key, earlier.shared


def _earlier(db: sqlite3.Connection, key: int | None, as_of_key: int) -> StoredState | None:
    """Return the state of a record before a key, following it back from a later entry."""
    while key is not None:
        shared, previous = db.execute(
            "SELECT shared, previous FROM entry WHERE key = ?", (key,)
        ).fetchone()
        if key < as_of_key:
            return StoredState(key, shared)
        key = previous
    return None


def everyone(db: sqlite3.Connection, node: int) -> Iterator[Held]:
    """Yield every record of a node's prefixes."""
    rows = db.execute(
        "SELECT r.id, identifier, tag, prefix, entry, revision, status"
        " FROM record r JOIN prefix p ON p.id = prefix WHERE node = ?",
        (node,),
    )
    while page := rows.fetchmany(_PAGE):
        yield from (Held(*row) for row in page)


def unapplied_keys(db: sqlite3.Connection, node: int) -> set[int]:
    """Return the keys of all leaves noted as not applied."""
    rows = db.execute(
        "SELECT key FROM unapplied WHERE key >= ? AND key < ?",
        (key_of(node, 0), key_of(node + 1, 0)),
    )
    return {row[0] for row in rows}


def unapplied_leaves(
    db: sqlite3.Connection, first_key: int, end_key: int
) -> Iterator[list[tuple[int, bytes]]]:
    """Yield (key, leaf) of the leaves noted as not applied, in log order, by the page."""
    rows = db.execute(
        "SELECT key, leaf FROM unapplied JOIN entry USING (key)"
        " WHERE key >= ? AND key < ? ORDER BY key",
        (first_key, end_key),
    )
    while page := rows.fetchmany(_PAGE):
        yield page
