"""What the writer does: nodes begin sessions, batches are applied, checkpoints are cosigned.

All of it runs in the one writing thread. Invariants: an answer leaves only after the commit that
made it true; asking the same again gets the same answer and changes nothing; of what is refused
nothing is kept but the leaf and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from node.domain.merkle_tree import EMPTY_ROOT
from node.domain.signed_note import Cosigner, Ed25519Verifier, parse_verifier_key
from node.errors import AccessDenied, InvalidInput, XibiaoError
from sync.peer import CheckpointCode, ItemCode
from sync.secondary.batch import Veto, append_entries
from sync.secondary.correction import RetriedItem, retry_items, withdraw
from sync.secondary.item_refusal import Refusal, message_of
from sync.secondary.node_state import NodeState, NodeStates, root_at
from sync.secondary.store import log_rows, node_rows, record_rows
from sync.secondary.store.connection import Connection, transaction
from sync.secondary.store.log_rows import Cosigned, Evidence, ReceiptRow, index_of, key_of
from sync.secondary.store.rewind import rewind
from sync.secondary.verification import Entry
from sync.secondary.witness import Holding, Offer, cosignature_line, examine, refused_size

_T = TypeVar("_T")
MAX_EVIDENCE = 1_000
MAX_NAME, MAX_PREFIXES = 255, 1_000


@dataclass(frozen=True, slots=True)
class Hello:
    """Who opens a session, as the contract's OpenSessionRequest says."""

    node: str
    prefixes: Sequence[str]
    log_key: str


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of a log."""

    size: int
    root: bytes
    cosigned_size: int
    cosigned_note: bytes = b""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive leaves from `first_index` on."""

    first_index: int
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """`acked_size`: leaves held durably, at most the end of the batch."""

    acked_size: int
    refused: Sequence[Refusal]
    received_at_ms: int
    receipt_id: str


@dataclass(frozen=True, slots=True)
class CheckpointOutcome:
    """`line`: our signature, when it was cosigned; `held`: otherwise what was cosigned before."""

    code: CheckpointCode
    size: int
    line: bytes
    live_records: int
    message: str
    held: bytes = b""


Job = tuple[int, Batch | Offer]
Outcome = BatchOutcome | CheckpointOutcome


def no_veto(_identifier: str) -> None:
    """Let every item pass."""


