"""Many clients at once: storms of repeated keys and races for one identifier."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import msgspec

from admin.parts import Register
from node.errors import Overloaded, Unavailable
from node.registration.register import Request
from node.registration.requests import Actor, IdempotencyKey, Item, ItemResult
from tests.builders import OTHER_PRODUCER, PRODUCER, idempotency_key, item, lot

RETRIES = 30


async def submit(
    register: Register,
    wanted: Item,
    *,
    actor: Actor = PRODUCER,
    key: IdempotencyKey | None = None,
) -> ItemResult:
    """Send one registration through the coalescer, as the HTTP face does."""
    request = Request([wanted], actor, "api", key)
    await register.coalescer.submit(request)
    return request.results[0]


async def persist(send: Callable[[], Awaitable[ItemResult]]) -> ItemResult:
    """Repeat a request while the answer is to try again later, as clients must."""
    for attempt in range(RETRIES):
        try:
            return await send()
        except (Overloaded, Unavailable):
            await asyncio.sleep(0.001 * attempt)
    return await send()


async def storm(
    registers: Sequence[Register], *, keys: int, requests: int, parallel: int
) -> dict[int, set[bytes]]:
    """Spread requests over idempotency keys and registers; return the answers given to each key."""
    random = Random(31)
    order = [n % keys for n in range(requests)]
    random.shuffle(order)
    queue = iter([(number, random.choice(registers)) for number in order])
    answers: dict[int, set[bytes]] = defaultdict(set)

    async def client() -> None:
        for number, register in queue:
            key = idempotency_key(f"request-{number}")
            wanted = item(lot(number), lot_no=f"L-{number}")
            result = await persist(lambda: submit(register, wanted, key=key))  # noqa: B023
            answers[number].add(msgspec.json.encode(result))

    await asyncio.gather(*(client() for _ in range(parallel)))
    return answers


async def race(
    registers: Sequence[Register], *, races: int, parallel: int
) -> dict[int, Counter[str]]:
    """Let four different requests race for each of many identifiers; return what they were told."""
    runs = [(number, runner) for number in range(races) for runner in range(4)]
    queue = iter(runs)
    outcomes: dict[int, Counter[str]] = defaultdict(Counter)

    async def client() -> None:
        for number, runner in queue:
            wanted = item(lot(number), net_kg=str(1 + runner))
            actor = PRODUCER if runner % 2 else OTHER_PRODUCER
            register = registers[(number + runner // 2) % len(registers)]
            result = await persist(lambda: submit(register, wanted, actor=actor))  # noqa: B023
            outcomes[number][result.code or result.outcome] += 1

    await asyncio.gather(*(client() for _ in range(parallel)))
    return outcomes
