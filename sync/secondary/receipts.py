"""The receipt: what the secondary node states of the first leaves of a node's log.

It is made of what the file holds and nothing else, by a reading thread, from one moment. A change
that was not applied is listed unless a later change of its identifier was applied; reservations,
which nodes keep to themselves, and leaves of kinds that are not applied are never listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.domain.log_entry import LogEntry
from node.domain.merkle_tree import EMPTY_ROOT, CompactRange
from node.domain.receipt import Receipt, ranges_of, sign_receipt
from node.domain.record import Action
from node.domain.signed_note import Cosigner
from node.domain.tiles import node_reader
from node.errors import InvalidInput, NotFound
from sync.secondary.store import log_rows, node_rows, record_rows
from sync.secondary.store.connection import Connection, snapshot
from sync.secondary.store.log_rows import index_of, key_of
from sync.secondary.verification import read_leaf


def issue(db: Connection, node: int, size: int, *, cosigner: Cosigner, at_ms: int) -> bytes:
    """Return the signed receipt about the first `size` leaves of a node's log.

    Raises NotFound when fewer are held, LimitExceeded when what is not applied is too scattered.
    """
    with snapshot(db):
        row = node_rows.by_id(db, node)
        if size > row.size:
            raise NotFound(
                f"仅收到 {row.size} 个叶,不足 {size} 个",
                f"{row.size} leaves are held, not {size}",
                code="ahead",
            )
        listed = ranges_of(_unapplied(db, node, size))
        receipt = Receipt(row.origin, size, _root(db, node, size), at_ms, listed)
    return sign_receipt(receipt, cosigner)


def _root(db: Connection, node: int, size: int) -> bytes:
    if size == 0:
        return EMPTY_ROOT
    return CompactRange.load(size, node_reader(size, log_rows.tile_reader(db, node))).root()


def _unapplied(db: Connection, node: int, size: int) -> Iterator[int]:
    """Yield the indexes of the changes below `size` that are to be listed, ascending."""
    for rows in record_rows.unapplied_leaves(db, key_of(node, 0), key_of(node, size)):
        yield from _listed(db, rows)


def _listed(db: Connection, rows: Sequence[tuple[int, bytes]]) -> Iterator[int]:
    logged = {key: _read(leaf) for key, leaf in rows}
    held = record_rows.by_tags(db, [entry.id_tag for entry in logged.values() if entry])
    for key, entry in logged.items():
        if entry is None:
            yield index_of(key)
        elif entry.kind != Action.RESERVE:
            record = held.get(entry.id_tag)
            if record is None or record.key < key:
                yield index_of(key)


def _read(leaf: bytes) -> LogEntry | None:
    try:
        return read_leaf(leaf)
    except InvalidInput:
        # Nobody can say what it stands for, so no later change can stand for it either.
        return None
