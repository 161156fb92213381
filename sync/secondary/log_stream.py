"""One SyncLog call: batches in, acknowledgements out, in the same order, several under way.

Invariants: no more than `window` parts are taken from the connection before their answers left, so
what a node can make us hold is bounded; a session that ended ends its stream before the next part.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from node.errors import InvalidInput, LimitExceeded, Unavailable
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.intake import Intake
from sync.secondary.ledger import BatchOutcome, Outcome
from sync.secondary.messages import batch_message, checkpoint_message, read_batch, read_offer
from sync.secondary.sessions import Session

Pending = tuple[int, asyncio.Future[Outcome]]
"""The batch id (0 for a checkpoint), and what is going to be answered."""


class LogStream:
    """The two halves of one call, and the queue between them."""

    def __init__(
        self, intake: Intake, require: Callable[[], Session], *, window: int, max_batch: int
    ) -> None:
        """`require` returns the session of the call, or raises once it has ended."""
        self._intake = intake
        self._require = require
        self._max_batch = max_batch
        self._room = asyncio.Semaphore(window)
        self._pending: asyncio.Queue[Pending | None] = asyncio.Queue()

    async def answers(
        self, requests: AsyncIterator[pb.SyncLogRequest], stopping: asyncio.Event
    ) -> AsyncIterator[pb.SyncLogResponse]:
        """Yield an answer for each part; end after the node's last one, or when `stopping`."""
        reading = asyncio.create_task(self._read(requests), name="secondary-stream")
        stop = asyncio.create_task(self._stop_with(stopping, reading))
        try:
            while (pending := await self._pending.get()) is not None:
                batch_id, outcome = pending
                yield _message(batch_id, await outcome)
                self._room.release()
            await reading
        except asyncio.CancelledError:
            if not stopping.is_set():
                raise
            raise Unavailable("二级节点正在停止", "The secondary node is stopping") from None
        finally:
            reading.cancel()
            stop.cancel()

    async def _read(self, requests: AsyncIterator[pb.SyncLogRequest]) -> None:
        try:
            async for request in requests:
                await self._room.acquire()
                self._pending.put_nowait(self._submit(request))
        finally:
            self._pending.put_nowait(None)

    def _submit(self, request: pb.SyncLogRequest) -> Pending:
        node = self._require().node
        match request.WhichOneof("part"):
            case "batch":
                batch = read_batch(request.batch)
                if len(batch.entries) > self._max_batch:
                    raise LimitExceeded(
                        f"一批最多 {self._max_batch} 条", f"A batch has at most {self._max_batch}"
                    )
                return request.batch.batch_id, self._intake.submit((node, batch))
            case "checkpoint":
                return 0, self._intake.submit((node, read_offer(request.checkpoint)))
            case _:
                raise InvalidInput("消息没有内容", "The message has no part")

    async def _stop_with(self, stopping: asyncio.Event, reading: asyncio.Task[None]) -> None:
        await stopping.wait()
        reading.cancel()


def _message(batch_id: int, outcome: Outcome) -> pb.SyncLogResponse:
    if isinstance(outcome, BatchOutcome):
        return batch_message(batch_id, outcome)
    return checkpoint_message(outcome)
