"""What nodes report beside their log: templates, routes, profiles, day reports, events.

Each is a document of a kind with a name and a revision; the highest revision is in force, earlier
ones are kept. Invariant: a document with a revision never changes.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from node.errors import Conflict, WrongState


class Kind(StrEnum):
    """Kinds of documents."""

    TEMPLATE = "template"
    ROUTE = "route"
    PROFILE = "profile"
    DAY_REPORT = "day_report"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `body` is the message as it arrived, in deterministic encoding."""

    kind: Kind
    name: str
    revision: int
    body: bytes


class Stored(StrEnum):
    """What became of a document that was accepted."""

    NEW = "stored"
    SAME = "already_same"


def put(db: sqlite3.Connection, node: int, document: Document, *, at_ms: int) -> Stored:
    """Keep a document.

    Raises Conflict when this revision is known with other content, WrongState (`older_revision`)
    when a later one is known.
    """
    row = db.execute(
        "SELECT revision, body FROM document WHERE node = ? AND kind = ? AND name = ?"
        " AND revision >= ? ORDER BY revision LIMIT 1",
        (node, document.kind, document.name, document.revision),
    ).fetchone()
    if row is None:
        db.execute(
            "INSERT INTO document (node, kind, name, revision, body, at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (node, document.kind, document.name, document.revision, document.body, at_ms),
        )
        return Stored.NEW
    revision, body = row
    if revision > document.revision:
        raise WrongState(
            f"已有更新的版本 {revision}", f"Revision {revision} is known", code="older_revision"
        )
    if body != document.body:
        raise Conflict(
            f"版本 {revision} 已有不同的内容", f"Revision {revision} is known with other content"
        )
    return Stored.SAME


def newest(db: sqlite3.Connection, node: int, kind: Kind) -> list[Document]:
    """Return the documents of a kind that are in force, by name."""
    rows = db.execute(
        "SELECT kind, name, max(revision), body FROM document WHERE node = ? AND kind = ?"
        " GROUP BY name ORDER BY name",
        (node, kind),
    )
    return [Document(Kind(kind), name, revision, body) for kind, name, revision, body in rows]


def names(db: sqlite3.Connection, node: int, kind: Kind) -> frozenset[str]:
    """Return the names of all documents of a kind."""
    rows = db.execute(
        "SELECT DISTINCT name FROM document WHERE node = ? AND kind = ?", (node, kind)
    )
    return frozenset(row[0] for row in rows)
