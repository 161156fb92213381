"""The contract's calls, each a few lines over the writing thread or a reading one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from node.domain.signed_note import Cosigner
from node.errors import AccessDenied, LimitExceeded, NotFound
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.proto.idlink.v1.secondary_link_pb2_grpc import SecondaryLinkServicer
from sync.secondary import directives, documents, receipts, reconciliation
from sync.secondary.call_edge import Context, peer_certificate, session_token
from sync.secondary.documents import Reading
from sync.secondary.faults import Faults
from sync.secondary.intake import Intake
from sync.secondary.ledger import Hello, Ledger
from sync.secondary.log_stream import LogStream
from sync.secondary.messages import (
    PREFIX_STATES,
    item_results,
    position_message,
    read_question,
    read_retried,
    reply_message,
)
from sync.secondary.sessions import Session, Sessions
from sync.secondary.store import directive_rows, node_rows, record_rows
from sync.secondary.store.connection import Connection
from sync.secondary.store.directive_rows import DirectiveRow
from sync.secondary.store.log_rows import index_of
from sync.secondary.store.thread import StoreThread
from sync.transport_security import ANY_NODE, TransportGuard

_T = TypeVar("_T")
WATCH_PAUSE_S = 0.25
DIRECTIVES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What one node may ask for. `max_batch` entries a message, `window` messages under way."""

    max_batch: int = 2_000
    window: int = 8
    max_message_bytes: int = 4 << 20
    call_timeout_s: float = 60.0
    session_lifetime_ms: int = 3_600_000
    max_streams: int = 100  # of one connection
    max_calls: int = 1_000  # of all connections


