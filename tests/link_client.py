"""A client of a secondary node that sends a TinyLog: plain messages, no code of the node's side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc

from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.proto.idlink.v1.secondary_link_pb2_grpc import SecondaryLinkStub
from sync.secondary.verification import Entry
from sync.secondary.witness import Offer
from tests.tiny_log import PREFIX, TinyLog

NODE = "node-1"
# Only bounds a failure: nothing here takes as long.
PATIENCE_S = 30.0


class LinkClient:
    """One session of a node; `stub` for calls that have no method of their own here."""

    def __init__(self, channel: grpc.aio.Channel, log: TinyLog, node: str) -> None:
        self.stub: Any = SecondaryLinkStub(channel)  # type: ignore[no-untyped-call]
        self.log = log
        self.node = node
        self.token = ""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What calls of the session carry."""
        return (("idlink-session", self.token),)

    async def open(self, prefixes: Sequence[str] = (PREFIX,)) -> pb.OpenSessionResponse:
        """Open a session and make the template known."""
        hello = pb.OpenSessionRequest(
            node_id=self.node, prefixes=prefixes, log_verifier_key=self.log.signer.verifier_key()
        )
        opened: pb.OpenSessionResponse = await self.stub.OpenSession(hello, timeout=PATIENCE_S)
        self.token = opened.token
        template = pb.Template(name="ree-batch", version=1, object_class="batch", digest="0" * 64)
        await self.call("PutTemplate", pb.PutTemplateRequest(template=template))
        return opened

    async def call(self, name: str, request: Any) -> Any:
        """Make a unary call of the session."""
        method = getattr(self.stub, name)
        return await method(request, metadata=self.metadata, timeout=PATIENCE_S)

    async def sync(self, *parts: pb.SyncLogRequest) -> list[pb.SyncLogResponse]:
        """Send parts on one stream and return every answer."""
        stream = self.stub.SyncLog(metadata=self.metadata, timeout=PATIENCE_S)
        writing = asyncio.ensure_future(self._write(stream, parts))
        try:
            return [answer async for answer in stream]
        finally:
            writing.cancel()

    async def send(self, first: int = 0, end: int | None = None, size: int = 50) -> pb.BatchResult:
        """Send leaves of the log in batches and return the last answer."""
        entries = self.log.entries[first:end]
        starts = range(0, len(entries), size)
        batches = [batch(first + n, entries[n : n + size]) for n in starts]
        return (await self.sync(*batches))[-1].batch

    async def offer(self, offered: Offer) -> pb.CheckpointResult:
        """Offer a checkpoint and return the answer."""
        (answer,) = await self.sync(checkpoint(offered))
        return answer.checkpoint

    async def position(self) -> pb.LogPosition:
        """Return what is held."""
        response: pb.HeartbeatResponse = await self.call("Heartbeat", pb.HeartbeatRequest())
        return response.position

    async def _write(self, stream: Any, parts: Sequence[pb.SyncLogRequest]) -> None:
        for part in parts:
            await stream.write(part)
        await stream.done_writing()


@asynccontextmanager
async def link_client(address: str, log: TinyLog, node: str = NODE) -> AsyncIterator[LinkClient]:
    """Connect to a secondary node without TLS."""
    options = (("grpc.max_receive_message_length", 16 << 20),)
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield LinkClient(channel, log, node)


def batch(first: int, entries: Sequence[Entry], batch_id: int = 0) -> pb.SyncLogRequest:
    """Return a batch; its id is its first index unless told."""
    messages = [pb.Entry(leaf=e.leaf, opening=opening(e)) for e in entries]
    whole = pb.Batch(batch_id=batch_id or first, first_index=first, entries=messages)
    return pb.SyncLogRequest(batch=whole)


def opening(entry: Entry) -> pb.Opening | None:
    """Return an opening as a message."""
    given = entry.opening
    if given is None:
        return None
    return pb.Opening(salt=given.salt, withheld_digest=given.withheld_digest, shared=given.shared)


def checkpoint(offer: Offer) -> pb.SyncLogRequest:
    """Return a checkpoint to be cosigned."""
    return pb.SyncLogRequest(
        checkpoint=pb.CheckpointOffer(
            note=offer.note, old_size=offer.old_size, consistency_path=offer.path
        )
    )
