"""With a real Redis: whatever it does or is made to say, an answer is right and comes soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from resolver.lookup import Lookup, create_lookup
from resolver.lookup_counts import LookupCounts
from resolver.redis_cache import KEY_PREFIX, RedisSettings, create_redis_cache
from resolver.redis_reads import RedisAddress, parse_address
from resolver.resolution import Answer
from tests.redis_process import RedisServer
from tests.unit.resolver.fakes import FakeStore, rendered

A, B = "88.888.1501/A", "88.888.1501/B"
SECRET = b"s" * 32
# Long enough for a loaded machine, except where a test wants the time-out.
PATIENT = RedisSettings(timeout_s=5.0, open_s=0.05)
HASTY = RedisSettings(timeout_s=0.05, open_s=0.05)
WAIT_S = 10


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    store.register(A)
    store.register(B)
    return store


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    """Give an intruder's own connection."""
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


class Process:
    """A resolver process: its own memory and follower, the shared register and Redis."""

    def __init__(self, store: FakeStore, url: str, settings: RedisSettings = PATIENT) -> None:
        self.counts = LookupCounts()
        self.cache = create_redis_cache(url, secret=SECRET, counts=self.counts, settings=settings)
        self.lookup: Lookup = create_lookup(
            store, render=rendered, counts=self.counts, redis=self.cache
        )

    async def connected(self) -> Process:
        await self.lookup.start()
        await until(lambda: not self.cache.is_open)
        return self

    async def status(self, key: str = A) -> str | None:
        async with asyncio.timeout(WAIT_S):
            answer: Answer = await self.lookup.resolve(key)
        return answer.resolution.status if answer.resolution else None


async def until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 - the state of another process has no event
            await asyncio.sleep(0.005)


@pytest.fixture
async def processes(store: FakeStore, redis_url: str) -> AsyncIterator[list[Process]]:
    made = [await Process(store, redis_url).connected() for _ in range(2)]
    yield made
    for process in made:
        await process.lookup.stop()


async def cached(raw: redis.Redis, key: str = A) -> bytes:
    await until(lambda: raw.exists(KEY_PREFIX + key.encode()))
    entry = raw.get(KEY_PREFIX + key.encode())
    assert isinstance(entry, bytes)
    return entry


async def test_second_process_answers_from_redis(
    processes: list[Process], raw: redis.Redis, store: FakeStore
) -> None:
    first, second = processes
    assert await first.status() == "active"
    await cached(raw)
    assert await second.status() == "active"
    assert (len(store.finds), second.counts.redis) == (1, 1)
    assert 0 < int(raw.ttl(KEY_PREFIX + A.encode())) <= PATIENT.entry_ttl_s


async def test_nothing_is_stored_for_absent_and_reserved(
    processes: list[Process], raw: redis.Redis, store: FakeStore
) -> None:
    store.register("88.888.1501/R", status="reserved")
    await processes[0].status("88.888.1501/R")
    await processes[0].status("88.888.1501/NONE")
    await processes[0].status(A)
    await cached(raw)
    assert raw.keys() == [KEY_PREFIX + A.encode()]


async def test_replayed_old_entry_is_refused_after_the_change(
    processes: list[Process], raw: redis.Redis, store: FakeStore
) -> None:
    first, second = processes
    await first.status()
    old = await cached(raw)
    store.change(A, status="suspended")
    for process in processes:
        await process.lookup.follower.poll()
    raw.set(KEY_PREFIX + A.encode(), old)
    assert await second.status() == "suspended"
    assert second.counts.redis_stale == 1


async def test_process_started_after_the_change_refuses_the_replay_too(
    processes: list[Process], raw: redis.Redis, store: FakeStore, redis_url: str
) -> None:
    await processes[0].status()
    old = await cached(raw)
    store.change(A, status="revoked")
    raw.set(KEY_PREFIX + A.encode(), old)
    late = await Process(store, redis_url).connected()
    assert await late.status() == "revoked"
    await late.lookup.stop()


