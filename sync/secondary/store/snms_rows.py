"""Records, templates and routes that came over the SNMS interface, which brings no leaves.

They stand beside the records of the log and never mix with them: nothing here can be audited.
`writes` counts how often a record was written, so that a doubled effect shows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sync.secondary.store.bulk import select_in


@dataclass(frozen=True, slots=True)
class SnmsRecord:
    """A record: the values are the JSON in which they came."""

    handle: str
    prefix: str
    template: str
    value: bytes


def by_handles(db: sqlite3.Connection, handles: Sequence[str]) -> dict[str, SnmsRecord]:
    """Return those of some records that exist."""
    select = "SELECT handle, prefix, template, value FROM snms_record WHERE handle IN"
    return {row[0]: SnmsRecord(*row) for row in select_in(db, select, handles)} if handles else {}


def put(db: sqlite3.Connection, record: SnmsRecord, *, at_ms: int) -> None:
    """Create or replace a record."""
    db.execute(
        "INSERT INTO snms_record (handle, prefix, template, value, writes, at_ms)"
        " VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT (handle) DO UPDATE SET"
        " template = excluded.template, value = excluded.value, writes = writes + 1,"
        " at_ms = excluded.at_ms",
        (record.handle, record.prefix, record.template, record.value, at_ms),
    )


def delete(db: sqlite3.Connection, handle: str) -> None:
    """Delete a record."""
    db.execute("DELETE FROM snms_record WHERE handle = ?", (handle,))


def count(db: sqlite3.Connection, prefix: str) -> int:
    """Return how many records stand below a prefix."""
    row = db.execute("SELECT count(*) FROM snms_record WHERE prefix = ?", (prefix,)).fetchone()
    return int(row[0])


def everything(db: sqlite3.Connection) -> dict[str, tuple[SnmsRecord, int]]:
    """Return every record with the number of times it was written, by handle."""
    rows = db.execute("SELECT handle, prefix, template, value, writes FROM snms_record")
    return {row[0]: (SnmsRecord(*row[:4]), row[4]) for row in rows}


def template(db: sqlite3.Connection, prefix: str, version: str) -> bytes | None:
    """Return a template as it is shown, None when there is none."""
    row = db.execute(
        "SELECT body FROM snms_template WHERE prefix = ? AND version = ?", (prefix, version)
    ).fetchone()
    return row[0] if row else None


def put_template(
    db: sqlite3.Connection, prefix: str, version: str, body: bytes, *, at_ms: int
) -> None:
    """Create or replace a template."""
    db.execute(
        "INSERT INTO snms_template (prefix, version, body, at_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (prefix, version) DO UPDATE SET body = excluded.body, at_ms = excluded.at_ms",
        (prefix, version, body, at_ms),
    )


def put_route(db: sqlite3.Connection, prefix: str, body: bytes, *, at_ms: int) -> None:
    """Note where a prefix is resolved; the last word counts."""
    db.execute(
        "INSERT INTO snms_route (prefix, body, at_ms) VALUES (?, ?, ?)"
        " ON CONFLICT (prefix) DO UPDATE SET body = excluded.body, at_ms = excluded.at_ms",
        (prefix, body, at_ms),
    )


def routes(db: sqlite3.Connection) -> dict[str, bytes]:
    """Return the routes by prefix."""
    return dict(db.execute("SELECT prefix, body FROM snms_route").fetchall())
