"""One identifier, one record: whoever races, retries or repeats, in one process or two."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from random import Random

import msgspec
import pytest

from node.domain.record import decode_content
from node.errors import LimitExceeded, Unavailable
from node.registration.register import Registrar, Request
from node.registration.requests import Actor, Item, ItemResult, Role
from node.storage import record_queries
from tests.builders import (
    FREE_PREFIX,
    OTHER_PRODUCER,
    PREFIX,
    PRODUCER,
    SUSPENDED_PREFIX,
    TEST_PREFIX,
    assert_sound,
    counts,
    item,
    lot,
    register_at,
    register_lots,
    register_one,
    writers,
)
from tests.contract.storms import race, storm, submit

FULL = os.environ.get("XIBIAO_FULL") == "1"
KEYS, REQUESTS, RACES = (10_000, 100_000, 10_000) if FULL else (200, 2_000, 200)


async def test_requests_repeated_under_the_same_keys_have_one_effect_a_key(store_url: str) -> None:
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        with writers(one.coalescer), writers(two.coalescer):
            answers = await storm((one, two), keys=KEYS, requests=REQUESTS, parallel=50)
        assert len(answers) == KEYS
        assert all(len(given) == 1 for given in answers.values())
        rows = await counts(one.database)
        assert (rows["record"], rows["change"], rows["idempotency"]) == (KEYS, KEYS, KEYS)
        await one.sequencer.drain()
        await assert_sound(one.database)


async def test_every_race_for_an_identifier_has_one_winner(store_url: str) -> None:
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        with writers(one.coalescer), writers(two.coalescer):
            outcomes = await race((one, two), races=RACES, parallel=50)
        assert all(
            tally == Counter({"registered": 1, "already_registered": 3})
            for tally in outcomes.values()
        )
        assert (await counts(one.database))["change"] == RACES


async def test_requests_that_were_served_are_timed(store_url: str) -> None:
    async with register_at(store_url) as register:
        with writers(register.coalescer):
            await submit(register, item(lot(1)))
            await register_lots(register, range(2, 5))
        (timing,) = register.timings.registering.take(1 << 60).values()
        assert timing.number == 2
        assert 0 < timing.shortest_us <= timing.longest_us


async def test_two_batches_in_opposite_order_both_end(store_url: str) -> None:
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        numbers = list(range(300))
        shuffled = Random(3).sample(numbers, len(numbers))
        first, second = await asyncio.gather(
            register_lots(one, numbers), register_lots(two, shuffled)
        )
        tally = Counter(result.outcome for result in first + second)
        assert tally == Counter({"registered": 300, "duplicate": 300})


async def test_a_large_batch_stores_what_is_new_and_settles_the_rest(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, [1, 2])
        equipment = Item(
            identifier=lot(500),
            object_class="equipment",
            attributes={"equipment_name": "回转窑"},
        )
        items = [
            *(item(lot(number), lot_no=f"L-{number}") for number in range(200)),
            item(lot(2), lot_no="another"),  # held by another record
            item(lot(199), lot_no="L-199"),  # again, the same
            item(lot(198), lot_no="another"),  # again, another
            item(lot(300, TEST_PREFIX)),
            equipment,
        ]
        results = await register.registrar.register(items, actor=PRODUCER, source_kind="batch")
        outcomes = [r.code or r.outcome for r in results]
        assert outcomes[:200] == ["registered", "duplicate", "duplicate"] + ["registered"] * 197
        assert outcomes[200:] == [
            "already_registered",
            "duplicate",
            "already_registered",
            "registered",
            "registered",
        ]
        rows = await counts(register.database)
        assert (rows["record"], rows["change"], rows["pending"]) == (202, 202, 202)
        async with register.database.read() as scope:
            stored = await record_queries.find_within(scope, [lot(500), lot(300, TEST_PREFIX)])
        assert {(r.object_class, r.template, r.is_test) for r in stored.values()} == {
            ("equipment", "equipment/1", False),
            ("batch", "ree-batch/1", True),
        }
        await register.sequencer.drain()
        await assert_sound(register.database)


async def test_a_failed_transaction_is_told_to_those_it_held_only(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise Unavailable

    async with register_at(store_url) as register:
        await register_lots(register, [1])
        monkeypatch.setattr(Registrar, "store", fail)
        requests = [Request([item(lot(n))], PRODUCER, "api") for n in (1, 2)]
        refused, fresh = await register.registrar.register_all(requests)
        assert isinstance(refused, Unavailable)
        stored = (await counts(register.database))["record"] == 2
        assert stored == register.database.is_postgresql
        assert (fresh is None) == stored == bool(requests[1].results)


async def test_the_same_facts_again_are_a_duplicate_and_others_are_refused(store_url: str) -> None:
    async with register_at(store_url) as register:
        first = await register_one(register, item(lot(1)))
        again = await register_one(register, item(lot(1)))
        other = await register_one(register, item(lot(1), net_kg="999", form="POWDER"))
        stranger = await register_one(register, item(lot(1)), actor=OTHER_PRODUCER)
        assert (first.outcome, first.revision, first.status) == ("registered", 1, "active")
        assert (again.outcome, again.revision, again.receipt) == ("duplicate", 1, None)
        assert (other.outcome, other.code) == ("refused", "already_registered")
        assert [p.field for p in other.problems] == ["attributes.form", "attributes.net_kg"]
        # To somebody else the register says that it is taken, and nothing of what it holds.
        assert (stranger.code, stranger.problems) == ("already_registered", ())
        assert (await counts(register.database))["change"] == 1


async def test_an_identifier_twice_in_a_batch_is_registered_once(store_url: str) -> None:
    async with register_at(store_url) as register:
        results = await register.registrar.register(
            [item(lot(1)), item(lot(1)), item(lot(1), net_kg="7")],
            actor=PRODUCER,
            source_kind="batch",
        )
        assert [r.outcome for r in results] == ["registered", "duplicate", "refused"]
        assert (await counts(register.database))["change"] == 1


async def test_results_stand_in_the_order_of_the_items_and_faults_stay_with_theirs(
    store_url: str,
) -> None:
    async with register_at(store_url) as register:
        results = await register.registrar.register(
            [
                item(lot(9)),
                item(lot(2), net_kg="heavy"),
                item("88.111.404/X"),
                item("no identifier"),
                item(f"{SUSPENDED_PREFIX}/LOT-1"),
                item(plant=None),
                item(prefix=FREE_PREFIX),
                item(lot(1)),
                item(),
            ],
            actor=PRODUCER,
            source_kind="batch",
        )
        assert [r.code or r.outcome for r in results] == [
            "registered",
            "invalid_input",
            "no_prefix",
            "unknown",
            "wrong_state",
            "invalid_input",
            "identifier_required",
            "registered",
            "registered",
        ]
        assert [r.identifier for r in results if r.outcome == "registered"][:2] == [lot(9), lot(1)]
        assert results[-1].identifier.startswith(f"{PREFIX}/PND3A1-261120-")


async def test_one_bad_request_does_not_spoil_those_coalesced_with_it(store_url: str) -> None:
    async with register_at(store_url) as register:
        with writers(register.coalescer, 1):
            answers = await asyncio.gather(
                *(
                    submit(register, wanted)
                    for wanted in (
                        item(lot(1)),
                        item(plant=None),
                        item(prefix=FREE_PREFIX),
                        item(lot(2)),
                    )
                )
            )
        assert [a.code or a.outcome for a in answers] == [
            "registered",
            "invalid_input",
            "identifier_required",
            "registered",
        ]


async def test_a_key_bound_to_prefixes_registers_below_these_only(store_url: str) -> None:
    bound = Actor("key:bound", Role.PRODUCER, frozenset({FREE_PREFIX}))
    async with register_at(store_url) as register:
        own = await register_one(register, item(lot(1)), actor=bound)
        foreign = await register_one(register, item(), actor=bound)
        assert (own.outcome, foreign.code) == ("registered", "access_denied")


async def test_a_batch_over_the_limit_is_refused_as_a_whole(store_url: str) -> None:
    async with register_at(store_url) as register:
        with pytest.raises(LimitExceeded):
            await register.registrar.register(
                [item(lot(n)) for n in range(5_001)], actor=PRODUCER, source_kind="batch"
            )
        assert (await counts(register.database))["record"] == 0


async def test_the_test_mark_of_a_prefix_is_on_its_records(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_one(register, item(f"{TEST_PREFIX}/LOT-1"))
        await register_one(register, item(lot(1)))
        async with register.database.read() as scope:
            found = await record_queries.find_within(scope, [f"{TEST_PREFIX}/LOT-1", lot(1)])
        marks = {key: (r.is_test, decode_content(r.content).test) for key, r in found.items()}
        assert marks == {f"{TEST_PREFIX}/LOT-1": (True, True), lot(1): (False, False)}


async def test_spellings_of_one_identifier_are_one_record(store_url: str) -> None:
    async with register_at(store_url) as register:
        first = await register_one(register, item(f"{FREE_PREFIX}/Lot-a"))
        again = await register_one(register, item(f"hdl:{FREE_PREFIX}/lot-A"))
        assert first.identifier == again.identifier == f"{FREE_PREFIX}/LOT-A"
        assert again.outcome == "duplicate"


async def test_everything_said_in_the_receipt_is_in_the_log(store_url: str) -> None:
    async with register_at(store_url) as register:
        result = await register_one(register, item(lot(1)))
        await register.sequencer.drain()
        async with register.database.read() as scope:
            (row,) = await record_queries.history(scope, lot(1))
        stored = decode_content(row.content)
        assert row.leaf_index == 0
        assert (stored.identifier, stored.at) == (result.identifier, result.at)
        assert result.receipt is not None
        assert msgspec.json.decode(msgspec.json.encode(result), type=ItemResult) == result
