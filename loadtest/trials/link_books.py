"""What both ends of the link have in their books, read past the product, and where they differ.

The node's side comes out of its register (SQLite file or psql), the peer's out of the reference
secondary node's file. Invariant: read only.

A change takes effect once at the peer: every leaf of the log is held under its own number and no
other, every record shows the change that the register shows, and along the entries applied for one
record the revision grows by one with each, from the first to the one shown.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from loadtest.trials.stores import Stores, rows_of

_LEAF_INDEX = (1 << 40) - 1
_LEAVES = "SELECT l.leaf_index, {leaf} FROM leaf l JOIN change c USING (change_id)"
_RECORDS = """
SELECT r.identifier, l.leaf_index, r.revision, r.status
FROM record r JOIN leaf l USING (change_id) WHERE r.status <> 'reserved'
"""
_HELD_RECORDS = "SELECT identifier, entry, revision, status FROM record"
_HELD_LEAVES = "SELECT key, leaf, previous FROM entry"
_BACKWARDS = """
SELECT count(*) FROM (SELECT at_ms, lag(at_ms) OVER (ORDER BY node, size) AS before FROM receipt)
WHERE at_ms < before
"""
_COUNTED_LIVE = """
SELECT (SELECT coalesce(sum(live), 0) FROM prefix),
       (SELECT count(*) FROM record WHERE status IN ('active', 'suspended'))
"""

Record = tuple[int, int, str]
"""Leaf index, revision and status."""


@dataclass(frozen=True, slots=True)
class Books:
    """The books of one end: the SHA-256 of each leaf by its index, and the records."""

    leaves: Mapping[int, str]
    records: Mapping[str, Record]


@dataclass(frozen=True, slots=True)
class PeerBooks(Books):
    """Those of the peer, with what is wrong with them by themselves, by place."""

    faults: Mapping[str, object]


def node_books(data: Path, stores: Stores) -> Books:
    """Read the register of a node; `data` is its data directory."""
    digest = "encode(sha256(c.leaf), 'hex')" if stores.database else "hex(c.leaf)"
    leaves = {
        int(index): text if stores.database else sha256(bytes.fromhex(text)).hexdigest()
        for index, text in rows_of(data, stores, _LEAVES.format(leaf=digest))
    }
    records = {
        name: (int(index), int(revision), status)
        for name, index, revision, status in rows_of(data, stores, _RECORDS)
    }
    return Books(leaves, records)


def peer_books(path: Path) -> PeerBooks:
    """Read the file of a secondary node that holds the log of one node."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        leaves, applied = dict[int, str](), dict[int, tuple[int, int | None]]()
        for key, leaf, previous in db.execute(_HELD_LEAVES):
            leaves[key & _LEAF_INDEX] = sha256(leaf).hexdigest()
            applied[key] = (json.loads(leaf).get("rev", 0), previous)
        faults, records = dict[str, object](), dict[str, Record]()
        for name, key, revision, status in db.execute(_HELD_RECORDS):
            records[name] = (key & _LEAF_INDEX, revision, status)
            if (chain := _chain(applied, key)) != list(range(revision, 0, -1)):
                faults[name] = f"revisions {chain} were applied for revision {revision}"
        if (backwards := db.execute(_BACKWARDS).fetchone()[0]) != 0:
            faults["receipts"] = f"{backwards} older ones for more leaves"
        counted, live = db.execute(_COUNTED_LIVE).fetchone()
        if counted != live:
            faults["live records"] = f"{counted} counted, {live} there"
    return PeerBooks(leaves, records, faults)


def peer_size(path: Path) -> int:
    """Give how many leaves a secondary node says it holds, 0 while it holds no log."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT coalesce(max(size), 0) FROM node").fetchone()[0])


def differences(node: Books, peer: PeerBooks) -> dict[str, object]:
    """Give what differs, by leaf index or identifier, and the faults of the peer alone."""
    found = dict(peer.faults)
    for index in node.leaves.keys() | peer.leaves.keys():
        if node.leaves.get(index) != peer.leaves.get(index):
            found[f"leaf {index}"] = (
                f"{peer.leaves.get(index)}, in the log {node.leaves.get(index)}"
            )
    for name in node.records.keys() | peer.records.keys():
        here, there = node.records.get(name), peer.records.get(name)
        if here != there:
            found[name] = f"{there}, in the register: {here}"
    return found


def _chain(applied: Mapping[int, tuple[int, int | None]], key: int) -> list[int]:
    """Give the revisions applied for a record, the newest first."""
    revisions: list[int] = []
    place: int | None = key
    while place is not None and place in applied:
        revision, previous = applied[place]
        revisions.append(revision)
        place = previous if previous is None or previous < place else None
    return revisions
