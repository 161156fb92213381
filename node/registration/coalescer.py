"""Many concurrent single registrations, few transactions: a coalescer without a timer.

When a writer is free it takes whatever has arrived and commits it as one. Under light load a
request waits for nobody; under heavy load the batches grow by themselves. A timed window was
measured to be worse at every load.
"""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from node.errors import Overloaded, XibiaoError
from node.registration.register import Registrar, Request
from node.telemetry import Metrics

_log = structlog.get_logger(__name__)


class Coalescer:
    """Bounded queue in front of `Registrar`; `run` as many writers as connections should work."""

    def __init__(
        self, registrar: Registrar, metrics: Metrics, *, queue_limit: int, batch_limit: int = 500
    ) -> None:
        self._registrar = registrar
        self._metrics = metrics
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._waiting: deque[tuple[Request, asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()
        self._in_work: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def submit(self, request: Request) -> None:
        """Register the request's items; its `results` are durable when this returns.

        Raises Overloaded when the queue is full, and whatever refused the request as a whole.
        """
        while (twin := self._twin(request)) is not None:
            # The same key is being served right now; afterwards its answer will be found.
            await asyncio.wait([twin])
        if len(self._waiting) >= self._queue_limit:
            raise Overloaded(retry_after_s=1)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if request.key is not None:
            place = (request.actor.id, request.key.key)
            self._in_work[place] = done
            done.add_done_callback(lambda _: self._in_work.pop(place))
        self._waiting.append((request, done))
        self._metrics.queue_depth.set(len(self._waiting))
        self._arrived.set()
        # Shielded: when the client goes away its request is still served, and until then nobody
        # else is let in with the same key, so a transaction never holds a key twice.
        await asyncio.shield(done)

    def _twin(self, request: Request) -> asyncio.Future[None] | None:
        if request.key is None:
            return None
        return self._in_work.get((request.actor.id, request.key.key))

    async def run(self) -> None:
        """Serve the queue for ever."""
        while True:
            await self._arrived.wait()
            taken = [
                self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_limit))
            ]
            if not self._waiting:
                self._arrived.clear()
            if taken:
                self._metrics.coalesced_batch_size.observe(len(taken))
                await self._serve(taken)

    async def _serve(self, taken: list[tuple[Request, asyncio.Future[None]]]) -> None:
        failures: list[XibiaoError | None]
        try:
            failures = await self._registrar.register_all([request for request, _ in taken])
        except XibiaoError as error:
            failures = [error] * len(taken)
        except Exception:  # noqa: BLE001 - a background loop must outlive one batch
            _log.exception("registration_batch_failed")
            failures = [XibiaoError() for _ in taken]
        for (_, done), failure in zip(taken, failures, strict=True):
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)
