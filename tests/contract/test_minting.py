"""Minted identifiers are handed out once, never collide with a plant's own, and run out."""

from __future__ import annotations

import asyncio

import pytest

from node.domain.identifiers.check_character import compute_mod37_36
from node.domain.prefix import Prefix
from node.errors import LimitExceeded, XibiaoError
from node.registration.admission import admit
from node.registration.requests import ReserveRequest
from node.storage import serial_queries
from tests.builders import (
    KEYS,
    PREFIX,
    PRODUCER,
    START,
    attributes,
    counts,
    idempotency_key,
    item,
    put_prefixes,
    register_at,
    register_one,
    texts,
)

SERIES = "PND3A1-261120"


async def test_numbers_of_a_series_are_contiguous_and_never_twice(store_url: str) -> None:
    async with register_at(store_url) as register:

        async def take(count: int) -> range:
            async with register.database.write() as scope:
                first = await serial_queries.take(scope, PREFIX, SERIES, count)
            return range(first, first + count)

        taken = await asyncio.gather(*(take(1 + n % 5) for n in range(30)))
        assert sorted(n for numbers in taken for n in numbers) == list(range(1, 91))


async def test_fifty_parallel_mints_give_different_identifiers(store_url: str) -> None:
    async with register_at(store_url, seed=1) as one, register_at(store_url, seed=2) as two:
        results = await asyncio.gather(
            *(
                (one, two)[n % 2].registrar.register(
                    [item(lot_no=f"L-{n}")] * 5, actor=PRODUCER, source_kind="api"
                )
                for n in range(50)
            )
        )
        minted = [result for answers in results for result in answers]
        assert {r.outcome for r in minted} == {"registered"}
        assert len({r.identifier for r in minted}) == 250
        assert (await counts(one.database))["record"] == 250


async def test_suffixes_that_a_plant_used_itself_are_stepped_over(store_url: str) -> None:
    async with register_at(store_url) as register:
        foreseen = await register.minter.mint_for(Prefix(PREFIX), texts(), 40)
        for identifier in foreseen[::2]:
            await register_one(register, item(identifier))
        async with register.database.write() as scope:
            await scope.rows_affected("DELETE FROM serial", ())
        minted = await register.minter.mint_for(Prefix(PREFIX), texts(), 40)
        assert minted[:20] == foreseen[1::2]
        assert len(set(minted)) == 40
        assert not set(minted) & set(foreseen[::2])


async def test_every_minted_suffix_keeps_its_profiles_rules(store_url: str) -> None:
    async with register_at(store_url) as register:
        minted = await register.minter.mint_for(Prefix(PREFIX), texts(), 300)
        for identifier in minted:
            body, check = identifier[:-1].partition("/")[2].replace("-", ""), identifier[-1]
            assert compute_mod37_36(body) == check
            assert check not in "IO"


async def test_a_series_that_is_used_up_says_so_and_leaves_others_alone(store_url: str) -> None:
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            await serial_queries.take(scope, PREFIX, SERIES, 9_999)
        with pytest.raises(LimitExceeded) as refusal:
            await register.minter.mint_for(Prefix(PREFIX), texts(), 1)
        assert refusal.value.code == "series_full"
        results = await register.registrar.register(
            [item(), item(produced_on="2026-11-19")], actor=PRODUCER, source_kind="api"
        )
        assert [r.code or r.outcome for r in results] == ["series_full", "registered"]


async def test_the_last_number_of_a_series_can_be_used(store_url: str) -> None:
    async with register_at(store_url) as register:
        await put_prefixes(register.database, Prefix("88.111.3", profile="ascii33"))
        async with register.database.write() as scope:
            await serial_queries.take(scope, "88.111.3", "PND.261120", 999_998)
        prefix = Prefix("88.111.3", profile="ascii33")
        try:
            (minted,) = await register.minter.mint_for(prefix, texts(), 1)
        except LimitExceeded:
            minted = ""  # its check character is one of the two that are never used
        profile_suffix = minted.partition("/")[2]
        assert profile_suffix == "" or profile_suffix.startswith("PND.261120.")


async def test_rows_that_cannot_be_minted_for_are_refused_one_by_one(store_url: str) -> None:
    async with register_at(store_url) as register:
        picture = register.directory.now
        rows = [
            admit(wanted, PRODUCER, picture, START)
            for wanted in (item(), item(plant=None), item(prefix="88.111.2"), item())
        ]
        named = await register.minter.name(rows)
        kinds = [n.code if isinstance(n, XibiaoError) else "named" for n in named]
        assert kinds == ["named", "invalid_input", "identifier_required", "named"]


async def test_another_key_gives_another_order_of_serials(store_url: str) -> None:
    async with register_at(store_url) as register:
        ours = await register.minter.mint_for(Prefix(PREFIX), texts(), 5)
        serials = [int(identifier[-5:-1]) for identifier in ours]
        assert serials != sorted(serials)
        assert KEYS.serial == bytes([4]) * 32


async def test_a_reservation_repeated_under_its_key_draws_no_further_numbers(
    store_url: str,
) -> None:
    async with register_at(store_url) as register:
        asked = ReserveRequest(prefix=PREFIX, count=5_000, attributes=attributes())
        key = idempotency_key("range")
        first = await register.life_cycle.reserve(asked, actor=PRODUCER, key=key)
        again = await register.life_cycle.reserve(asked, actor=PRODUCER, key=key)
        assert first == again
