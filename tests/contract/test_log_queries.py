"""The tables of the log: taken once, numbered without gaps, moved by compare-and-swap."""

from __future__ import annotations

import pytest

from node.domain.record import Action
from node.errors import SequencerFenced
from node.registration.requests import StatusRequest
from node.storage import log_queries
from node.storage.engine import Database
from node.storage.log_queries import LogState
from tests.builders import PRODUCER, counts, log_state, lot, register_at, register_lots

ROOT, OTHER_ROOT = bytes([7]) * 32, bytes([8]) * 32


async def test_pending_changes_are_taken_once_and_oldest_first(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, range(5))
        taken: list[list[int]] = []
        for _ in range(3):
            async with register.database.write() as scope:
                taken.append([c.change_id for c in await log_queries.take_pending(scope, 3)])
        assert [len(batch) for batch in taken] == [3, 2, 0]
        order = [change_id for batch in taken for change_id in batch]
        assert order == sorted(order)


async def test_what_a_failed_transaction_took_is_pending_again(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, range(5))
        with pytest.raises(SequencerFenced):
            await take_and_fail(register.database)
        assert (await counts(register.database))["pending"] == 5


async def take_and_fail(database: Database) -> None:
    async with database.write() as scope:
        assert len(await log_queries.take_pending(scope, 3)) == 3
        raise SequencerFenced


async def test_the_state_moves_only_from_where_it_is(store_url: str) -> None:
    async with register_at(store_url) as register:
        before = await log_state(register.database)
        assert (before.size, before.checkpoint, before.signed_at) == (0, b"", "")
        after = LogState(5, ROOT, b"note", "2026-11-21T09:00:00.000Z")
        async with register.database.write() as scope:
            await log_queries.advance(scope, before, after)
        assert await log_state(register.database) == after
        for stale in (before, LogState(5, OTHER_ROOT, b"note", ""), LogState(4, ROOT, b"", "")):
            with pytest.raises(SequencerFenced):
                await advance(register.database, stale, LogState(9, OTHER_ROOT, b"x", "y"))
        assert await log_state(register.database) == after


async def advance(database: Database, before: LogState, after: LogState) -> None:
    async with database.write() as scope:
        await log_queries.advance(scope, before, after)


async def test_tiles_grow_and_bundles_are_written_once(store_url: str) -> None:
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            await log_queries.put_tiles(scope, [(0, 0, b"a"), (1, 0, b"b"), (0, 1 << 40, b"c")])
            await log_queries.put_tiles(scope, [(0, 0, b"aa")])
            await log_queries.put_tiles(scope, [])
            await log_queries.put_bundles(scope, [(3, b"bundle")])
        async with register.database.read() as scope:
            tiles = await log_queries.read_tiles(scope, [(0, 0), (1, 0), (0, 1 << 40), (0, 5)] * 2)
            assert await log_queries.read_bundle(scope, 3) == b"bundle"
            assert await log_queries.read_bundle(scope, 4) is None
        assert tiles == {(0, 0): b"aa", (1, 0): b"b", (0, 1 << 40): b"c"}


async def test_a_leaf_is_found_by_its_record_before_and_after_it_is_logged(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, [1, 2])
        async with register.database.read() as scope:
            pending = await log_queries.leaf_of(scope, lot(2))
            assert await log_queries.leaf_of(scope, lot(9)) is None
        await register.sequencer.drain()
        async with register.database.read() as scope:
            logged = await log_queries.leaf_of(scope, lot(2))
            leaves = await log_queries.leaves(scope, 0, 10)
        assert pending is not None
        assert logged is not None
        assert (pending[0], logged[0]) == (None, 1)
        assert pending[1] == logged[1] == leaves[1]


async def test_followers_hear_of_changes_but_not_of_first_registrations(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, range(4))
        await register.sequencer.drain()
        for number in (2, 0, 3):
            await register.life_cycle.set_status(
                lot(number), Action.SUSPEND, StatusRequest("drill"), actor=PRODUCER
            )
        await register.sequencer.drain()
        heard: list[tuple[int, str]] = []
        position, steps = 0, []
        while True:
            async with register.database.read() as scope:
                position, changed = await log_queries.changed_since(scope, position, 2)
            steps.append(position)
            if not changed:
                break
            heard += changed
        assert heard == [(4, lot(2)), (5, lot(0)), (6, lot(3))]
        assert steps == [6, 7, 7]


async def test_the_backlog_is_counted_no_further_than_asked(store_url: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, range(10))
        async with register.database.read() as scope:
            assert await log_queries.pending_count(scope, 100) == 10
            assert await log_queries.pending_count(scope, 4) == 4
