"""Items sent again after correction, and records that a node disowns.

Only leaves that are held are looked at, so nothing here can make the copy of a log differ from the
log. Runs in the writing thread, inside its transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import NotFound, XibiaoError
from sync.peer import ItemCode
from sync.secondary.batch import Veto
from sync.secondary.item_refusal import Refusal, code_of, message_of
from sync.secondary.node_state import NodeState
from sync.secondary.store import node_rows, record_rows
from sync.secondary.store.connection import Connection
from sync.secondary.store.log_rows import key_of
from sync.secondary.store.record_rows import EntryRow
from sync.secondary.verification import (
    LIVE,
    Claim,
    Held,
    Opening,
    check_identity,
    check_quota,
    check_standing,
    check_transition,
    open_leaf,
    read_leaf,
)

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class RetriedItem:
    """A leaf that is held, and its opening once more."""

    index: int
    opening: Opening


def retry_items(
    db: Connection, state: NodeState, items: Sequence[RetriedItem], veto: Veto
) -> list[Refusal]:
    """Apply items whose leaves are held; return for each what became of it (also OK)."""
    return [_retry(db, state, item, veto) for item in items]


def _retry(db: Connection, state: NodeState, item: RetriedItem, veto: Veto) -> Refusal:
    # Before anything else: the key of an index beyond the log would be another node's.
    if item.index >= state.tree.size:
        return Refusal(item.index, ItemCode.NOT_FOUND, "没有此叶 / no such leaf is held")
    key = key_of(state.id, item.index)
    try:
        entry = record_rows.entry_at(db, key)
        if entry is None:
            raise NotFound("没有此叶", "no such leaf is held")
        claim = open_leaf(read_leaf(entry.leaf), item.opening)
        held = _record_of(db, claim)
        if held is not None and held.key > key:
            text = f"已有版本 {held.revision} / superseded by revision {held.revision}"
            return Refusal(item.index, ItemCode.ALREADY_SAME, text)
        if held is not None and held.key == key and entry.shared == item.opening.shared:
            return Refusal(item.index, ItemCode.ALREADY_SAME, "")
        veto(claim.state.identifier)
        _apply(db, state, key, claim, held)
    except XibiaoError as error:
        code, message = code_of(error), message_of(error)
        record_rows.set_refused(db, key, code=code, message=message)
        return Refusal(item.index, code, message)
    return Refusal(item.index, ItemCode.OK, "")


def _record_of(db: Connection, claim: Claim) -> Held | None:
    """Return the record that a change belongs to; raises Conflict when another one has its name."""
    tag, identifier = claim.logged.id_tag, claim.state.identifier
    held = record_rows.by_tags(db, [tag]).get(tag)
    check_identity(claim, held, record_rows.by_identifiers(db, [identifier]).get(identifier))
    return held


def _apply(db: Connection, state: NodeState, key: int, claim: Claim, held: Held | None) -> None:
    prefix = check_standing(claim, state.standing)
    # Changes between may still wait: then the status before this one is not known.
    if (held.revision if held else 0) + 1 == claim.logged.revision:
        check_transition(claim, held.status if held else None)
    live = check_quota(claim, held, prefix)
    new = Held(
        held.row if held else 0,
        claim.state.identifier,
        claim.logged.id_tag,
        prefix.row,
        key,
        claim.logged.revision,
        claim.state.status,
    )
    if held is None:
        record_rows.add(db, [new])
    else:
        record_rows.change(db, [new])
    previous = held.key if held is not None and held.key < key else None
    record_rows.set_opened(db, key, claim.opening, previous=previous)
    if live:
        prefix.live += live
        node_rows.set_live(db, prefix)


def withdraw(db: Connection, state: NodeState, identifiers: Sequence[str]) -> list[str]:
    """Drop records that no leaf stands for; return the identifiers of those that stay.

    A record whose leaf and opening are held is what the log says, whoever asks for its end: only
    a later leaf changes it.
    """
    prefixes = {prefix.row: prefix for prefix in state.standing.prefixes.values()}
    staying: list[str] = []
    for identifier, held in record_rows.by_identifiers(db, identifiers).items():
        prefix = prefixes.get(held.prefix)
        if prefix is None or _is_logged(record_rows.entry_at(db, held.key), held):
            staying.append(identifier)
            continue
        record_rows.remove(db, [held.row])
        if held.status in LIVE:
            prefix.live -= 1
            node_rows.set_live(db, prefix)
    return staying


def _is_logged(entry: EntryRow | None, held: Held) -> bool:
    """Say whether a leaf and its opening stand for a record."""
    if entry is None or entry.opening is None or entry.shared is None:
        return False
    salt, digest = entry.opening[:SALT_BYTES], entry.opening[SALT_BYTES:]
    try:
        claim = open_leaf(read_leaf(entry.leaf), Opening(salt, digest, entry.shared))
    except XibiaoError:
        return False
    return claim.logged.id_tag == held.tag and claim.state.identifier == held.identifier