class Ledger:
    """The books of the secondary node. Used by the writing thread alone."""

    def __init__(
        self, cosigner: Cosigner, now_ms: Callable[[], int], *, veto: Veto = no_veto
    ) -> None:
        self._cosigner = cosigner
        self._now_ms = now_ms
        self._veto = veto
        self.states = NodeStates()

    def open(self, db: Connection, hello: Hello) -> int:
        """Return the number of the node that begins a session, noting it at the first one.

        Raises InvalidInput for a name or key that cannot be one, AccessDenied when the node or the
        log is known with another key, or the log belongs to another node.
        """
        verifier = parse_verifier_key(hello.log_key)
        if not isinstance(verifier, Ed25519Verifier):
            raise InvalidInput("日志验证公钥类型有误", "This is not the verifier key of a log")
        _check_names(hello)
        with transaction(db):
            known = node_rows.by_name(db, hello.node)
            if known is None:
                if node_rows.origin_is_taken(db, verifier.name):
                    raise _other_log(hello.node, verifier.name)
                node_rows.add(db, hello.node, origin=verifier.name, log_key=hello.log_key)
                known = node_rows.by_name(db, hello.node)
            if known is None or known.log_key != hello.log_key:
                raise _other_log(hello.node, verifier.name)
            node_rows.claim_prefixes(db, known.id, hello.prefixes)
        self.states.forget()
        return known.id

    def position(self, db: Connection, node: int) -> Position:
        """Return what is held of a node's log."""
        row, cosigned = node_rows.by_id(db, node), log_rows.cosigned(db, node)
        if cosigned is None:
            return Position(row.size, row.root, 0)
        return Position(row.size, row.root, cosigned.size, cosigned.note)

    def run(self, db: Connection, jobs: Sequence[Job]) -> list[Outcome]:
        """Do jobs in order in one durable step; return an outcome for each.

        When it raises, nothing of any job was done.
        """
        return self._durably(
            db, lambda: [self._do(db, self.states.get(db, node), what) for node, what in jobs]
        )

    def retry(self, db: Connection, node: int, items: Sequence[RetriedItem]) -> list[Refusal]:
        """Apply items whose leaves are held, in one durable step; return a result for each."""
        return self._durably(
            db, lambda: retry_items(db, self.states.get(db, node), items, self._veto)
        )

    def withdraw(self, db: Connection, node: int, identifiers: Sequence[str]) -> list[str]:
        """Drop records that no leaf stands for; return the identifiers of those that stay."""
        return self._durably(db, lambda: withdraw(db, self.states.get(db, node), identifiers))

    def rewind(self, db: Connection, node: int, leaves: int) -> None:
        """Go back by a number of leaves, as if restored from a backup (the fault script)."""
        with transaction(db):
            rewind(db, node, max(0, node_rows.by_id(db, node).size - leaves))
        self.states.forget()

    def _durably(self, db: Connection, work: Callable[[], _T]) -> _T:
        """Return what the work returns, once it is durable."""
        try:
            with transaction(db):
                self.states.notice(db)
                return work()
        except BaseException:
            self.states.forget()
            raise

    def _do(self, db: Connection, state: NodeState, what: Batch | Offer) -> Outcome:
        if isinstance(what, Batch):
            return self._apply(db, state, what)
        return self._cosign(db, state, what)

    def _apply(self, db: Connection, state: NodeState, batch: Batch) -> BatchOutcome:
        first, size = batch.first_index, state.tree.size
        end = first + len(batch.entries)
        if first > size:
            return self._stopped_at(size, ItemCode.NOT_FOUND, "缺少该叶 / this leaf is missing")
        known, refused = batch.entries[: size - first], list[Refusal]()
        if known:
            other = _first_other(log_rows.leaves(db, key_of(state.id, first), len(known)), known)
            if other is not None:
                text = "此处已有另一个叶 / another leaf is held here"
                return self._stopped_at(first + other, ItemCode.CONFLICT, text)
            refused = _refused_before(db, state, first, len(known))
        if end > size:
            refused += append_entries(db, state, batch.entries[len(known) :], self._veto)
            receipt = ReceiptRow(end, state.tree.root(), self._now_ms())
            log_rows.add_receipt(db, state.id, receipt)
        return self._received(db, state, end, refused)

    def _stopped_at(self, index: int, code: ItemCode, text: str) -> BatchOutcome:
        """Answer a batch that does not go on where the log stands; nothing of it is held."""
        return BatchOutcome(index, [Refusal(index, code, text)], self._now_ms(), "")

    def _received(
        self, db: Connection, state: NodeState, end: int, refused: Sequence[Refusal]
    ) -> BatchOutcome:
        """Answer a batch that is held; the receipt is the first that covered its last leaf."""
        receipt = log_rows.receipt_for(db, state.id, end)
        if receipt is None:
            return BatchOutcome(end, refused, self._now_ms(), "")
        name = f"{state.id}-{receipt.size}-{receipt.at_ms}"
        return BatchOutcome(end, refused, receipt.at_ms, name)

    def _cosign(self, db: Connection, state: NodeState, offer: Offer) -> CheckpointOutcome:
        """Cosign a checkpoint: compared, written down and answered in one transaction."""
        before = log_rows.cosigned(db, state.id)
        holding = Holding(
            origin=state.origin,
            log_key=state.log_key,
            size=state.tree.size,
            root_at=lambda size: root_at(db, state, size),
            cosigned_size=before.size if before else 0,
            cosigned_root=before.root if before else EMPTY_ROOT,
        )
        live, now_ms = sum(p.live for p in state.standing.prefixes.values()), self._now_ms()
        try:
            offered = examine(offer, holding)
        except XibiaoError as refusal:
            if refusal.code == CheckpointCode.INCONSISTENT:
                held, proof = before.note if before else b"", b"".join(offer.path)
                found = Evidence(state.id, now_ms, message_of(refusal), offer.note, held, proof)
                log_rows.add_evidence(db, found, limit=MAX_EVIDENCE)
            code, size = CheckpointCode(refusal.code), refused_size(refusal, holding)
            held = before.note if before else b""
            return CheckpointOutcome(code, size, b"", live, message_of(refusal), held)
        line = cosignature_line(offer, self._cosigner, time_s=now_ms // 1_000)
        new = Cosigned(offered.size, offered.root, now_ms, offer.note, line)
        log_rows.put_cosigned(db, state.id, new)
        return CheckpointOutcome(CheckpointCode.COSIGNED, offered.size, line, live, "")


def _check_names(hello: Hello) -> None:
    if len(hello.prefixes) > MAX_PREFIXES:
        raise InvalidInput("前缀过多", f"A node has at most {MAX_PREFIXES} prefixes")
    for name in (hello.node, *hello.prefixes):
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise InvalidInput(
                "节点编号或前缀有误", "A node id or prefix is empty, too long or unprintable"
            )


def _first_other(held: Sequence[bytes], sent: Sequence[Entry]) -> int | None:
    """Return the first place where what is sent again is not what is held."""
    for place, (leaf, entry) in enumerate(zip(held, sent, strict=True)):
        if leaf != entry.leaf:
            return place
    return None


def _refused_before(db: Connection, state: NodeState, first: int, count: int) -> list[Refusal]:
    """Return what was refused among leaves that are held already."""
    start = key_of(state.id, first)
    return [
        Refusal(index_of(row.key), ItemCode(row.code), row.message)
        for row in record_rows.refused_between(db, start, start + count)
    ]


def _other_log(node: str, origin: str) -> AccessDenied:
    return AccessDenied(
        f"节点 {node} 或日志 {origin} 已以另一公钥或名称登记",
        f"Node {node} or log {origin} is known here with another key or name",
        code="other_log",
    )
