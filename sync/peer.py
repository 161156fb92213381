"""What a secondary node looks like from here, whatever it speaks.

An adapter (`grpc_link`, `snms`) implements `Peer` and `Link`; the relay knows nothing else. Values
are plain and hold no message classes of any protocol.

Invariants: a `Link` is one session and is used by one relay; every call either answers, or raises
`Unavailable` (the session is over, nothing is known of what was under way), `AccessDenied` (the
peer does not want us) or `IntegrityFailure` (the peer answers what cannot be true).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sync.reports import Document, Told


class ItemCode(StrEnum):
    """What a peer says of one item (idlink.v1.ItemCode)."""

    OK = "ok"
    ALREADY_SAME = "already_same"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    TEMPLATE_MISSING = "template_missing"
    INVALID = "invalid"
    PREFIX_SUSPENDED = "prefix_suspended"
    NOT_YOURS = "not_yours"
    QUOTA = "quota"
    UNKNOWN_OUTCOME = "unknown_outcome"
    INTERNAL = "internal"

    @property
    def is_taken(self) -> bool:
        """Say whether the peer holds the item now."""
        return self in (ItemCode.OK, ItemCode.ALREADY_SAME)


class CheckpointCode(StrEnum):
    """What a peer says of a checkpoint (idlink.v1.CheckpointCode; C2SP tlog-witness)."""

    COSIGNED = "cosigned"
    BAD_SIGNATURE = "bad_signature"
    OLDER = "older"
    STALE_OLD_SIZE = "stale_old_size"
    INCONSISTENT = "inconsistent"
    AHEAD = "ahead"


class DirectiveKind(StrEnum):
    """What a peer may order (idlink.v1.DirectiveKind)."""

    SUSPEND_PREFIX = "suspend_prefix"
    RESUME_PREFIX = "resume_prefix"
    CANCEL_PREFIX = "cancel_prefix"
    RESYNC = "resync"
    AUDIT_SAMPLE = "audit_sample"
    ROUTE_UNREACHABLE = "route_unreachable"
    QUOTA_CHANGED = "quota_changed"
    RECTIFY = "rectify"
    FREEZE_IDENTIFIERS = "freeze_identifiers"


@dataclass(frozen=True, slots=True)
class Hello:
    """Who dials: the node's name, its prefixes and the verifier key of its log."""

    node_id: str
    prefixes: tuple[str, ...]
    software: str
    log_key: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Limits and abilities a peer states.

    `holds_log`: it keeps the leaves, acknowledges by size and cosigns; otherwise it takes records
    alone, and what is asked of a log is answered from here. `bounds_its_answers`: every request of
    the link has a limit of its own, so an answer that takes long means work, not a dead line.
    """

    max_batch: int
    window: int
    holds_log: bool
    can_reconcile: bool
    gives_directives: bool
    bounds_its_answers: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """What the peer holds of the log: leaves, the RFC 6962 root over them, the size cosigned.

    `cosigned_note`: the checkpoint cosigned last, as the log signed it; told when a session opens.
    """

    size: int
    root: bytes
    cosigned_size: int
    cosigned_note: bytes = b""


@dataclass(frozen=True, slots=True)
class Opening:
    """Lets a peer check a commitment: 16 bytes of salt, digest of what is withheld, the rest."""

    salt: bytes
    withheld_digest: bytes
    shared: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One leaf to send. `opening` None: only the leaf may leave."""

    index: int
    identifier: str
    at: str
    leaf: bytes
    opening: Opening | None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item."""

    index: int
    code: ItemCode
    reason: str


@dataclass(frozen=True, slots=True)
class BatchReceived:
    """A peer's answer to a batch: leaves held, and the items it did not take."""

    batch_id: int
    acked_size: int
    refused: tuple[ItemResult, ...]
    received_at_ms: int
    receipt: str


