"""Going back to an earlier state of one log, as a restored backup would.

Only the fault script does this: what is given up here was acknowledged.
"""

from __future__ import annotations

import sqlite3

from node.domain.log_entry import decode
from node.domain.merkle_tree import EMPTY_ROOT, HASH_BYTES
from node.domain.tiles import MAX_LEVEL, TILE_HEIGHT, TILE_WIDTH, GrowingTree
from sync.secondary.store import log_rows, node_rows
from sync.secondary.store.log_rows import key_of
from sync.secondary.verification import LIVE, SharedState, read_state


def rewind(db: sqlite3.Connection, node: int, size: int) -> None:
    """Forget everything of a node's log from leaf `size` on. Called inside a transaction."""
    first, end = key_of(node, size), key_of(node + 1, 0)
    _take_records_back(db, first, end)
    for statement in (
        "DELETE FROM entry WHERE key >= ?1 AND key < ?2",
        "DELETE FROM unapplied WHERE key >= ?1 AND key < ?2",
    ):
        db.execute(statement, (first, end))
    for statement in (
        "DELETE FROM receipt WHERE node = ? AND size > ?",
        "DELETE FROM cosignature WHERE node = ? AND size > ?",
    ):
        db.execute(statement, (node, size))
    _cut_tiles(db, node, size)
    tree = GrowingTree.load(size, log_rows.tile_reader(db, node))
    node_rows.set_tree(db, node, size=size, root=tree.root() if size else EMPTY_ROOT)
    db.execute(
        "UPDATE prefix SET live = (SELECT count(*) FROM record WHERE record.prefix = prefix.id"  # noqa: S608
        f" AND record.status IN ({','.join('?' * len(LIVE))})) WHERE node = ?",
        (*sorted(LIVE), node),
    )


def _take_records_back(db: sqlite3.Connection, first: int, end: int) -> None:
    """Give every record that changed at or after `first` the entry it had before, if any."""
    changed = "SELECT id, previous FROM record JOIN entry ON key = record.entry"
    while rows := db.execute(f"{changed} WHERE key >= ? AND key < ?", (first, end)).fetchall():
        for row, previous in rows:
            if previous is None:
                db.execute("DELETE FROM record WHERE id = ?", (row,))
            else:
                _apply_again(db, row, previous)


def _apply_again(db: sqlite3.Connection, row: int, key: int) -> None:
    leaf, shared = db.execute("SELECT leaf, shared FROM entry WHERE key = ?", (key,)).fetchone()
    state: SharedState = read_state(shared)
    db.execute(
        "UPDATE record SET entry = ?, revision = ?, status = ? WHERE id = ?",
        (key, decode(leaf).revision, state.status, row),
    )


def _cut_tiles(db: sqlite3.Connection, node: int, size: int) -> None:
    for level in range(MAX_LEVEL + 1):
        number, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        db.execute(
            "DELETE FROM tile WHERE node = ? AND level = ? AND number >= ?",
            (node, level, number + (width > 0)),
        )
        db.execute(
            "UPDATE tile SET hashes = substr(hashes, 1, ?)"
            " WHERE node = ? AND level = ? AND number = ?",
            (width * HASH_BYTES, node, level, number),
        )
