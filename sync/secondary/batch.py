"""Applies one batch of leaves to the records, inside a transaction of the writer.

Invariants: every leaf is held, whatever is said of its opening; an item is applied whole or not at
all; within a batch the items are judged in log order, each on what those before it left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from node.domain.log_entry import LogEntry
from node.errors import XibiaoError
from sync.secondary.item_refusal import Refusal, code_of, message_of
from sync.secondary.node_state import NodeState
from sync.secondary.store import log_rows, node_rows, record_rows
from sync.secondary.store.bulk import Row
from sync.secondary.store.connection import Connection
from sync.secondary.store.log_rows import key_of
from sync.secondary.verification import (
    Claim,
    Entry,
    Held,
    PrefixStanding,
    check_identity,
    check_next,
    check_quota,
    check_standing,
    open_leaf,
    read_leaf,
)

Veto = Callable[[str], None]
"""Called with the identifier of each item; may raise to have it refused (the fault script)."""


@dataclass(slots=True)
class _Reading:
    """What could be read of one entry; `fault`: why not more."""

    entry: Entry
    logged: LogEntry | None = None
    claim: Claim | None = None
    fault: XibiaoError | None = None


@dataclass(slots=True)
class _Known:
    """Records and revisions that the batch builds on, kept up to date while it goes on."""

    of_tag: dict[bytes, Held]
    of_identifier: dict[str, Held]
    unapplied: dict[bytes, int]

    def seen_revision(self, tag: bytes) -> int:
        held = self.of_tag.get(tag)
        return max(held.revision if held else 0, self.unapplied.get(tag, 0))

    def apply(self, held: Held) -> None:
        self.of_tag[held.tag] = self.of_identifier[held.identifier] = held


@dataclass(slots=True)
class _Rows:
    """What is going to be written."""

    entries: list[Row] = field(default_factory=list)
    unapplied: list[Row] = field(default_factory=list)
    records: dict[bytes, Held] = field(default_factory=dict)
    prefixes: dict[int, PrefixStanding] = field(default_factory=dict)


def append_entries(
    db: Connection, state: NodeState, entries: Sequence[Entry], veto: Veto
) -> list[Refusal]:
    """Hold the next leaves of a node's log and apply what they stand for; return the refusals."""
    readings = [_read(entry) for entry in entries]
    known = _look_up(db, readings)
    rows, refusals = _Rows(), list[Refusal]()
    first = state.tree.size
    for index, reading in enumerate(readings, first):
        refusal = _take(index, reading, state, known=known, rows=rows, veto=veto)
        if refusal is not None:
            refusals.append(refusal)
    _write(db, rows)
    tiles = state.tree.append([sha256(b"\x00" + entry.leaf).digest() for entry in entries])
    log_rows.put_tiles(db, state.id, tiles)
    node_rows.set_tree(db, state.id, size=state.tree.size, root=state.tree.root())
    return refusals


def _read(entry: Entry) -> _Reading:
    reading = _Reading(entry)
    try:
        reading.logged = read_leaf(entry.leaf)
        if entry.opening is not None:
            reading.claim = open_leaf(reading.logged, entry.opening)
    except XibiaoError as error:
        reading.fault = error
    return reading


def _look_up(db: Connection, readings: Sequence[_Reading]) -> _Known:
    tags = [reading.logged.id_tag for reading in readings if reading.logged]
    of_tag = record_rows.by_tags(db, tags)
    # Of a tag that is held the record tells the identifier; only the others may meet one.
    unmet = [
        r.claim.state.identifier
        for r in readings
        if r.claim and r.claim.logged.id_tag not in of_tag
    ]
    of_identifier = record_rows.by_identifiers(db, unmet)
    of_identifier.update((held.identifier, held) for held in of_tag.values())
    return _Known(of_tag, of_identifier, record_rows.seen_revisions(db, tags))


def _take(
    index: int, reading: _Reading, state: NodeState, *, known: _Known, rows: _Rows, veto: Veto
) -> Refusal | None:
    """Judge one item and note what is to be written of it."""
    key, leaf, claim = key_of(state.id, index), reading.entry.leaf, reading.claim
    try:
        if reading.fault is not None:
            raise reading.fault
        if claim is not None:
            veto(claim.state.identifier)
            _apply(key, leaf, claim, state, known=known, rows=rows)
            return None
    except XibiaoError as error:
        rows.entries.append((key, leaf, None, None, None))
        code, message = code_of(error), message_of(error)
        _note_unapplied(key, reading.logged, (code, message), known=known, rows=rows)
        return Refusal(index, code, message)
    rows.entries.append((key, leaf, None, None, None))
    if reading.logged is not None:
        _note_unapplied(key, reading.logged, ("", ""), known=known, rows=rows)
    return None


def _apply(
    key: int, leaf: bytes, claim: Claim, state: NodeState, *, known: _Known, rows: _Rows
) -> None:
    tag, content, opening = claim.logged.id_tag, claim.state, claim.opening
    held = known.of_tag.get(tag)
    prefix = check_standing(claim, state.standing)
    check_identity(claim, held, known.of_identifier.get(content.identifier))
    check_next(claim, held, known.seen_revision(tag))
    live = check_quota(claim, held, prefix)
    if live:
        prefix.live += live
        rows.prefixes[prefix.row] = prefix
    row, previous = (held.row, held.key) if held else (0, None)
    rows.entries.append(
        (key, leaf, opening.salt + opening.withheld_digest, opening.shared, previous)
    )
    new = Held(row, content.identifier, tag, prefix.row, key, content.revision, content.status)
    rows.records[tag] = new
    known.apply(new)


def _note_unapplied(
    key: int, logged: LogEntry | None, why: tuple[str, str], *, known: _Known, rows: _Rows
) -> None:
    """Remember that a change was seen; later ones of its identifier count on from it."""
    tag, revision = b"", 0
    if logged is not None and logged.revision == known.seen_revision(logged.id_tag) + 1:
        tag, revision = logged.id_tag, logged.revision
        known.unapplied[tag] = revision
    rows.unapplied.append((key, tag, revision, *why))


def _write(db: Connection, rows: _Rows) -> None:
    log_rows.add_entries(db, rows.entries)
    record_rows.add_unapplied(db, rows.unapplied)
    record_rows.add(db, [held for held in rows.records.values() if not held.row])
    record_rows.change(db, [held for held in rows.records.values() if held.row])
    for prefix in rows.prefixes.values():
        node_rows.set_live(db, prefix)
