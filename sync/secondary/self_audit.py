"""Recomputes what the secondary node says of itself from the leaves and openings it holds.

Everything but leaves and openings is derived, so it can be derived again and compared. Invariant:
what is compared is of one moment, also while the node is running.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from node.domain.merkle_tree import CompactRange, leaf_hash
from node.domain.signed_note import parse_note, parse_verifier_key, verify_note
from node.errors import XibiaoError
from sync.secondary.node_state import NodeStates, root_at
from sync.secondary.store import log_rows, node_rows, record_rows
from sync.secondary.store.connection import Connection, snapshot
from sync.secondary.store.log_rows import index_of
from sync.secondary.store.node_rows import NodeRow
from sync.secondary.verification import LIVE, Held, Opening, open_leaf, read_leaf

SALT_BYTES = 16
SHOWN = 100


@dataclass(slots=True)
class AuditReport:
    """What was looked at, and one sentence for each difference (the first hundred)."""

    leaves: int = 0
    records: int = 0
    differences: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the whole report as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def note(self, sentence: str) -> None:
        """Add a difference."""
        if len(self.differences) < SHOWN:
            self.differences.append(sentence)


@dataclass(frozen=True, slots=True)
class _Derived:
    """What the leaves of one node say."""

    root: bytes
    records: dict[str, Held]
    unapplied: set[int]


def audit(db: Connection) -> AuditReport:
    """Compare every node's records, tree and cosignature with its leaves and openings."""
    report = AuditReport()
    with snapshot(db):
        for node in node_rows.everyone(db):
            derived = _derive(db, node, report)
            _compare_tree(db, node, derived, report)
            _compare_records(db, node, derived, report)
    return report


def _derive(db: Connection, node: NodeRow, report: AuditReport) -> _Derived:
    tree, records, unapplied = CompactRange(), dict[str, Held](), set[int]()
    for key, leaf, opening, shared in log_rows.walk(db, node.id):
        if index_of(key) != tree.size:
            report.note(f"{node.name}: leaf {tree.size} is missing")
        tree.append(leaf_hash(leaf))
        report.leaves += 1
        if opening is None:
            if _is_worth_a_note(leaf):
                unapplied.add(key)
            continue
        try:
            claim = open_leaf(
                read_leaf(leaf), Opening(opening[:SALT_BYTES], opening[SALT_BYTES:], shared)
            )
        except XibiaoError as error:
            report.note(f"{node.name}: entry {index_of(key)}: {error.en}")
            continue
        name, logged = claim.state.identifier, claim.logged
        state = claim.state.status
        records[name] = Held(0, name, logged.id_tag, 0, key, logged.revision, state)
    if tree.size != node.size:
        report.note(f"{node.name}: {tree.size} leaves, {node.size} noted")
    return _Derived(tree.root(), records, unapplied)


def _is_worth_a_note(leaf: bytes) -> bool:
    """Say whether a leaf that is not applied must be noted: it is a change, or cannot be read."""
    try:
        return read_leaf(leaf) is not None
    except XibiaoError:
        return True


def _compare_tree(db: Connection, node: NodeRow, derived: _Derived, report: AuditReport) -> None:
    if derived.root != node.root:
        report.note(f"{node.name}: the leaves do not have the root noted")
    cosigned = log_rows.cosigned(db, node.id)
    try:
        state = NodeStates().get(db, node.id)
        if cosigned is not None:
            verify_note(parse_note(cosigned.note), [parse_verifier_key(node.log_key)])
            if root_at(db, state, cosigned.size) != cosigned.root:
                report.note(f"{node.name}: the root cosigned is not that of {cosigned.size} leaves")
    except XibiaoError as error:
        report.note(f"{node.name}: {error.en}")


def _compare_records(db: Connection, node: NodeRow, derived: _Derived, report: AuditReport) -> None:
    expected, live = dict(derived.records), dict[int, int]()
    for held in record_rows.everyone(db, node.id):
        report.records += 1
        live[held.prefix] = live.get(held.prefix, 0) + (held.status in LIVE)
        if expected.pop(held.identifier, None) != held._replace(row=0, prefix=0):
            report.note(f"{node.name}: record {held.identifier} is not what its leaf says")
    for name in expected:
        report.note(f"{node.name}: record {name} is missing")
    for prefix in node_rows.prefixes(db, node.id):
        if prefix.live != live.get(prefix.row, 0):
            report.note(f"{node.name}: {prefix.name} has {live.get(prefix.row, 0)} live records")
    if record_rows.unapplied_keys(db, node.id) != derived.unapplied:
        report.note(f"{node.name}: the leaves not applied are not those noted")
