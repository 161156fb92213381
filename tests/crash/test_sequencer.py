"""The sequencer dies at every point, twice over, and the log is whole after each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from admin.parts import Register
from node.domain.record import Action
from node.errors import IntegrityFailure, SequencerFenced
from node.registration.requests import StatusRequest
from node.registration.sequencer import Sequencer
from node.storage import log_queries
from tests.builders import (
    PRODUCER,
    START,
    Clock,
    assert_sound,
    build,
    counts,
    log_state,
    lot,
    no_gap,
    register_at,
    register_lots,
)

GAPS = ("locked", "taken", "written", "advanced", "committed")


class Killed(Exception):
    """The process ends here."""


def dies_at(name: str, *, pass_number: int = 1) -> Callable[[str], None]:
    """Return a gap that raises at the `pass_number`-th visit of the gap called `name`."""
    visits = 0

    def gap(visited: str) -> None:
        nonlocal visits
        visits += visited == name
        if visited == name and visits == pass_number:
            raise Killed

    return gap


@pytest.mark.parametrize("name", GAPS)
async def test_a_crash_in_a_gap_loses_nothing_and_logs_nothing_twice(
    store_url: str, name: str
) -> None:
    async with register_at(store_url, gap=dies_at(name, pass_number=2), batch_size=200) as register:
        await register_lots(register, range(500))
        with pytest.raises(Killed):
            await register.sequencer.drain()
        # "committed" is the failure whose effect was stored: the second batch is in the log.
        stored = 400 if name == "committed" else 200
        assert (await log_state(register.database)).size == stored
        await assert_sound(register.database)
        # The same sequencer goes on, having thrown its tree away …
        assert await register.sequencer.run_batch() == min(200, 500 - stored)
        await assert_sound(register.database)
    # … and so does a new process.
    async with register_at(store_url, batch_size=200) as restarted:
        await register_lots(restarted, range(500, 600))
        await restarted.sequencer.drain()
        await assert_sound(restarted.database)
        rows = await counts(restarted.database)
        assert (rows["leaf"], rows["pending"], rows["change"]) == (600, 0, 600)


async def test_crash_after_crash_at_random_gaps_the_log_stays_whole(store_url: str) -> None:
    random = Random(17)
    registered = 0
    for _ in range(12):
        gap = dies_at(random.choice(GAPS), pass_number=random.randint(1, 3))
        size = random.choice((1, 60, 255, 256, 257))
        async with register_at(store_url, gap=gap, batch_size=size) as register:
            fresh = random.randint(1, 150)
            await register_lots(register, range(registered, registered + fresh))
            registered += fresh
            for _ in range(4):
                try:
                    await register.sequencer.run_batch()
                except Killed:
                    break
            await assert_sound(register.database)
    async with register_at(store_url) as register:
        await register.sequencer.drain()
        await assert_sound(register.database)
        assert (await counts(register.database))["leaf"] == registered


@pytest.mark.parametrize("batch_size", [1, 255, 256, 257, 1000])
async def test_the_tree_does_not_depend_on_the_size_of_the_batches(
    store_url: str, batch_size: int
) -> None:
    total = 40 if batch_size == 1 else 1_100
    async with register_at(store_url, batch_size=batch_size) as register:
        await register_lots(register, range(total))
        await register.sequencer.drain()
        await assert_sound(register.database)
        assert (await log_state(register.database)).size == total


async def test_an_empty_log_is_signed_once(store_url: str) -> None:
    async with register_at(store_url) as register:
        assert await register.sequencer.run_batch() == 0
        first = await log_state(register.database)
        await assert_sound(register.database)
        assert await register.sequencer.run_batch() == 0
        assert await log_state(register.database) == first
        assert (first.size, first.checkpoint != b"") == (0, True)


async def test_two_sequencers_that_alternate_grow_one_log(store_url: str) -> None:
    async with (
        register_at(store_url, seed=1, batch_size=70) as one,
        register_at(store_url, seed=2, batch_size=70) as two,
    ):
        for turn in range(8):
            await register_lots((one, two)[turn % 2], range(turn * 100, turn * 100 + 100))
            await (one, two)[turn % 2].sequencer.run_batch()
        await one.sequencer.drain()
        await assert_sound(two.database)
        assert (await counts(one.database))["leaf"] == 800


async def test_fifty_starts_of_two_sequencers_at_once_make_no_fork(store_url: str) -> None:
    async with register_at(store_url, batch_size=3) as register:
        for start in range(50):
            await register_lots(register, range(start * 6, start * 6 + 6))
            starting = [fresh_sequencer(register), fresh_sequencer(register)]
            outcomes = await asyncio.gather(
                *(sequencer.run_batch() for sequencer in starting), return_exceptions=True
            )
            assert all(isinstance(o, int | SequencerFenced) for o in outcomes)
        await register.sequencer.drain()
        await assert_sound(register.database)
        assert (await counts(register.database))["leaf"] == 300


def fresh_sequencer(register: Register) -> Sequencer:
    """Return a sequencer that has just started and remembers nothing."""
    return build(register.database, Clock(), gap=no_gap, batch_size=3, random=Random(1)).sequencer


async def test_a_clock_set_back_does_not_set_the_log_back(store_url: str) -> None:
    clock = Clock()
    async with register_at(store_url, clock=clock) as register:
        await register_lots(register, range(10))
        await register.sequencer.drain()
        before = await log_state(register.database)
        clock.now = START - timedelta(days=1)
        await register_lots(register, range(10, 20))
        await register.sequencer.drain()
        after = await log_state(register.database)
        assert after.signed_at > before.signed_at
        await assert_sound(register.database)


async def test_the_revisions_of_a_record_are_logged_in_their_order(store_url: str) -> None:
    async with register_at(store_url, batch_size=2) as register:
        await register_lots(register, [1, 2])
        for number in range(6):
            action = Action.RESUME if number % 2 else Action.SUSPEND
            await register.life_cycle.set_status(
                lot(1), action, StatusRequest("drill"), actor=PRODUCER
            )
        await register.sequencer.drain()
        async with register.database.read() as scope:
            _, changed = await log_queries.changed_since(scope, 0, 100)
        assert changed == [(index, lot(1)) for index in range(2, 8)]
        await assert_sound(register.database)


TAMPERINGS = {
    "a hash of the partial tile": "UPDATE tile SET hashes = $1 WHERE level = 0 AND number = 1",
    "the partial tile is gone": "DELETE FROM tile WHERE level = 0 AND number = 1 AND $1 = $1",
    "a hash of the upper tile": "UPDATE tile SET hashes = $1 WHERE level = 1 AND number = 0",
    "the root": "UPDATE log_state SET root = $1",
    "the size": "UPDATE log_state SET size = size - 1 WHERE root <> $1",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_over_a_tampered_tree_nothing_is_signed(store_url: str, tampering: str) -> None:
    async with register_at(store_url) as register:
        await register_lots(register, range(300))
        await register.sequencer.drain()
    async with register_at(store_url) as restarted:
        await tamper(restarted, TAMPERINGS[tampering])
        before = await log_state(restarted.database)
        await register_lots(restarted, range(300, 310))
        with pytest.raises(IntegrityFailure):
            await restarted.sequencer.run_batch()
        assert await log_state(restarted.database) == before
        rows = await counts(restarted.database)
        assert (rows["pending"], rows["leaf"]) == (10, 300)


async def tamper(register: Register, statement: str) -> None:
    """Run one statement whose only parameter is a hash that belongs nowhere."""
    wrong = bytes(32) * (44 if "number = 1" in statement else 1)
    async with register.database.write() as scope:
        if scope.is_postgresql:
            statement = statement.replace("$1", "$1::bytea")
        assert await scope.rows_affected(statement, (wrong,)) == 1
