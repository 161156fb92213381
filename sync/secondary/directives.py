"""Orders of the secondary node's operators, what each does here at once, and the nodes' answers."""

from __future__ import annotations

from collections.abc import Mapping

from node.domain.prefix import PrefixState
from node.errors import InvalidInput, NotFound
from sync.digests import record_digest
from sync.peer import DirectiveKind
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.store import directive_rows, node_rows, record_rows
from sync.secondary.store.connection import Connection, transaction
from sync.secondary.store.log_rows import index_of

# An order about a prefix is in force here as soon as it is given, whenever the node hears of it.
_STATE_AFTER: Mapping[DirectiveKind, PrefixState] = {
    DirectiveKind.SUSPEND_PREFIX: PrefixState.SUSPENDED,
    DirectiveKind.RESUME_PREFIX: PrefixState.ACTIVE,
    DirectiveKind.CANCEL_PREFIX: PrefixState.CANCELLED,
}
_ABOUT_PREFIX = frozenset({*_STATE_AFTER, DirectiveKind.QUOTA_CHANGED})


def issue(
    db: Connection,
    node_name: str,
    kind: DirectiveKind,
    directive: pb.Directive,
    *,
    quota: int = 0,
) -> None:
    """Give an order (its kind is filled in here), and do what it means for us.

    Raises NotFound for a node or prefix that is not known, InvalidInput for an order that names no
    prefix but is about one.
    """
    directive.MergeFrom(pb.Directive(kind=f"DIRECTIVE_KIND_{kind.name}"))
    with transaction(db):
        node = node_rows.by_name(db, node_name)
        if node is None:
            raise NotFound(f"没有节点 {node_name}", f"No node {node_name}")
        if kind in _ABOUT_PREFIX and not directive.prefix:
            raise InvalidInput("该指令须指明前缀", "This directive needs a prefix")
        if directive.prefix and node_rows.owner(db, directive.prefix) != node.id:
            raise NotFound(
                f"前缀 {directive.prefix} 不属于该节点",
                f"Prefix {directive.prefix} is not of that node",
            )
        if kind in _STATE_AFTER:
            node_rows.set_prefix_state(db, directive.prefix, _STATE_AFTER[kind])
        if kind is DirectiveKind.QUOTA_CHANGED:
            node_rows.set_quota(db, directive.prefix, quota)
        body = directive.SerializeToString(deterministic=True)
        directive_rows.issue(db, node.id, directive_id=directive.id, body=body)


def acknowledge(
    db: Connection, node: int, request: pb.AcknowledgeDirectiveRequest, *, at_ms: int
) -> pb.Receipt:
    """Keep a node's answer to an order and hold its samples against our records.

    Raises NotFound for an order that is not this node's, Conflict for a second, other answer,
    InvalidInput when nobody is named who answers for it.
    """
    if not request.acknowledged_by:
        raise InvalidInput("须写明由谁确认", "It must be said who acknowledges")
    with transaction(db):
        body = request.SerializeToString(deterministic=True)
        directive_rows.answer(db, node, request.id, body=body, at_ms=at_ms)
        unlike = [s.identifier for s in request.samples if not _is_held(db, node, s)]
    return pb.Receipt(
        id=request.id,
        accepted=True,
        code="samples_differ" if unlike else "stored",
        message=", ".join(unlike[:10]),
        at_ms=at_ms,
    )


def _is_held(db: Connection, node: int, sample: pb.RecordDigest) -> bool:
    held = record_rows.find(db, node, sample.identifier)
    if held is None or index_of(held.key) != sample.index:
        return False
    return record_digest(sample.identifier, held.shared) == sample.digest
