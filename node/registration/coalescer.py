"""Many concurrent single registrations, few transactions: a coalescer without a timer.

When a writer is free it takes whatever has arrived and commits it as one. Under light load a
request waits for nobody; under heavy load the batches grow by themselves. A timed window was
measured to be worse at every load.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from node.errors import Overloaded, XibiaoError
from node.registration.register import Registrar, Request
from node.telemetry import Metrics

_log = structlog.get_logger(__name__)

PATIENCE_S = 0.05
# Called with None when a request's results are durable, with an error when it was refused whole.
Done = Callable[[XibiaoError | None], None]


class Coalescer:
    """Bounded queue in front of `Registrar`; `run` as many writers as connections should work."""

    def __init__(
        self, registrar: Registrar, metrics: Metrics, *, queue_limit: int, batch_limit: int = 500
    ) -> None:
        self._registrar = registrar
        self._metrics = metrics
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._waiting: deque[tuple[Request, Done]] = deque()
        self._arrived = asyncio.Event()
        self._at_work = asyncio.Lock()
        # Of each key in work: the requests that were sent with the same key meanwhile.
        self._twins: dict[tuple[str, str], list[tuple[Request, Done]]] = {}

    async def submit(self, request: Request) -> None:
        """Register the request's items; its `results` are durable when this returns.

        Raises Overloaded when the queue is full, and whatever refused the request as a whole. When
        the caller goes away the request is still served.
        """
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(failure: XibiaoError | None) -> None:
            if landed.done():
                return
            if failure is None:
                landed.set_result(None)
            else:
                landed.set_exception(failure)

        self.enqueue(request, done)
        await landed

    def enqueue(self, request: Request, done: Done) -> None:
        """Register the request's items and call `done` when its `results` are durable.

        Or with the error that refused the request as a whole. Raises Overloaded when the queue is
        full. Of requests with the same key one is served at a time, so that a transaction never
        holds a key twice; the others find its answer.
        """
        place = None if request.key is None else (request.actor.id, request.key.key)
        if place in self._twins:
            self._twins[place].append((request, done))
            return
        if len(self._waiting) >= self._queue_limit:
            raise Overloaded(retry_after_s=1)
        if place is not None:
            self._twins[place] = []
        self._waiting.append((request, done))
        self._metrics.queue_depth.set(len(self._waiting))
        self._arrived.set()

    async def run(self) -> None:
        """Serve the queue for ever, in turn with the other writers."""
        while True:
            await self._arrived.wait()
            async with self._turn():
                taken = self._take()
                if taken:
                    self._metrics.coalesced_batch_size.observe(len(taken))
                    await self._serve(taken)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for the writer at work, but not for one that waits for a lock in the database.

        One transaction of forty records costs much less than two of twenty.
        """
        has_turn = False
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                has_turn = await self._at_work.acquire()
        try:
            yield
        finally:
            if has_turn:
                self._at_work.release()

    def _take(self) -> list[tuple[Request, Done]]:
        count = min(len(self._waiting), self._batch_limit)
        taken = [self._waiting.popleft() for _ in range(count)]
        if not self._waiting:
            self._arrived.clear()
        return taken

    async def _serve(self, taken: list[tuple[Request, Done]]) -> None:
        failures: list[XibiaoError | None]
        try:
            failures = await self._registrar.register_all([request for request, _ in taken])
        except XibiaoError as error:
            failures = [error] * len(taken)
        except Exception:  # noqa: BLE001 - a background loop must outlive one batch
            _log.exception("registration_batch_failed")
            failures = [XibiaoError() for _ in taken]
        for (request, done), failure in zip(taken, failures, strict=True):
            try:
                done(failure)
            except Exception:  # noqa: BLE001 - nor may one answer keep the others from theirs
                _log.exception("registration_not_answered")
            if request.key is not None:
                self._serve_twins((request.actor.id, request.key.key))

    def _serve_twins(self, place: tuple[str, str]) -> None:
        for request, done in self._twins.pop(place):
            try:
                self.enqueue(request, done)
            except Overloaded as error:
                done(error)