@dataclass(frozen=True, slots=True)
class Threads:
    """Who works on the file: one thread writes, one answers short questions, one compares."""

    writer: StoreThread
    reader: StoreThread
    comparer: StoreThread


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of."""

    threads: Threads
    ledger: Ledger
    intake: Intake
    sessions: Sessions
    guard: TransportGuard
    faults: Faults
    limits: Limits
    now_ms: Callable[[], int]
    cosigner: Cosigner


class SecondaryLinkService(SecondaryLinkServicer):
    """Serves idlink.v1.SecondaryLink; errors are translated by `call_edge`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ledger, self._threads = parts.ledger, parts.threads
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the streams; calls that were begun are answered."""
        self._stopping.set()

    async def OpenSession(
        self, request: pb.OpenSessionRequest, context: Context
    ) -> pb.OpenSessionResponse:
        """Begin a session: the node, its log's key and its prefixes."""
        self._require_own_key(context, request.node_id)
        hello = Hello(request.node_id, tuple(request.prefixes), request.log_verifier_key)
        node = await self._threads.writer.run(lambda db: self._ledger.open(db, hello))
        session = self._parts.sessions.open(node, request.node_id)
        position = await self._read(lambda db: self._ledger.position(db, node))
        return pb.OpenSessionResponse(
            token=session.token,
            expires_at_ms=session.expires_at_ms,
            server_time_ms=self._parts.now_ms(),
            capabilities=self._capabilities(),
            position=position_message(position),
            cosigner_verifier_key=self._parts.cosigner.verifier_key(),
            cosigned_note=position.cosigned_note,
        )

    async def Heartbeat(
        self, request: pb.HeartbeatRequest, context: Context
    ) -> pb.HeartbeatResponse:
        """Note that a node lives; tell it what is held and how many orders wait."""
        node, now_ms = self._session(context).node, self._parts.now_ms()
        await self._threads.writer.run(
            lambda db: node_rows.set_heard(db, node, at_ms=now_ms, health=request.state)
        )
        position = await self._read(lambda db: self._ledger.position(db, node))
        waiting = await self._read(lambda db: directive_rows.count_waiting(db, node))
        return pb.HeartbeatResponse(
            server_time_ms=now_ms,
            position=position_message(position),
            waiting_directives=waiting,
            capabilities=self._capabilities(),
        )

    async def SyncLog(
        self, request_iterator: AsyncIterator[pb.SyncLogRequest], context: Context
    ) -> AsyncIterator[pb.SyncLogResponse]:
        """Take the log; see `log_stream`."""
        limits = self._capabilities()
        stream = LogStream(
            self._parts.intake,
            lambda: self._session(context),
            window=limits.window,
            max_batch=limits.max_batch,
        )
        async for answer in stream.answers(request_iterator, self._stopping):
            yield answer

    async def RetryItems(
        self, request: pb.RetryItemsRequest, context: Context
    ) -> pb.RetryItemsResponse:
        """Apply items whose leaves are held."""
        node, items = self._session(context).node, read_retried(request.items)
        if len(items) > self._parts.limits.max_batch:
            raise LimitExceeded("一次重试的条目过多", "Too many items to retry at once")
        results = await self._threads.writer.run(lambda db: self._ledger.retry(db, node, items))
        return pb.RetryItemsResponse(results=item_results(results))

    async def IssueReceipt(
        self, request: pb.IssueReceiptRequest, context: Context
    ) -> pb.IssueReceiptResponse:
        """State what is held and applied of the first leaves of the node's log."""
        node, now_ms = self._session(context).node, self._parts.now_ms()
        note = await self._threads.comparer.run(
            lambda db: receipts.issue(
                db, node, request.size, cosigner=self._parts.cosigner, at_ms=now_ms
            )
        )
        return pb.IssueReceiptResponse(note=note)

    async def PutTemplate(
        self, request: pb.PutTemplateRequest, context: Context
    ) -> pb.PutTemplateResponse:
        """Learn a template."""
        receipt = await self._file(context, documents.template_document(request.template))
        return pb.PutTemplateResponse(receipt=receipt)

    async def PutRoute(self, request: pb.PutRouteRequest, context: Context) -> pb.PutRouteResponse:
        """Learn where a prefix is resolved."""
        receipt = await self._file(context, documents.route_document(request.route))
        return pb.PutRouteResponse(receipt=receipt)

    async def PutProfile(
        self, request: pb.PutProfileRequest, context: Context
    ) -> pb.PutProfileResponse:
        """Learn who the company is."""
        receipt = await self._file(context, documents.profile_document(request.profile))
        return pb.PutProfileResponse(receipt=receipt)

    async def GetPrefix(
        self, request: pb.GetPrefixRequest, context: Context
    ) -> pb.GetPrefixResponse:
        """Tell state, quota and live records of a prefix of the node."""
        node = self._session(context).node
        for prefix in await self._read(lambda db: node_rows.prefixes(db, node)):
            if prefix.name == request.prefix:
                return pb.GetPrefixResponse(
                    prefix=prefix.name,
                    state=PREFIX_STATES[prefix.state],
                    registration_quota=prefix.quota,
                    live_records=prefix.live,
                )
        raise NotFound("该前缀不属于该企业节点", "This prefix is not the node's")

    async def GetRecord(
        self, request: pb.GetRecordRequest, context: Context
    ) -> pb.GetRecordResponse:
        """Tell what is held of an identifier of the node."""
        node, identifier = self._session(context).node, request.identifier
        held = await self._read(lambda db: record_rows.find(db, node, identifier))
        if held is None:
            return pb.GetRecordResponse(found=False)
        return pb.GetRecordResponse(found=True, index=index_of(held.key), shared=held.shared)

    async def Reconcile(
        self, request: pb.ReconcileRequest, context: Context
    ) -> pb.ReconcileResponse:
        """Compare records by digests."""
        node, question = self._session(context).node, read_question(request)
        reply = await self._threads.comparer.run(
            lambda db: reconciliation.answer(db, node, question)
        )
        return reply_message(reply)

    async def WithdrawRecords(
        self, request: pb.WithdrawRecordsRequest, context: Context
    ) -> pb.WithdrawRecordsResponse:
        """Drop records that no leaf stands for."""
        node, now_ms = self._session(context).node, self._parts.now_ms()
        identifiers = tuple(dict.fromkeys(request.identifiers))
        staying = await self._threads.writer.run(
            lambda db: self._ledger.withdraw(db, node, identifiers)
        )
        receipt = pb.Receipt(
            accepted=not staying,
            code="held_by_log" if staying else "stored",
            message=", ".join(staying[:10]),
            at_ms=now_ms,
        )
        return pb.WithdrawRecordsResponse(receipt=receipt)

    async def ReportDay(
        self, request: pb.ReportDayRequest, context: Context
    ) -> pb.ReportDayResponse:
        """Take the figures of a day."""
        receipt = await self._file(context, documents.day_report_document(request.report))
        return pb.ReportDayResponse(receipt=receipt)

    async def ReportEvent(
        self, request: pb.ReportEventRequest, context: Context
    ) -> pb.ReportEventResponse:
        """Take a disturbance or its end."""
        receipt = await self._file(context, documents.event_document(request.event))
        return pb.ReportEventResponse(receipt=receipt)

    async def WatchDirectives(
        self, request: pb.WatchDirectivesRequest, context: Context
    ) -> AsyncIterator[pb.WatchDirectivesResponse]:
        """Yield orders that wait, and new ones as they are given (also by another process)."""
        node, after = self._session(context).node, request.after_directive_id
        number = await self._read(lambda db: directive_rows.number_of(db, node, after))
        while not self._stopping.is_set():
            self._session(context)
            for row in await self._read(partial(_waiting, node=node, after=number)):
                yield pb.WatchDirectivesResponse(directive=pb.Directive.FromString(row.body))
                number = row.number
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), WATCH_PAUSE_S)

    async def AcknowledgeDirective(
        self, request: pb.AcknowledgeDirectiveRequest, context: Context
    ) -> pb.AcknowledgeDirectiveResponse:
        """Take a node's answer to an order."""
        node, now_ms = self._session(context).node, self._parts.now_ms()
        receipt = await self._threads.writer.run(
            lambda db: directives.acknowledge(db, node, request, at_ms=now_ms)
        )
        return pb.AcknowledgeDirectiveResponse(receipt=receipt)

    def end_sessions(self) -> None:
        """End every session (the fault script)."""
        self._parts.sessions.end_all()

    async def roll_back(self, token: str, leaves: int) -> None:
        """Forget the last leaves of a session's node (the fault script)."""
        node = self._parts.sessions.require(token).node
        await self._threads.writer.run(lambda db: self._ledger.rewind(db, node, leaves))

    def _session(self, context: Context) -> Session:
        session = self._parts.sessions.require(session_token(context))
        self._require_own_key(context, session.name)
        return session

    def _require_own_key(self, context: Context, node_name: str) -> None:
        """Refuse (AccessDenied) a node whose pinned key is allotted to another one."""
        if self._parts.guard.check(peer_certificate(context)) not in (ANY_NODE, node_name):
            raise AccessDenied(
                "该公钥属于另一企业节点", "This public key is another node's", code="other_node"
            )

    def _capabilities(self) -> pb.Capabilities:
        limits, lowered = self._parts.limits, self._parts.faults.max_batch
        return pb.Capabilities(
            max_batch=min(limits.max_batch, lowered or limits.max_batch),
            window=limits.window,
            max_message_bytes=limits.max_message_bytes,
            digest_reconcile=True,
            directives=True,
        )

    async def _file(self, context: Context, reading: Reading) -> pb.Receipt:
        node, now_ms = self._session(context).node, self._parts.now_ms()

        def job(db: Connection) -> pb.Receipt:
            receipt = documents.file(db, node, reading, at_ms=now_ms)
            # A new template is known to the very next batch.
            self._ledger.states.forget()
            return receipt

        return await self._threads.writer.run(job)

    async def _read(self, job: Callable[[Connection], _T]) -> _T:
        return await self._threads.reader.run(job)


def _waiting(db: Connection, *, node: int, after: int) -> list[DirectiveRow]:
    return directive_rows.waiting(db, node, after_number=after, limit=DIRECTIVES_AT_ONCE)
