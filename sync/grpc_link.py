"""The link to a secondary node that speaks idlink.v1 over gRPC.

Invariants: message classes stay here and in `grpc_messages`; every failure of gRPC becomes one of
ours; messages are bounded both ways and a peer that stops answering pings is given up within thirty
seconds. Without TLS only loopback addresses are dialled.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError

from node.errors import AccessDenied, IntegrityFailure, InvalidInput, Unavailable
from sync.grpc_messages import (
    capabilities_value,
    checkpoint_value,
    day_report_message,
    directive_value,
    entry_message,
    event_message,
    item_result_value,
    position_value,
    profile_message,
    received_value,
    route_message,
    told_value,
)
from sync.peer import (
    CANNOT,
    Answer,
    Bucket,
    Comparison,
    Directive,
    DirectiveReply,
    Health,
    Hello,
    Item,
    ItemResult,
    Link,
    Position,
    ReceiptAnswer,
    TemplateNotice,
)
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.proto.idlink.v1.secondary_link_pb2_grpc import SecondaryLinkStub
from sync.reports import DayReport, Document, Event, Profile, Route, Told

_R = TypeVar("_R")
Metadata: TypeAlias = tuple[tuple[str, str], ...]
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
CALL_TIMEOUT_S, COMPARE_TIMEOUT_S = 15.0, 120.0
# The first call waits for the connection too: over a slow line, three journeys of some seconds.
OPEN_TIMEOUT_S = 45.0
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # The relay waits by its own rules; gRPC's waiting would hide that the peer is away.
    ("grpc.enable_retries", 0),
    # Sessions that follow each other closely would share a connection that is broken already.
    ("grpc.use_local_subchannel_pool", 1),
)
_STATES = {
    "normal": pb.HEALTH_STATE_NORMAL,
    "degraded": pb.HEALTH_STATE_DEGRADED,
    "abnormal": pb.HEALTH_STATE_ABNORMAL,
    "maintenance": pb.HEALTH_STATE_MAINTENANCE,
}
# Answers to a call that say no, and do not mean that the line is dead.
_UNIMPLEMENTED = "peer_unimplemented"
_RECEIPT_REFUSALS = {
    _UNIMPLEMENTED: CANNOT,
    "peer_not_found": "ahead",
    "peer_resource_exhausted": "receipt_too_large",
}
Credentials = Callable[[str], Awaitable[grpc.ChannelCredentials]]
# Calls under way when a session ends are given this long to end by themselves.
DRAIN_S = 3.0


@dataclass(frozen=True, slots=True)
class GrpcPeer:
    """A secondary node at `address` (host:port).

    `credentials` are asked for with the address at each session, and check who is there; so a
    renewed certificate is used by the next session.
    """

    name: str
    address: str
    credentials: Credentials | None = None

    def __post_init__(self) -> None:
        """Refuse an address beyond this machine without TLS; raises InvalidInput."""
        if self.credentials is None and not _is_loopback(self.address):
            raise InvalidInput(
                f"到 {self.address} 的同步必须使用 TLS(sync.certificate)",
                f"A link to {self.address} needs TLS (sync.certificate)",
            )

    @asynccontextmanager
    async def open(self, hello: Hello) -> AsyncIterator[Link]:
        """Open a session."""
        async with await self._channel() as channel:
            stub: SecondaryLinkStub = SecondaryLinkStub(channel)  # type: ignore[no-untyped-call]
            with _grpc_errors():
                opened = _readable(
                    await stub.OpenSession(
                        pb.OpenSessionRequest(
                            node_id=hello.node_id,
                            prefixes=hello.prefixes,
                            software=hello.software,
                            log_verifier_key=hello.log_key,
                        ),
                        timeout=OPEN_TIMEOUT_S,
                    )
                )
            link = GrpcLink(stub, opened, hello.node_id)
            try:
                yield link
            finally:
                await link.close()

    async def _channel(self) -> grpc.aio.Channel:
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        return grpc.aio.secure_channel(
            self.address, await self.credentials(self.address), options=_OPTIONS
        )


class GrpcLink:
    """One session over one channel."""

    def __init__(
        self, stub: SecondaryLinkStub, opened: pb.OpenSessionResponse, node_id: str
    ) -> None:
        self._stub = stub
        self._node_id = node_id
        self._metadata: Metadata = (("idlink-session", opened.token),)
        self._stream = stub.SyncLog(metadata=self._metadata)
        self._under_way: set[asyncio.Task[object]] = set()
        self.capabilities = capabilities_value(opened.capabilities)
        self.position = position_value(opened.position, opened.cosigned_note)
        self.cosigner_key = opened.cosigner_verifier_key

    async def close(self) -> None:
        """Give up the stream and let calls under way end; the channel ends with its block."""
        self._stream.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_S)

    async def _call(self, call: Awaitable[_R]) -> _R:
        """Return the answer to a call. It goes on when its caller is cut short: so does the peer.

        When a session ends because another begins, no request is cut in the middle.
        """
        task = asyncio.ensure_future(call)
        self._under_way.add(cast("asyncio.Task[object]", task))
        task.add_done_callback(self._ended)
        with _grpc_errors():
            return _readable(await asyncio.shield(task))

    def _ended(self, task: asyncio.Future[_R]) -> None:
        self._under_way.discard(cast("asyncio.Task[object]", task))
        if not task.cancelled():
            task.exception()  # whoever still waits gets it; nobody else needs to

    async def send(self, batch_id: int, items: Sequence[Item]) -> None:
        """Hand a batch to the stream."""
        batch = pb.Batch(
            batch_id=batch_id, first_index=items[0].index, entries=[entry_message(i) for i in items]
        )
        with _grpc_errors():
            await self._stream.write(pb.SyncLogRequest(batch=batch))

    async def offer(self, note: bytes, old_size: int, path: Sequence[bytes]) -> None:
        """Offer a checkpoint on the stream, behind everything it speaks of."""
        offer = pb.CheckpointOffer(note=note, old_size=old_size, consistency_path=path)
        with _grpc_errors():
            await self._stream.write(pb.SyncLogRequest(checkpoint=offer))

    async def answers(self) -> AsyncIterator[Answer]:
        """Yield the answers of the stream."""
        with _grpc_errors():
            async for response in self._stream:
                match _readable(response).WhichOneof("part"):
                    case "batch":
                        yield received_value(response.batch)
                    case "checkpoint":
                        yield checkpoint_value(response.checkpoint)
                    case _:
                        raise IntegrityFailure(code="unknown_answer")

    async def retry(self, items: Sequence[Item]) -> list[ItemResult]:
        """Send items again."""
        if not items:
            return []
        request = pb.RetryItemsRequest(
            items=[pb.RetryItem(index=i.index, opening=entry_message(i).opening) for i in items]
        )
        response = await self._call(
            self._stub.RetryItems(request, metadata=self._metadata, timeout=CALL_TIMEOUT_S)
        )
        return [item_result_value(result) for result in response.results]

    async def issue_receipt(self, size: int) -> ReceiptAnswer:
        """Ask for a receipt; what the peer refuses is an answer, and the session goes on."""
        request = pb.IssueReceiptRequest(size=size)
        try:
            response = await self._call(
                self._stub.IssueReceipt(request, metadata=self._metadata, timeout=COMPARE_TIMEOUT_S)
            )
        except Unavailable as error:
            refusal = _RECEIPT_REFUSALS.get(error.code)
            if refusal is None:
                raise
            return ReceiptAnswer(b"", refusal)
        return ReceiptAnswer(response.note)

    async def put_template(self, template: TemplateNotice) -> None:
        """Make a template known."""
        message = pb.Template(
            name=template.name,
            version=template.version,
            object_class=template.object_class,
            body=template.body,
            digest=template.digest,
        )
        await self._call(
            self._stub.PutTemplate(
                pb.PutTemplateRequest(template=message),
                metadata=self._metadata,
                timeout=CALL_TIMEOUT_S,
            )
        )

    async def tell(self, document: Document) -> Told:
        """Tell a document; what the peer refuses is an answer, and the session goes on."""
        try:
            return told_value(await self._call(self._telling(document)))
        except Unavailable as error:
            if error.code != _UNIMPLEMENTED:
                raise
            return Told(accepted=False, code=CANNOT)

    async def _telling(self, document: Document) -> pb.Receipt:
        receipt: pb.Receipt
        options: dict[str, Any] = {"metadata": self._metadata, "timeout": CALL_TIMEOUT_S}
        match document:
            case DayReport():
                day = pb.ReportDayRequest(report=day_report_message(document))
                receipt = _readable(await self._stub.ReportDay(day, **options)).receipt
            case Event():
                event = pb.ReportEventRequest(event=event_message(document))
                receipt = _readable(await self._stub.ReportEvent(event, **options)).receipt
            case Route():
                route = pb.PutRouteRequest(route=route_message(document))
                receipt = _readable(await self._stub.PutRoute(route, **options)).receipt
            case Profile():
                profile = pb.PutProfileRequest(profile=profile_message(document))
                receipt = _readable(await self._stub.PutProfile(profile, **options)).receipt
        return receipt

    async def heartbeat(self, health: Health) -> Position:
        """Say that we live."""
        request = pb.HeartbeatRequest(
            node_id=self._node_id,
            state=_STATES[health.state],
            log_size=health.log_size,
            acknowledged_size=health.acked_size,
            oldest_unacknowledged_ms=health.oldest_unacked_ms,
        )
        response = await self._call(
            self._stub.Heartbeat(request, metadata=self._metadata, timeout=CALL_TIMEOUT_S)
        )
        return position_value(response.position)

    async def directives(self, after: str) -> AsyncIterator[Directive]:
        """Yield orders as they are issued."""
        request = pb.WatchDirectivesRequest(node_id=self._node_id, after_directive_id=after)
        with _grpc_errors():
            async for response in self._stub.WatchDirectives(request, metadata=self._metadata):
                yield directive_value(_readable(response).directive)

    async def answer_directive(self, reply: DirectiveReply) -> None:
        """Acknowledge an order."""
        request = pb.AcknowledgeDirectiveRequest(
            id=reply.id,
            accepted=reply.accepted,
            note=reply.note,
            acknowledged_by=reply.by,
            samples=[
                pb.RecordDigest(identifier=key, digest=digest, index=index)
                for key, digest, index in reply.samples
            ],
        )
        await self._call(
            self._stub.AcknowledgeDirective(
                request, metadata=self._metadata, timeout=CALL_TIMEOUT_S
            )
        )

    async def compare(
        self, prefix: str, size: int, digits: int, buckets: Sequence[Bucket], wanted: Sequence[str]
    ) -> Comparison:
        """Compare digests, or list the records of buckets."""
        request = pb.ReconcileRequest(
            prefix=prefix,
            as_of_size=size,
            digits=digits,
            buckets=[pb.Bucket(name=b.name, count=b.count, digest=b.digest) for b in buckets],
            list_buckets=wanted,
        )
        response = await self._call(
            self._stub.Reconcile(request, metadata=self._metadata, timeout=COMPARE_TIMEOUT_S)
        )
        return Comparison(
            size=response.size,
            total=response.total,
            differing=tuple(response.differing),
            records=tuple((r.identifier, r.digest, r.index) for r in response.records),
        )

    async def withdraw(self, identifiers: Sequence[str], reason: str) -> None:
        """Have the peer drop records."""
        request = pb.WithdrawRecordsRequest(identifiers=identifiers, reason=reason)
        await self._call(
            self._stub.WithdrawRecords(request, metadata=self._metadata, timeout=CALL_TIMEOUT_S)
        )


def _readable(answer: _R | None) -> _R:
    """Return an answer; gRPC gives None in the place of one that is no message."""
    if answer is None:
        raise Unavailable(
            "二级节点的答复无法解析", "The peer's answer is no message", code="peer_garbage"
        )
    return answer


@contextmanager
def _grpc_errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        detail = (error.details() or "")[:200]
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            raise AccessDenied(detail, detail, code="peer_denies") from error
        name = error.code().name.lower()
        raise Unavailable(
            f"二级节点不可用:{name} {detail}", f"The peer is unavailable: {name} {detail}",
            code=f"peer_{name}",
        ) from error  # fmt: skip
    # InvalidStateError: gRPC's word for writing to a stream that ended meanwhile.
    except (grpc.aio.UsageError, asyncio.InvalidStateError, DecodeError, OSError) as error:
        raise Unavailable(code="peer_connection") from error


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
