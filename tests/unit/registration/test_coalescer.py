"""Many requests, few transactions: who waits for whom, and what each is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from node.errors import IdempotencyMismatch, Overloaded, Unavailable, XibiaoError
from node.registration.coalescer import Coalescer
from node.registration.register import Registrar, Request
from node.telemetry import Metrics
from tests.builders import OTHER_PRODUCER, PRODUCER, idempotency_key, writers


class RecordingRegistrar:
    """Keeps the batches it was given, and lets each go on only when the test says so."""

    def __init__(self, outcome: Exception | None = None) -> None:
        self.batches: list[list[Request]] = []
        self.gate = asyncio.Semaphore(0)
        self.outcome = outcome

    async def register_all(self, requests: Sequence[Request]) -> list[XibiaoError | None]:
        """Serve a batch as the test wishes."""
        self.batches.append(list(requests))
        await self.gate.acquire()
        if self.outcome is not None:
            raise self.outcome
        return [IdempotencyMismatch() if r.source_kind == "bad" else None for r in requests]


def coalescer(registrar: RecordingRegistrar, **limits: int) -> Coalescer:
    """Return a coalescer in front of the recorder."""
    return Coalescer(cast(Registrar, registrar), Metrics(), **({"queue_limit": 100} | limits))


def request(name: str = "", *, kind: str = "api") -> Request:
    """Return a request, with an idempotency key when it has a name."""
    return Request([], PRODUCER, kind, idempotency_key(name) if name else None)


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_arrives_while_a_writer_is_busy_is_served_together() -> None:
    registrar = RecordingRegistrar()
    queue = coalescer(registrar)
    with writers(queue, 1):
        first = asyncio.create_task(queue.submit(request()))
        await settle()
        others = [asyncio.create_task(queue.submit(request())) for _ in range(5)]
        await settle()
        assert [len(batch) for batch in registrar.batches] == [1]
        registrar.gate.release()
        registrar.gate.release()
        await asyncio.gather(first, *others)
    assert [len(batch) for batch in registrar.batches] == [1, 5]


async def test_a_batch_is_no_larger_than_its_limit() -> None:
    registrar = RecordingRegistrar()
    queue = coalescer(registrar, batch_limit=3)
    tasks = [asyncio.create_task(queue.submit(request())) for _ in range(7)]
    await settle()
    for _ in range(3):
        registrar.gate.release()
    with writers(queue, 1):
        await asyncio.gather(*tasks)
    assert [len(batch) for batch in registrar.batches] == [3, 3, 1]


async def test_a_full_queue_says_so_at_once() -> None:
    queue = coalescer(RecordingRegistrar(), queue_limit=2)
    waiting = [asyncio.create_task(queue.submit(request())) for _ in range(2)]
    await settle()
    with pytest.raises(Overloaded):
        await queue.submit(request())
    for task in waiting:
        task.cancel()


async def test_a_refusal_reaches_its_own_request_only() -> None:
    registrar = RecordingRegistrar()
    registrar.gate.release()
    queue = coalescer(registrar)
    tasks = [asyncio.create_task(queue.submit(request(kind=k))) for k in ("api", "bad", "api")]
    with writers(queue, 1):
        told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(t) for t in told] == [type(None), IdempotencyMismatch, type(None)]


@pytest.mark.parametrize(
    ("failure", "told"), [(Unavailable(), Unavailable), (ZeroDivisionError(), XibiaoError)]
)
async def test_a_failed_transaction_fails_its_requests_and_not_the_writer(
    failure: Exception, told: type[XibiaoError]
) -> None:
    registrar = RecordingRegistrar(failure)
    queue = coalescer(registrar)
    with writers(queue, 1):
        for _ in range(2):
            registrar.gate.release()
            with pytest.raises(told):
                await queue.submit(request())


async def test_a_second_request_with_the_key_waits_for_the_first() -> None:
    registrar = RecordingRegistrar()
    queue = coalescer(registrar)
    with writers(queue, 2):
        tasks = [asyncio.create_task(queue.submit(request("k"))) for _ in range(3)]
        stranger = Request([], OTHER_PRODUCER, "api", idempotency_key("k"))
        tasks.append(asyncio.create_task(queue.submit(stranger)))
        await settle()
        in_work = [r for batch in registrar.batches for r in batch]
        assert [r.actor for r in in_work] == [PRODUCER, OTHER_PRODUCER]
        for _ in tasks:
            registrar.gate.release()
        await asyncio.gather(*tasks)
    assert all(len({(r.actor.id, r.key) for r in b}) == len(b) for b in registrar.batches)


async def test_a_client_that_leaves_holds_its_key_until_it_is_served() -> None:
    registrar = RecordingRegistrar()
    queue = coalescer(registrar)
    hasty = asyncio.create_task(queue.submit(request("k")))
    await settle()
    hasty.cancel()
    repeated = asyncio.create_task(queue.submit(request("k")))
    await settle()
    with writers(queue, 1):
        await settle()
        assert [len(batch) for batch in registrar.batches] == [1]
        registrar.gate.release()
        registrar.gate.release()
        await repeated
    assert [len(batch) for batch in registrar.batches] == [1, 1]
    assert hasty.cancelled()
