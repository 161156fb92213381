"""Orders to nodes, and what the nodes answered."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from node.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class DirectiveRow:
    """An order: `number` grows with each; `body` and `answer` are messages of the contract.

    `answered_at_ms` 0 and `answer` None: it waits.
    """

    number: int
    id: str
    node: int
    body: bytes
    answered_at_ms: int
    answer: bytes | None


_COLUMNS = "number, id, node, body, answered_at_ms, answer"


def issue(db: sqlite3.Connection, node: int, *, directive_id: str, body: bytes) -> None:
    """Keep an order that its node is to be told."""
    db.execute(
        "INSERT INTO directive (id, node, body) VALUES (?, ?, ?)", (directive_id, node, body)
    )


def waiting(
    db: sqlite3.Connection, node: int, *, after_number: int, limit: int
) -> list[DirectiveRow]:
    """Return the orders after a number that a node has not answered, oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM directive"  # noqa: S608
        " WHERE node = ? AND number > ? AND answered_at_ms = 0 ORDER BY number LIMIT ?",
        (node, after_number, limit),
    )
    return [DirectiveRow(*row) for row in rows]


def count_waiting(db: sqlite3.Connection, node: int) -> int:
    """Return how many orders a node has not answered."""
    (number,) = db.execute(
        "SELECT count(*) FROM directive WHERE node = ? AND answered_at_ms = 0", (node,)
    ).fetchone()
    return int(number)


def number_of(db: sqlite3.Connection, node: int, directive_id: str) -> int:
    """Return the number of an order, 0 for one that is not known."""
    row = db.execute(
        "SELECT number FROM directive WHERE node = ? AND id = ?", (node, directive_id)
    ).fetchone()
    return int(row[0]) if row else 0


def everyone(db: sqlite3.Connection) -> list[DirectiveRow]:
    """Return all orders, oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM directive ORDER BY number")  # noqa: S608
    return [DirectiveRow(*row) for row in rows]


def answer(
    db: sqlite3.Connection, node: int, directive_id: str, *, body: bytes, at_ms: int
) -> None:
    """Keep a node's answer to an order; the same answer again changes nothing.

    Raises NotFound for an order that is not this node's, Conflict for another answer than before.
    """
    row = db.execute(
        "SELECT answer FROM directive WHERE node = ? AND id = ?", (node, directive_id)
    ).fetchone()
    if row is None:
        raise NotFound("没有此指令", "No such directive")
    if row[0] is None:
        db.execute(
            "UPDATE directive SET answer = ?, answered_at_ms = ? WHERE id = ?",
            (body, at_ms, directive_id),
        )
    elif row[0] != body:
        raise Conflict("该指令已有不同的答复", "The directive was answered otherwise before")
