"""What the writer keeps in memory of a node between batches, and how it is read from the file.

Invariant: it equals what is committed, or is thrown away: whoever fails between changing it and
the commit calls `NodeStates.forget`.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.domain.merkle_tree import EMPTY_ROOT, CompactRange
from node.domain.signed_note import Verifier, parse_verifier_key
from node.domain.tiles import GrowingTree, node_reader
from node.errors import IntegrityFailure
from sync.secondary.store import document_rows, log_rows, node_rows
from sync.secondary.store.connection import Connection, data_version
from sync.secondary.store.document_rows import Kind
from sync.secondary.verification import Standing


@dataclass(slots=True)
class NodeState:
    """One node: its log so far and what it may do."""

    id: int
    name: str
    origin: str
    log_key: Verifier
    tree: GrowingTree
    standing: Standing


class NodeStates:
    """The states of all nodes, read when first asked for."""

    def __init__(self) -> None:
        self._states: dict[int, NodeState] = {}
        self._version = -1

    def forget(self) -> None:
        """Read everything again when it is next asked for."""
        self._states.clear()

    def notice(self, db: Connection) -> None:
        """Forget what another process has changed, e.g. an operator at the command line.

        Called inside the transaction that is going to rely on it.
        """
        version = data_version(db)
        if version != self._version:
            self._version = version
            self.forget()

    def get(self, db: Connection, node: int) -> NodeState:
        """Return a node's state; raise IntegrityFailure when the file contradicts itself."""
        state = self._states.get(node)
        if state is None:
            state = self._states[node] = _load(db, node)
        return state


def _load(db: Connection, node: int) -> NodeState:
    row = node_rows.by_id(db, node)
    tree = GrowingTree.load(row.size, log_rows.tile_reader(db, node))
    if tree.root() != row.root:
        raise IntegrityFailure(
            f"节点 {row.name} 的日志副本与其根哈希不符",
            f"The copy of the log of {row.name} does not have the root noted for it",
        )
    prefixes = {standing.name: standing for standing in node_rows.prefixes(db, node)}
    templates = document_rows.names(db, node, Kind.TEMPLATE)
    return NodeState(
        node,
        row.name,
        row.origin,
        parse_verifier_key(row.log_key),
        tree,
        Standing(prefixes, templates),
    )


def root_at(db: Connection, state: NodeState, size: int) -> bytes:
    """Return the root over the first `size` leaves, computed from the tiles (RFC 6962 §2.1)."""
    if size == state.tree.size:
        return state.tree.root()
    if size == 0:
        return EMPTY_ROOT
    # Tiles of the larger tree serve the smaller one: they only grow.
    node = node_reader(size, log_rows.tile_reader(db, state.id))
    return CompactRange.load(size, node).root()
