"""The copy of each node's log: leaves, tiles, receipts, cosignatures, evidence.

Invariants: leaves are contiguous from 0; `node.size` and `node.root` are those of the tiles; there
is one cosignature for each size, and none of a size that is not held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from node.domain.tiles import Tile, TileReader
from sync.secondary.store.bulk import Row, insert_many
from sync.secondary.store.schema import INDEX_BITS, MAX_INDEX

_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """When the leaves below `size` were made durable, and the root over them."""

    size: int
    root: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that was cosigned: `note` as the log signed it, `line` our signature."""

    size: int
    root: bytes
    at_ms: int
    note: bytes
    line: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two statements of one log that do not fit: `note` was refused, `held` cosigned before."""

    node: int
    at_ms: int
    reason: str
    note: bytes
    held: bytes
    proof: bytes


def key_of(node: int, index: int) -> int:
    """Return the key of a leaf."""
    return node << INDEX_BITS | index


def index_of(key: int) -> int:
    """Return the leaf index that a key names."""
    return key & MAX_INDEX


def add_entries(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Append leaves: (key, leaf, opening, shared, previous key)."""
    insert_many(db, "entry (key, leaf, opening, shared, previous)", rows)


def leaves(db: sqlite3.Connection, first_key: int, count: int) -> list[bytes]:
    """Return up to `count` leaves from a key on."""
    rows = db.execute(
        "SELECT leaf FROM entry WHERE key >= ? AND key < ? ORDER BY key",
        (first_key, first_key + count),
    )
    return [row[0] for row in rows]


def put_tiles(db: sqlite3.Connection, node: int, tiles: Sequence[Tile]) -> None:
    """Write tiles, those that were there with their new content."""
    db.executemany(
        "INSERT INTO tile (node, level, number, hashes) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (node, level, number) DO UPDATE SET hashes = excluded.hashes",
        [(node, tile.level, tile.number, tile.hashes) for tile in tiles],
    )


def tile_reader(db: sqlite3.Connection, node: int) -> TileReader:
    """Return a reader of a node's tiles; a tile that is not there is empty."""

    def read(level: int, number: int) -> bytes:
        row = db.execute(
            "SELECT hashes FROM tile WHERE node = ? AND level = ? AND number = ?",
            (node, level, number),
        ).fetchone()
        return row[0] if row else b""

    return read


def add_receipt(db: sqlite3.Connection, node: int, receipt: ReceiptRow) -> None:
    """Note when leaves became durable; nothing happens when that was noted before."""
    db.execute(
        "INSERT INTO receipt (node, size, root, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (node, receipt.size, receipt.root, receipt.at_ms),
    )


def receipt_for(db: sqlite3.Connection, node: int, size: int) -> ReceiptRow | None:
    """Return the first receipt that covers `size` leaves."""
    row = db.execute(
        "SELECT size, root, at_ms FROM receipt WHERE node = ? AND size >= ? ORDER BY size LIMIT 1",
        (node, size),
    ).fetchone()
    return ReceiptRow(*row) if row else None


def cosigned(db: sqlite3.Connection, node: int) -> Cosigned | None:
    """Return the largest checkpoint that was cosigned."""
    row = db.execute(
        "SELECT size, root, at_ms, note, line FROM cosignature WHERE node = ?"
        " ORDER BY size DESC LIMIT 1",
        (node,),
    ).fetchone()
    return Cosigned(*row) if row else None


def put_cosigned(db: sqlite3.Connection, node: int, new: Cosigned) -> None:
    """Write down what is cosigned; the same size again replaces its time and signature."""
    db.execute(
        "INSERT INTO cosignature (node, size, root, at_ms, note, line) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (node, size) DO UPDATE SET at_ms = excluded.at_ms, note = excluded.note,"
        " line = excluded.line",
        (node, new.size, new.root, new.at_ms, new.note, new.line),
    )


def add_evidence(db: sqlite3.Connection, found: Evidence, *, limit: int) -> None:
    """Keep two notes that contradict each other, once, and no more than `limit` of a node."""
    db.execute(
        "INSERT INTO evidence (node, at_ms, reason, note, held, proof)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6"
        " WHERE (SELECT count(*) FROM evidence WHERE node = ?1) < ?7 ON CONFLICT DO NOTHING",
        (found.node, found.at_ms, found.reason, found.note, found.held, found.proof, limit),
    )


def evidence(db: sqlite3.Connection, node: int) -> list[Evidence]:
    """Return what speaks against a node's log, oldest first."""
    rows = db.execute(
        "SELECT node, at_ms, reason, note, held, proof FROM evidence WHERE node = ? ORDER BY id",
        (node,),
    )
    return [Evidence(*row) for row in rows]


def walk(db: sqlite3.Connection, node: int) -> Iterator[tuple[int, bytes, bytes | None, bytes]]:
    """Yield (key, leaf, opening or None when not applied, shared state) in log order."""
    rows = db.execute(
        "SELECT key, leaf, opening, coalesce(shared, x'') FROM entry"
        " WHERE key >= ? AND key < ? ORDER BY key",
        (key_of(node, 0), key_of(node + 1, 0)),
    )
    while page := rows.fetchmany(_PAGE):
        yield from page