async def test_forged_entries_are_all_refused(
    processes: list[Process], raw: redis.Redis, store: FakeStore
) -> None:
    first, second = processes
    await first.status(B)
    genuine = await cached(raw, B)
    forgeries = [genuine[:n] + bytes([genuine[n] ^ 1]) + genuine[n + 1 :] for n in range(300)]
    forgeries += [b"", b"x", b"\0" * 500, genuine[:-1], genuine + b"x", genuine]
    store.change(A, status="suspended")
    await second.lookup.follower.poll()
    for entry in forgeries:  # The last is genuine, of another identifier.
        raw.set(KEY_PREFIX + A.encode(), entry)
        second.lookup.forget([A])
        assert await second.status(A) == "suspended"
    assert second.counts.redis_rejected == len(forgeries)


async def test_value_of_another_kind_is_a_miss(processes: list[Process], raw: redis.Redis) -> None:
    raw.lpush(KEY_PREFIX + A.encode(), "x")
    assert await processes[0].status() == "active"


async def test_flushed_redis_is_a_miss_and_refills(
    processes: list[Process], raw: redis.Redis, redis_server: RedisServer
) -> None:
    first, second = processes
    await first.status()
    await cached(raw)
    redis_server.flush()
    assert await second.status() == "active"
    await cached(raw)


async def test_stopped_redis_is_a_miss_at_once_and_comes_back(
    store: FakeStore, redis_url: str, redis_server: RedisServer
) -> None:
    process = await Process(store, redis_url).connected()
    redis_server.stop()
    await until(lambda: process.cache.is_open)
    assert await process.status() == "active"
    assert process.counts.redis_skipped == 1
    redis_server.start()
    await until(lambda: not process.cache.is_open)
    process.lookup.forget([A])
    assert await process.status() == "active"
    await process.lookup.stop()


async def test_stalled_redis_is_given_up_and_stays_out_until_it_answers(
    store: FakeStore, redis_url: str, redis_server: RedisServer
) -> None:
    process = await Process(store, redis_url, HASTY).connected()
    redis_server.pause()
    try:
        assert await process.status(A) == "active"
        await until(lambda: process.cache.is_open)
        # Its socket still accepts connections; the probe waits for PONG and so keeps it out.
        failures = process.counts.redis_failures
        await until(lambda: process.counts.redis_failures >= failures + 4)
        assert process.cache.is_open
        assert await process.status(B) == "active"
    finally:
        redis_server.resume()
    await until(lambda: not process.cache.is_open)
    await process.lookup.stop()


async def test_reads_beyond_the_bound_are_not_sent(
    store: FakeStore, redis_url: str, redis_server: RedisServer
) -> None:
    settings = RedisSettings(timeout_s=5.0, waiting_limit=8)
    process = await Process(store, redis_url, settings).connected()
    redis_server.pause()
    try:
        flights = [process.lookup.resolve(f"88.888.1501/{n}") for n in range(20)]
        landing = asyncio.gather(*flights)
        await until(lambda: process.counts.redis_skipped == 12)
    finally:
        redis_server.resume()
    async with asyncio.timeout(WAIT_S):
        await landing
    await process.lookup.stop()


async def test_redis_that_is_not_there_costs_nothing(store: FakeStore) -> None:
    process = Process(store, "redis://127.0.0.1:1/0", HASTY)
    await process.lookup.start()
    assert await process.status() == "active"
    await until(lambda: process.counts.redis_failures >= 3)
    await process.lookup.stop()


async def test_wrong_password_keeps_the_breaker_open(store: FakeStore, redis_url: str) -> None:
    process = Process(store, redis_url.replace("//", "//:wrong@"), PATIENT)
    await process.lookup.start()
    await until(lambda: process.counts.redis_failures >= 2)
    assert await process.status() == "active"
    assert process.cache.is_open
    await process.lookup.stop()


def test_addresses_are_read_in_full() -> None:
    assert parse_address("redis://u:p@h:7/3") == RedisAddress(
        host="h", port=7, database=3, username="u", password="p"
    )
    assert parse_address("unix:///run/redis.sock?db=1").path == "/run/redis.sock"
    with pytest.raises(ValueError, match="scheme"):
        parse_address("http://h")
