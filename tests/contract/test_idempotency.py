"""An Idempotency-Key stands for one request and one answer, whatever happens in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
import pytest

from node.domain.record import Action
from node.errors import IdempotencyMismatch, NotFound, WrongState
from node.registration.requests import ChangeRequest, ReserveRequest, StatusRequest
from node.storage import idempotency_queries
from tests.builders import (
    OTHER_PRODUCER,
    PREFIX,
    PRODUCER,
    counts,
    idempotency_key,
    item,
    lot,
    register_at,
    register_one,
    stored_status,
    writers,
)
from tests.contract.storms import submit

KEY = idempotency_key("k-1", "body")


async def test_a_repeated_request_gets_the_same_bytes_even_after_a_restart(store_url: str) -> None:
    async with register_at(store_url, seed=1) as register:
        first = await register_one(register, item(), key=KEY)
        again = await register_one(register, item(), key=KEY)
    async with register_at(store_url, seed=2) as restarted:
        later = await register_one(restarted, item(), key=KEY)
        rows = await counts(restarted.database)
    assert len({msgspec.json.encode(answer) for answer in (first, again, later)}) == 1
    assert (rows["record"], rows["change"]) == (1, 1)


async def test_a_refusal_is_repeated_too(store_url: str) -> None:
    async with register_at(store_url) as register:
        refused = await register_one(register, item(lot(1), net_kg="heavy"), key=KEY)
        again = await register_one(register, item(lot(1)), key=KEY)
        assert refused.outcome == "refused"
        assert again == refused


async def test_the_same_key_with_another_body_is_refused_without_effect(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)), key=KEY)
        with pytest.raises(IdempotencyMismatch):
            await register_one(register, item(lot(2)), key=idempotency_key("k-1", "other"))
        with writers(register.coalescer), pytest.raises(IdempotencyMismatch):
            await submit(register, item(lot(2)), key=idempotency_key("k-1", "other"))
        with pytest.raises(IdempotencyMismatch):
            await register.life_cycle.set_status(
                lot(1),
                Action.SUSPEND,
                StatusRequest("recall"),
                actor=PRODUCER,
                key=idempotency_key("k-1", "other"),
            )
        assert await stored_status(register, lot(1)) == "active"
        assert (await counts(register.database))["change"] == 1


async def test_two_actors_may_use_the_same_key(store_url: str) -> None:
    async with register_at(store_url) as register:
        one = await register_one(register, item(lot(1)), key=KEY)
        two = await register_one(register, item(lot(2)), actor=OTHER_PRODUCER, key=KEY)
        assert (one.identifier, two.identifier) == (lot(1), lot(2))


async def test_life_cycle_requests_are_repeated_without_a_second_revision(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(lot(1)))
        suspend = StatusRequest("recall")
        first = await register.life_cycle.set_status(
            lot(1), Action.SUSPEND, suspend, actor=PRODUCER, key=KEY
        )
        again = await register.life_cycle.set_status(
            lot(1), Action.SUSPEND, suspend, actor=PRODUCER, key=KEY
        )
        assert first == again
        assert first.revision == 2
        # Without a key the second one meets the state that the first one made.
        with pytest.raises(WrongState):
            await register.life_cycle.set_status(lot(1), Action.SUSPEND, suspend, actor=PRODUCER)


async def test_a_failed_request_keeps_its_key_free(store_url: str) -> None:
    async with register_at(store_url) as register:
        change = ChangeRequest("correction", attributes={"net_kg": "5"})
        with pytest.raises(NotFound):
            await register.life_cycle.change(lot(1), change, actor=PRODUCER, key=KEY)
        await register_one(register, item(lot(1)))
        done = await register.life_cycle.change(lot(1), change, actor=PRODUCER, key=KEY)
        assert done.revision == 2


async def test_concurrent_reservations_under_one_key_reserve_one_range(store_url: str) -> None:
    wanted = ReserveRequest(
        prefix=PREFIX,
        count=5,
        attributes={
            "product_code": "PND",
            "stage": "SEP",
            "plant": "A1",
            "produced_on": "2026-11-20",
        },
    )
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        answers = await asyncio.gather(
            *(
                register.life_cycle.reserve(wanted, actor=PRODUCER, key=KEY)
                for register in (one, two, one, two)
            )
        )
        assert len(set(answers)) == 1
        assert (await counts(one.database))["record"] == 5


async def test_a_client_that_leaves_and_repeats_does_not_spoil_the_batch(store_url: str) -> None:
    async with register_at(store_url) as register:
        hasty = asyncio.create_task(submit(register, item(lot(1)), key=KEY))
        await asyncio.sleep(0)
        hasty.cancel()
        with suppress(asyncio.CancelledError):
            await hasty
        repeated = asyncio.create_task(submit(register, item(lot(1)), key=KEY))
        neighbour = asyncio.create_task(submit(register, item(lot(2))))
        await asyncio.sleep(0)
        with writers(register.coalescer, 1):
            answers = await asyncio.gather(repeated, neighbour)
        assert [a.outcome for a in answers] == ["registered", "registered"]
        assert (await counts(register.database))["change"] == 2


async def test_old_answers_are_forgotten_a_portion_at_a_time(store_url: str) -> None:
    async with register_at(store_url) as register:
        for number in range(5):
            await register_one(register, item(lot(number)), key=idempotency_key(f"k-{number}"))
        async with register.database.read() as scope:
            rows = await scope.rows("SELECT answered_at FROM idempotency ORDER BY answered_at")
        limit = rows[3][0]
        gone = []
        for _ in range(3):
            async with register.database.write() as scope:
                gone.append(await idempotency_queries.forget_before(scope, limit, 2))
        assert gone == [2, 1, 0]
        assert (await counts(register.database))["idempotency"] == 2
