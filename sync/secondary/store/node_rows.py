"""Enterprise nodes that have ever opened a session, and their prefixes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from node.domain.merkle_tree import EMPTY_ROOT
from node.domain.prefix import PrefixState
from sync.secondary.verification import PrefixStanding


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node: its number here, name, the log it sends and the key pinned for it."""

    id: int
    name: str
    origin: str
    log_key: str
    size: int
    root: bytes
    heard_at_ms: int
    health: int


_COLUMNS = "id, name, origin, log_key, size, root, heard_at_ms, health"


def by_name(db: sqlite3.Connection, name: str) -> NodeRow | None:
    """Return the node of that name, None for one never met."""
    row = db.execute(f"SELECT {_COLUMNS} FROM node WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return NodeRow(*row) if row else None


def by_id(db: sqlite3.Connection, node: int) -> NodeRow:
    """Return a node that is known to exist."""
    row = db.execute(f"SELECT {_COLUMNS} FROM node WHERE id = ?", (node,)).fetchone()  # noqa: S608
    return NodeRow(*row)


def everyone(db: sqlite3.Connection) -> list[NodeRow]:
    """Return every node ever met, in the order of meeting."""
    return [
        NodeRow(*row)
        for row in db.execute(f"SELECT {_COLUMNS} FROM node ORDER BY id")  # noqa: S608
    ]


def origin_is_taken(db: sqlite3.Connection, origin: str) -> bool:
    """Say whether some node sends the log of that name."""
    return db.execute("SELECT 1 FROM node WHERE origin = ?", (origin,)).fetchone() is not None


def add(db: sqlite3.Connection, name: str, *, origin: str, log_key: str) -> None:
    """Note a node at its first session, with the key that is pinned for its log from now on."""
    db.execute(
        "INSERT INTO node (name, origin, log_key, root) VALUES (?, ?, ?, ?)",
        (name, origin, log_key, EMPTY_ROOT),
    )


def set_tree(db: sqlite3.Connection, node: int, *, size: int, root: bytes) -> None:
    """Write down how many leaves are held, and the root over them."""
    db.execute("UPDATE node SET size = ?, root = ? WHERE id = ?", (size, root, node))


def set_heard(db: sqlite3.Connection, node: int, *, at_ms: int, health: int) -> None:
    """Note a heartbeat."""
    db.execute("UPDATE node SET heard_at_ms = ?, health = ? WHERE id = ?", (at_ms, health, node))


def claim_prefixes(db: sqlite3.Connection, node: int, names: Collection[str]) -> None:
    """Give prefixes that nobody has to a node; those of others stay with them."""
    db.executemany(
        "INSERT INTO prefix (name, node, state) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        [(name, node, PrefixState.ACTIVE) for name in names],
    )


def prefixes(db: sqlite3.Connection, node: int) -> list[PrefixStanding]:
    """Return a node's prefixes by name."""
    rows = db.execute(
        "SELECT id, name, state, quota, live FROM prefix WHERE node = ? ORDER BY name", (node,)
    )
    return [
        PrefixStanding(number, name, PrefixState(state), quota, live)
        for number, name, state, quota, live in rows
    ]


def owner(db: sqlite3.Connection, prefix: str) -> int | None:
    """Return the node that has a prefix."""
    row = db.execute("SELECT node FROM prefix WHERE name = ?", (prefix,)).fetchone()
    return int(row[0]) if row else None


def set_prefix_state(db: sqlite3.Connection, prefix: str, state: PrefixState) -> None:
    """Put a prefix into a state."""
    db.execute("UPDATE prefix SET state = ? WHERE name = ?", (state, prefix))


def set_quota(db: sqlite3.Connection, prefix: str, quota: int) -> None:
    """Set how many live records a prefix may have; 0: no limit."""
    db.execute("UPDATE prefix SET quota = ? WHERE name = ?", (quota, prefix))


def set_live(db: sqlite3.Connection, standing: PrefixStanding) -> None:
    """Write down how many live records a prefix has."""
    db.execute("UPDATE prefix SET live = ? WHERE id = ?", (standing.live, standing.row))


def live_records(db: sqlite3.Connection, node: int) -> int:
    """Return how many live records a node has."""
    (live,) = db.execute(
        "SELECT coalesce(sum(live), 0) FROM prefix WHERE node = ?", (node,)
    ).fetchone()
    return int(live)