@dataclass(frozen=True, slots=True)
class CheckpointAnswer:
    """A peer's answer to a checkpoint; `line` is a signature line when it was cosigned.

    `held`: of a refusal, the checkpoint cosigned before.
    """

    code: CheckpointCode
    size: int
    line: bytes
    message: str
    held: bytes = b""


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """A peer's receipt (`node.domain.receipt`, not yet verified), or why it gives none.

    `refusal`: a code, "" with a note; `cannot` for a peer that gives none at all.
    """

    note: bytes
    refusal: str = ""


CANNOT = "cannot"


@dataclass(frozen=True, slots=True)
class TemplateNotice:
    """A template as a peer may know it: `body` holds the attributes that leave the plant."""

    name: str
    version: int
    object_class: str
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Directive:
    """An order of the peer."""

    id: str
    kind: DirectiveKind
    prefix: str
    identifiers: tuple[str, ...]
    from_index: int
    to_index: int
    reason: str
    issued_at_ms: int
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class DirectiveReply:
    """What was done about an order, by whom; `samples`: (identifier, digest, leaf index)."""

    id: str
    accepted: bool
    note: str
    by: str
    samples: tuple[tuple[str, bytes, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """What a heartbeat tells. `state`: normal, degraded, abnormal or maintenance."""

    state: str
    log_size: int
    acked_size: int
    oldest_unacked_ms: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """The records whose SHA-256(identifier) begins with `name`: their number and XORed digests."""

    name: str
    count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Comparison:
    """A peer's answer to digests: buckets that differ, or the records of buckets asked for."""

    size: int
    total: int
    differing: tuple[str, ...]
    records: tuple[tuple[str, bytes, int], ...]


Answer = BatchReceived | CheckpointAnswer


class Link(Protocol):
    """One session with a peer."""

    capabilities: Capabilities
    position: Position
    cosigner_key: str

    async def send(self, batch_id: int, items: Sequence[Item]) -> None:
        """Hand a batch to the connection; waits only while the connection is full."""
        ...

    async def offer(self, note: bytes, old_size: int, path: Sequence[bytes]) -> None:
        """Offer a checkpoint to be cosigned, with its consistency proof from `old_size`."""
        ...

    def answers(self) -> AsyncIterator[Answer]:
        """Yield what the peer says about batches and checkpoints, as it comes."""
        ...

    async def retry(self, items: Sequence[Item]) -> list[ItemResult]:
        """Send items again whose leaves the peer holds; a result for each."""
        ...

    async def issue_receipt(self, size: int) -> ReceiptAnswer:
        """Ask for the peer's statement about the first `size` leaves."""
        ...

    async def put_template(self, template: TemplateNotice) -> None:
        """Make a template known; repeated calls do nothing."""
        ...

    async def tell(self, document: Document) -> Told:
        """Tell a day report, an event, a route, the company's data; twice is as good as once."""
        ...

    async def heartbeat(self, health: Health) -> Position:
        """Say that we live; return what the peer holds."""
        ...

    def directives(self, after: str) -> AsyncIterator[Directive]:
        """Yield orders issued after the one with id `after` ("": from the first)."""
        ...

    async def answer_directive(self, reply: DirectiveReply) -> None:
        """Acknowledge an order."""
        ...

    async def compare(
        self, prefix: str, size: int, digits: int, buckets: Sequence[Bucket], wanted: Sequence[str]
    ) -> Comparison:
        """Compare digests of buckets, and list the records of the `wanted` ones."""
        ...

    async def withdraw(self, identifiers: Sequence[str], reason: str) -> None:
        """Have the peer drop records that the register does not know."""
        ...


class Peer(Protocol):
    """A secondary node that can be dialled."""

    @property
    def name(self) -> str:
        """Return the name under which the node keeps what this peer has."""
        ...

    def open(self, hello: Hello) -> AbstractAsyncContextManager[Link]:
        """Open a session; it ends with the block."""
        ...
