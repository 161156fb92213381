"""One path, one flight per key, and no stale answer whatever the order of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import IntegrityFailure, Overloaded, Unavailable
from resolver.log_follower import FollowerSettings, LogFollower
from resolver.lookup import Lookup, LookupSettings, create_lookup
from resolver.lookup_counts import LookupCounts
from resolver.resolution import Answer
from tests.unit.resolver.fakes import FakeStore, rendered

A, B = "1/A", "1/B"


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    store.register(A)
    return store


@pytest.fixture
async def lookup(store: FakeStore) -> AsyncIterator[Lookup]:
    lookup = create_lookup(store, render=rendered)
    await lookup.follower.poll()
    yield lookup
    await lookup.stop()


def status(answer: Answer) -> str | None:
    return answer.resolution.status if answer.resolution else None


async def test_second_look_up_comes_from_memory(lookup: Lookup, store: FakeStore) -> None:
    first = await lookup.resolve(A)
    assert lookup.peek(A) is first
    assert await lookup.resolve(A) is first
    assert (store.finds, lookup.counts.store, lookup.counts.memory) == ([[A]], 1, 2)


async def test_answers_that_were_not_in_memory_are_timed_once_each(store: FakeStore) -> None:
    took: list[float] = []
    lookup = create_lookup(store, render=rendered, took=took.append)
    await lookup.follower.poll()
    await asyncio.gather(lookup.resolve(A), lookup.resolve(A), lookup.resolve(B))
    await lookup.resolve(A)
    assert len(took) == 2
    assert all(seconds >= 0 for seconds in took)
    store.is_down = True
    with pytest.raises(Unavailable):
        await lookup.resolve("1/C")
    assert len(took) == 2
    await lookup.stop()


async def test_all_keys_of_one_tick_are_one_read_and_all_askers_one_flight(
    lookup: Lookup, store: FakeStore
) -> None:
    keys = [f"1/{n}" for n in range(40)] * 2
    await asyncio.gather(*(lookup.resolve(key) for key in keys))
    assert store.finds == [keys[:40]]
    assert lookup.counts.joined == 40


async def test_reads_are_batched_and_bounded(store: FakeStore) -> None:
    lookup = create_lookup(
        store, render=rendered, settings=LookupSettings(store_batch=10, store_reads=2)
    )
    await lookup.follower.poll()
    store.gate.clear()
    flights = [asyncio.create_task(lookup.resolve(f"1/{n}")) for n in range(45)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [len(keys) for keys in store.finds] == [10, 10]
    store.gate.set()
    await asyncio.gather(*flights)
    assert [len(keys) for keys in store.finds] == [10, 10, 10, 10, 5]
    await lookup.stop()


async def test_followed_change_drops_the_answer(lookup: Lookup, store: FakeStore) -> None:
    before = await lookup.resolve(A)
    store.change(A, status="suspended")
    await lookup.follower.poll()
    assert not before.alive
    assert status(await lookup.resolve(A)) == "suspended"


async def test_suspension_shows_within_one_poll_however_late_the_log_is(
    lookup: Lookup, store: FakeStore
) -> None:
    store.register("88.1/A")
    await lookup.resolve("88.1/A")
    store.change_unlogged("88.1/A", status="suspended")
    await lookup.follower.poll()
    # Nothing may be kept of it while the log does not hold the change.
    for _ in range(2):
        found = (await lookup.resolve("88.1/A")).resolution
        assert found is not None
        assert found.status == "suspended"
    assert lookup.peek("88.1/A") is None
    store.sequence()
    await lookup.follower.poll()
    await lookup.resolve("88.1/A")
    assert lookup.peek("88.1/A") is not None


async def test_change_followed_during_a_read_makes_it_read_again(
    lookup: Lookup, store: FakeStore
) -> None:
    store.gate.clear()
    flight = asyncio.create_task(lookup.resolve(A))
    await store.reading.wait()
    store.change(A, status="revoked")
    await lookup.follower.poll()
    store.gate.set()
    assert status(await flight) == "revoked"
    assert lookup.counts.overtaken == 1


async def test_absence_is_remembered_for_a_moment_only(store: FakeStore) -> None:
    lookup = create_lookup(
        store, render=rendered, settings=LookupSettings(negative_ttl_s=3600, negative_limit=2)
    )
    await lookup.follower.poll()
    assert status(await lookup.resolve(B)) is None
    assert lookup.peek(B) is not None
    lookup.forget([B])
    store.register(B)
    assert status(await lookup.resolve(B)) == "active"
    for n in range(3):
        await lookup.resolve(f"1/ABSENT{n}")
    assert lookup.peek("1/ABSENT0") is None  # Bounded: the oldest went first.
    await lookup.stop()


async def test_absences_whose_time_has_passed_take_no_room(store: FakeStore) -> None:
    lookup = create_lookup(store, render=rendered, settings=LookupSettings(negative_ttl_s=0))
    await lookup.follower.poll()
    for n in range(100):
        await lookup.resolve(f"1/ABSENT{n}")
    assert lookup.remembered_absences <= 1
    await lookup.stop()


@pytest.mark.parametrize("key", [B, A])
async def test_with_no_negative_ttl_absence_and_reservation_are_read_each_time(
    store: FakeStore, key: str
) -> None:
    store.register(A, status="reserved")
    lookup = create_lookup(store, render=rendered, settings=LookupSettings(negative_ttl_s=0))
    await lookup.follower.poll()
    await lookup.resolve(key)
    store.register(key)
    assert status(await lookup.resolve(key)) == "active"
    await lookup.stop()


async def test_whoever_writes_finds_what_he_wrote(lookup: Lookup, store: FakeStore) -> None:
    assert status(await lookup.resolve(A)) == "active"
    assert status(await lookup.resolve(B)) is None
    store.change_unlogged(A, status="suspended")
    store.register(B)
    await lookup.see([A, B])
    assert status(await lookup.resolve(A)) == "suspended"
    assert status(await lookup.resolve(B)) == "active"


async def test_looks_at_the_log_are_shared_and_never_cross(
    lookup: Lookup, store: FakeStore
) -> None:
    store.change(A, status="suspended")
    looks = 0
    unlogged = store.unlogged

    async def counting(limit: int) -> list[str]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return await unlogged(limit)

    store.unlogged = counting  # type: ignore[method-assign]
    # The first one's look has begun when the others ask: they share one that begins later.
    await asyncio.gather(*(lookup.follower.poll() for _ in range(20)))
    assert looks == 2
    assert not lookup.follower.is_dark


async def test_what_is_only_reserved_is_answered_like_what_does_not_exist(
    lookup: Lookup, store: FakeStore
) -> None:
    store.register("1/RESERVED", status="reserved")
    assert (await lookup.resolve("1/RESERVED")).resolution is None


async def test_store_failure_is_unavailable_and_the_next_look_up_tries_again(
    lookup: Lookup, store: FakeStore
) -> None:
    store.is_down = True
    with pytest.raises(Unavailable):
        await lookup.resolve(A)
    store.is_down = False
    assert status(await lookup.resolve(A)) == "active"


async def test_record_that_cannot_be_disclosed_fails_alone(store: FakeStore) -> None:
    store.register(B)
    lookup = create_lookup(
        store,
        render=lambda r: rendered(r) if r.identifier == A else rendered(1 / 0),  # type: ignore[arg-type]
    )
    await lookup.follower.poll()
    fine, broken = await asyncio.gather(
        lookup.resolve(A), lookup.resolve(B), return_exceptions=True
    )
    assert isinstance(fine, Answer)
    assert isinstance(broken, IntegrityFailure)
    await lookup.stop()


async def test_too_many_waiting_look_ups_are_turned_away(store: FakeStore) -> None:
    lookup = create_lookup(store, render=rendered, settings=LookupSettings(waiting_limit=1))
    await lookup.follower.poll()
    first = asyncio.create_task(lookup.resolve(A))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await lookup.resolve(B)
    assert status(await first) == "active"
    await lookup.stop()


async def test_stop_tells_whoever_waits(lookup: Lookup, store: FakeStore) -> None:
    store.gate.clear()
    flight = asyncio.create_task(lookup.resolve(A))
    await store.reading.wait()
    await lookup.stop()
    with pytest.raises(Unavailable):
        await flight


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def follower_of(store: FakeStore, clock: Clock, **changes: int) -> tuple[LogFollower, list[str]]:
    dropped: list[str] = []
    follower = LogFollower(
        store,
        forget=dropped.extend,
        forget_all=lambda: dropped.append("*"),
        settings=FollowerSettings(stale_limit_s=120, **changes),
        counts=LookupCounts(),
        clock=clock,
    )
    return follower, dropped


async def test_blind_follower_stays_usable_until_the_limit_and_then_forgets_everything() -> None:
    store, clock = FakeStore(), Clock()
    store.register(A)
    follower, dropped = follower_of(store, clock)
    await follower.poll()
    store.is_down = True
    clock.now += 119
    await follower.poll()
    assert (follower.is_dark, follower.is_current(A, 1), dropped) == (False, True, [])
    clock.now += 2
    await follower.poll()
    assert (follower.is_dark, follower.is_current(A, 1), dropped) == (True, False, ["*"])
    store.is_down = False
    await follower.poll()
    assert (follower.is_dark, follower.is_current(A, 1)) == (False, True)


async def test_dark_look_up_is_unavailable_though_memory_had_it(store: FakeStore) -> None:
    lookup = create_lookup(store, render=rendered, following=FollowerSettings(stale_limit_s=-1))
    await lookup.follower.poll()
    await lookup.resolve(A)
    await lookup.resolve(B)
    store.is_down = True
    await lookup.follower.poll()
    for key in (A, B):
        with pytest.raises(Unavailable):
            await lookup.resolve(key)
    assert not lookup.is_ready
    await lookup.stop()


async def test_window_at_start_knows_the_latest_changes() -> None:
    store = FakeStore()
    for key in (A, B):
        store.register(key)
    store.change(A, status="suspended")  # leaf 2
    store.change(B, status="suspended")  # leaf 3
    follower, _ = follower_of(store, Clock(), window_leaves=2, page=1)
    await follower.poll()
    assert (follower.floor, follower.position) == (2, 4)
    believed = {(key, p) for key in (A, B) for p in range(6) if follower.is_current(key, p)}
    assert believed == {(A, 3), (A, 4), (B, 4)}


async def test_bounded_memory_of_changes_raises_the_floor() -> None:
    store = FakeStore()
    store.register(A)
    for key in ("1/X", "1/Y", "1/Z"):
        store.register(key)
        store.change(key, status="suspended")
    follower, _ = follower_of(store, Clock(), changes_limit=2)
    await follower.poll()
    assert follower.floor == 3
    assert not follower.is_current(A, 2)
    assert follower.is_current(A, 3)


async def test_log_that_got_shorter_makes_the_follower_dark_for_good() -> None:
    store = FakeStore()
    store.register(A)
    store.register(B)
    follower, dropped = follower_of(store, Clock())
    await follower.poll()
    store.size = 1
    await follower.poll()
    await follower.poll()
    store.size = 9
    await follower.poll()
    assert follower.is_dark
    assert "*" in dropped


async def test_wake_polls_without_waiting_for_the_interval(store: FakeStore) -> None:
    lookup = create_lookup(store, render=rendered, following=FollowerSettings(interval_s=3600))
    await lookup.start()
    answer = await lookup.resolve(A)
    store.change(A, status="suspended")
    async with asyncio.timeout(5):
        while answer.alive:
            lookup.follower.wake()
            await asyncio.sleep(0)
    await lookup.stop()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(["suspend A", "resume A", "suspend B", "resume B", "poll", "hold", "free"])
        | st.sampled_from(["ask A", "ask B"]),
        max_size=40,
    )
)
def test_nothing_older_than_the_last_poll_is_ever_answered(steps: list[str]) -> None:
    asyncio.run(play(steps))


async def play(steps: list[str]) -> None:
    """Act out the steps; after each, memory must agree with what the last poll could see."""
    store = FakeStore()
    store.register(A)
    store.register(B)
    lookup = create_lookup(store, render=rendered)
    await lookup.follower.poll()
    seen = dict.fromkeys((A, B), 1)
    flights = []
    for step in steps:
        word, _, name = step.partition(" ")
        key = f"1/{name}"
        if word == "poll":
            await lookup.follower.poll()
            seen = {k: record.revision for k, record in store.records.items()}
        elif word == "hold":
            store.gate.clear()
        elif word == "free":
            store.gate.set()
        elif word == "ask":
            flights.append(asyncio.create_task(lookup.resolve(key)))
        else:
            store.change(key, status="suspended" if word == "suspend" else "active")
        for _ in range(5):
            await asyncio.sleep(0)
        for k in (A, B):
            if (answer := lookup.memory.find(k)) is not None and answer.resolution is not None:
                assert answer.resolution.revision >= seen[k]
    store.gate.set()
    await asyncio.gather(*flights)
    await lookup.stop()
