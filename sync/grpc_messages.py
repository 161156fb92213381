"""Values of `sync.peer` and `sync.reports` to messages of idlink.v1 and back.

Invariant: what a peer sends is bounded or refused here; nothing else knows its messages.
"""

from __future__ import annotations

from node.errors import IntegrityFailure
from sync.peer import (
    BatchReceived,
    Capabilities,
    CheckpointAnswer,
    CheckpointCode,
    Directive,
    DirectiveKind,
    Item,
    ItemCode,
    ItemResult,
    Position,
)
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.reports import DayReport, Event, Performance, Profile, Route, Share, Told

MAX_TEXT, MAX_NOTE_BYTES = 500, 64 << 10
_CAUSES = {
    "network": pb.EVENT_CAUSE_NETWORK,
    "system": pb.EVENT_CAUSE_SYSTEM,
    "security_attack": pb.EVENT_CAUSE_SECURITY_ATTACK,
    "other": pb.EVENT_CAUSE_OTHER,
}
_TRANSPORTS = {"tcp": pb.TRANSPORT_TCP, "udp": pb.TRANSPORT_UDP, "http": pb.TRANSPORT_HTTP}
# Keys of all other schemes begin with the scheme's name.
_SCHEMES = {
    "oid": pb.SCHEME_OID,
    "vaa": pb.SCHEME_VAA,
    "ecode": pb.SCHEME_ECODE,
    "gs1": pb.SCHEME_GS1,
}


def entry_message(item: Item) -> pb.Entry:
    """Return a leaf with its opening, if it may leave."""
    opening = item.opening
    if opening is None:
        return pb.Entry(leaf=item.leaf)
    return pb.Entry(
        leaf=item.leaf,
        opening=pb.Opening(
            salt=opening.salt, withheld_digest=opening.withheld_digest, shared=opening.shared
        ),
    )


def capabilities_value(given: pb.Capabilities) -> Capabilities:
    """Return what a peer states, within sane limits."""
    return Capabilities(
        max_batch=max(1, min(given.max_batch, 5_000)),
        window=max(1, min(given.window, 64)),
        holds_log=True,
        can_reconcile=given.digest_reconcile,
        gives_directives=given.directives,
    )


def position_value(given: pb.LogPosition, note: bytes = b"") -> Position:
    """Return what the peer holds, with the checkpoint that it cosigned last."""
    return Position(given.size, given.root, given.cosigned_size, note[:MAX_NOTE_BYTES])


def received_value(given: pb.BatchResult) -> BatchReceived:
    """Return the answer to a batch."""
    return BatchReceived(
        batch_id=given.batch_id,
        acked_size=given.acknowledged_size,
        refused=tuple(item_result_value(result) for result in given.refused),
        received_at_ms=max(0, min(given.received_at_ms, 253_402_300_799_000)),
        receipt=given.receipt_id,
    )


def item_result_value(given: pb.ItemResult) -> ItemResult:
    """Return what became of an item."""
    return ItemResult(given.index, _item_code(given.code), given.message)


def _item_code(number: int) -> ItemCode:
    """Return an item code; one that is not known means an unknown outcome."""
    try:
        name = pb.ItemCode.Name(number)
        return ItemCode(name.removeprefix("ITEM_CODE_").lower())
    except ValueError:
        return ItemCode.UNKNOWN_OUTCOME


def checkpoint_value(given: pb.CheckpointResult) -> CheckpointAnswer:
    """Return the answer to a checkpoint; raise IntegrityFailure for a code nobody knows."""
    try:
        name = pb.CheckpointCode.Name(given.code)
        code = CheckpointCode(name.removeprefix("CHECKPOINT_CODE_").lower())
    except ValueError as error:
        raise IntegrityFailure(code="unknown_answer") from error
    held = given.cosigned_note[:MAX_NOTE_BYTES]
    return CheckpointAnswer(code, given.size, given.signature_line, given.message, held)


def directive_value(given: pb.Directive) -> Directive:
    """Return an order; raise IntegrityFailure for a kind nobody knows."""
    try:
        name = pb.DirectiveKind.Name(given.kind)
        kind = DirectiveKind(name.removeprefix("DIRECTIVE_KIND_").lower())
    except ValueError as error:
        raise IntegrityFailure(code="unknown_directive") from error
    return Directive(
        id=given.id,
        kind=kind,
        prefix=given.prefix,
        identifiers=tuple(given.identifiers),
        from_index=given.from_index,
        to_index=given.to_index,
        reason=given.reason[:500],
        issued_at_ms=given.issued_at_ms,
        due_at_ms=given.due_at_ms,
    )


def day_report_message(report: DayReport) -> pb.DayReport:
    """Return the figures of a day; what was not measured is left out."""
    return pb.DayReport(
        prefix=report.prefix,
        day=report.day,
        revision=report.revision,
        registered_new=report.registered_new,
        registered_total=report.registered_total,
        registered_cumulative=report.registered_cumulative,
        resolve_requests=report.resolve_requests,
        resolve_hits=report.resolve_hits,
        sources=[_source(share) for share in report.sources],
        channels=[
            pb.ChannelCount(channel=share.name, requests=share.requests, hits=share.hits)
            for share in report.channels
        ],
        hourly_requests=report.hourly_requests,
        resolving=_performance(report.resolving),
        registering=_performance(report.registering),
        max_per_second=report.max_per_second,
        max_per_second_at_ms=report.max_per_second_at_ms,
        self_test_requests=report.self_test_requests,
        reason=report.reason,
    )


def _source(share: Share) -> pb.SourceCount:
    return pb.SourceCount(source=share.name, requests=share.requests, hits=share.hits)


def _performance(measured: Performance | None) -> pb.Performance | None:
    if measured is None:
        return None
    return pb.Performance(
        average_ms=measured.average_ms,
        max_ms=measured.max_ms,
        max_at_ms=measured.max_at_ms,
        min_ms=measured.min_ms,
        min_at_ms=measured.min_at_ms,
    )


def event_message(event: Event) -> pb.NodeEvent:
    """Return a disturbance or its end."""
    return pb.NodeEvent(
        event_id=event.id,
        clears_event_id=event.closes,
        type=pb.EVENT_TYPE_RECOVERED if event.closes else pb.EVENT_TYPE_ABNORMAL,
        cause=_CAUSES[event.cause],
        occurred_at_ms=event.at_ms,
        detail=event.detail,
    )


def route_message(route: Route) -> pb.Route:
    """Return where a prefix is resolved."""
    scheme = _SCHEMES.get(route.prefix.partition(":")[0], pb.SCHEME_HANDLE)
    return pb.Route(
        prefix=route.prefix,
        scheme=scheme,
        endpoints=[
            pb.Endpoint(address=e.address, transport=_TRANSPORTS[e.transport], port=e.port)
            for e in route.endpoints
        ],
        revision=route.revision,
    )


def profile_message(profile: Profile) -> pb.Profile:
    """Return the company's own data."""
    return pb.Profile(revision=profile.revision, fields=profile.fields)


def told_value(given: pb.Receipt) -> Told:
    """Return the answer to a document."""
    return Told(given.accepted, given.code[:64], given.message[:MAX_TEXT], given.id[:64])
