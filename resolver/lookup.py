"""The one path from an identifier to its answer: memory, then Redis, then the store.

**Why no cached answer is wrong.** Write `p` for a log position (a number of leaves) and let leaf
`L` stand for a change of identifier `k`.

1. *Reading.* A store read of `k` is marked with the follower's position `p`, taken before the read
   began. Leaves are numbered after their changes were committed, so the read saw every change with
   `L < p`. What it may have missed has `L ≥ p`.
2. *Keeping.* The answer is put into memory or Redis only if no change `L ≥ p` of `k` has been
   followed by then (`LogFollower.is_current`). Redis keeps `p` in the entry, under its MAC.
3. *Dropping.* When the follower reads leaf `L` of `k` it records `changed_at[k] = L` and drops `k`
   from memory before it moves on. So memory never holds an answer missing a followed change.
4. *Taking from Redis.* An entry is believed only if it is genuine, bound to `k`, and is current:
   `floor ≤ p` (all changes since `p` are known) and `changed_at[k] < p`. An entry that misses `L`
   has `p ≤ L`, and `changed_at[k] ≥ L` once `L` was followed, so it is refused: whether it was
   written late by a slow process, replayed by an intruder or left over from yesterday.

5. *The log may be late.* Committed changes that are no leaf yet are read with every poll, before
   the log; their keys are dropped and count as not current until the log holds them.

Hence an answer is at most one poll interval behind the register, however far the log is, and
deleting or forging entries costs a store read and nothing else. Reservations are followed by a
registration, which the follower does not report; so, like absence, they are remembered for
`negative_ttl_s` at most, in memory only. Whoever writes in this process lets `see` look for it
before he answers: whoever reads his answer finds what he wrote. When the log cannot be followed for
`stale_limit_s` all this ends: everything is forgotten and `Unavailable` is the answer.

What the public is told nothing of (`render` gives None: a reservation, a deleted Handle record) is
answered like an identifier that does not exist. Its end is followed or final, or lives as short.

Invariants: one flight per key, whoever asks; waiting callers are bounded (`Overloaded`); one event
loop owns a Lookup; a caller's callback runs exactly once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import structlog

from node.domain.record import StoredRecord
from node.errors import IntegrityFailure, Overloaded, Unavailable, XibiaoError
from resolver.log_follower import ChangeSource, FollowerSettings, LogFollower
from resolver.lookup_counts import LookupCounts
from resolver.memory_cache import MemoryCache
from resolver.redis_cache import RedisCache
from resolver.resolution import Answer, Resolution

_log = structlog.get_logger(__name__)

Outcome = Answer | XibiaoError
Deliver = Callable[[Outcome], None]
# Makes the answer that a record gives the public; None: the public is told nothing of it.
Render = Callable[[StoredRecord], Resolution | None]


class LookupStore(ChangeSource, Protocol):
    """The register as look-ups need it. Reads may run at the same time and change nothing."""

    async def find(self, keys: Sequence[str]) -> Mapping[str, StoredRecord]:
        """Return the current records of those keys that have one."""
        ...


@dataclass(frozen=True, slots=True)
class LookupSettings:
    """Bounds of the one path.

    `negative_ttl_s` and `negative_limit` for what was not found; `store_batch` keys a read,
    `store_reads` reads at a time, each within `store_timeout_s`; `waiting_limit` keys waited for.
    """

    negative_ttl_s: float = 1.0
    negative_limit: int = 50_000
    store_batch: int = 500
    store_reads: int = 4
    store_timeout_s: float = 10.0
    waiting_limit: int = 20_000


class Lookup:
    """Resolves canonical identifiers; `start` before use, `stop` at the end."""

    def __init__(
        self,
        store: LookupStore,
        *,
        render: Render,
        follower: LogFollower,
        memory: MemoryCache,
        redis: RedisCache | None,
        settings: LookupSettings,
        counts: LookupCounts,
        took: Callable[[float], None],
    ) -> None:
        self._store = store
        self._took = took
        self._render = render
        self._redis = redis
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        # Key -> since when, and who waits for it. The flight ends in `_land`, wherever the answer
        # came from.
        self._flights: dict[str, tuple[float, list[Deliver]]] = {}
        self._queue: list[str] = []
        self._reads: set[asyncio.Task[None]] = set()
        self._background: list[asyncio.Task[None]] = []
        # Key -> (answer, when it stops being used); the oldest comes first.
        # By the time they end, as all live equally long.
        self._short_lived: OrderedDict[str, tuple[Answer, float]] = OrderedDict()
        self.follower = follower
        self.memory = memory
        self.counts = counts

    @property
    def is_ready(self) -> bool:
        """Say whether look-ups can be answered (for readiness checks)."""
        return not self.follower.is_dark

    async def start(self) -> None:
        """Catch up with the log once, then follow it and use Redis in the background."""
        await self.follower.poll()
        self._background = [asyncio.create_task(self.follower.run())]
        if self._redis is not None:
            self._background.append(asyncio.create_task(self._redis.run()))

    async def stop(self) -> None:
        """End the background work; whoever still waits gets Unavailable."""
        self._queue.clear()
        tasks = [*self._background, *self._reads]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key in list(self._flights):
            self._land(key, Unavailable())

    def peek(self, key: str) -> Answer | None:
        """Return the answer if memory holds it."""
        answer = self.memory.find(key)
        if answer is not None:
            self.counts.memory += 1
            return answer
        remembered = self._short_lived.get(key)
        if remembered is None or self.follower.is_dark or remembered[1] <= self._loop.time():
            return None
        self._count_found(remembered[0], "memory")
        return remembered[0]

    @property
    def remembered_absences(self) -> int:
        """How many keys are kept because there was nothing under them."""
        return len(self._short_lived)

    async def resolve(self, key: str) -> Answer:
        """Return the answer for a canonical identifier.

        Raises Unavailable when neither the caches nor the store can tell, Overloaded when too many
        look-ups wait.
        """
        if (answer := self.peek(key)) is not None:
            return answer
        landed: asyncio.Future[Outcome] = self._loop.create_future()
        self.fetch(key, lambda outcome: None if landed.done() else landed.set_result(outcome))
        outcome = await landed
        if isinstance(outcome, XibiaoError):
            raise outcome
        return outcome

    def fetch(self, key: str, deliver: Deliver) -> None:
        """Look for a key that `peek` does not have and hand the outcome to `deliver`, once.

        `deliver` may be called before this returns; it must not raise.
        """
        flight = self._flights.get(key)
        if flight is not None:
            self.counts.joined += 1
            flight[1].append(deliver)
        elif self.follower.is_dark:
            self.counts.unavailable += 1
            deliver(Unavailable())
        elif len(self._flights) >= self._settings.waiting_limit:
            self.counts.unavailable += 1
            deliver(Overloaded())
        else:
            self._flights[key] = monotonic(), [deliver]
            if self._redis is None or not self._redis.read(
                key, lambda found: self._from_redis(key, found)
            ):
                self._enqueue(key)

    def forget(self, keys: Sequence[str]) -> None:
        """Drop keys from memory at once, absence included (e.g. after registering them here)."""
        self.memory.drop(keys)
        for key in keys:
            self._short_lived.pop(key, None)

    async def see(self, keys: Sequence[str]) -> None:
        """Return when look-ups that begin later find what was committed for `keys` before.

        For those who write in this process. When the log cannot be read now, memory and Redis may
        answer as before for as long as they may at all.
        """
        await self.follower.poll()
        self.forget(keys)

    def _from_redis(self, key: str, found: tuple[int, Resolution] | None) -> None:
        if found is None or not self.follower.is_current(key, found[0]):
            self.counts.redis_stale += found is not None
            self._enqueue(key)
            return
        answer = Answer(key, found[1])
        self.memory.put(answer)
        self.counts.redis += 1
        self._land(key, answer)

    def _enqueue(self, key: str) -> None:
        self._queue.append(key)
        if len(self._queue) == 1:
            self._loop.call_soon(self._start_reads)

    def _start_reads(self) -> None:
        """Start store reads for all that wait, unless enough are running: then they coalesce."""
        while self._queue and len(self._reads) < self._settings.store_reads:
            batch = self._queue[: self._settings.store_batch]
            del self._queue[: self._settings.store_batch]
            task = self._loop.create_task(self._read(batch))
            self._reads.add(task)
            task.add_done_callback(self._read_ended)

    def _read_ended(self, task: asyncio.Task[None]) -> None:
        self._reads.discard(task)
        self._start_reads()

    async def _read(self, keys: list[str]) -> None:
        # The position and the time come before the read: see the proof, step 1.
        position, began = self.follower.position, self._loop.time()
        try:
            async with asyncio.timeout(self._settings.store_timeout_s):
                records = await self._store.find(keys)
        except Exception as error:  # noqa: BLE001 - the edge to the store: every failure is one answer
            _log.warning("store_read_failed", error=repr(error), keys=len(keys))
            for key in keys:
                self._land(key, Unavailable())
            return
        for key in keys:
            record = records.get(key)
            outcome = None if record is None else self._rendered(record)
            if record is None or outcome is None:
                self._land_absence(key, began)
            elif self.follower.is_dark or not self.follower.is_overtaken(key, position):
                self._land_record(key, outcome, position)
            else:
                # A change was followed while the store was read: what came may already be history.
                self.counts.overtaken += 1
                self._enqueue(key)

    def _land_absence(self, key: str, began: float) -> None:
        """Land that there is nothing to tell, and remember it for a moment."""
        answer = Answer(key, None)
        self._count_found(answer, "store")
        self._short_lived[key] = (answer, began + self._settings.negative_ttl_s)
        self._short_lived.move_to_end(key)
        self._forget_absences(began)
        self._land(key, answer)

    def _forget_absences(self, now: float) -> None:
        """Drop a few of those whose time has passed, or the oldest of too many.

        Two for each that comes keep the table as small as what is remembered in `negative_ttl_s`.
        """
        short_lived = self._short_lived
        for _ in range(min(2, len(short_lived))):
            _, ends_at = next(iter(short_lived.values()))
            if ends_at > now and len(short_lived) <= self._settings.negative_limit:
                return
            short_lived.popitem(last=False)

    def _land_record(self, key: str, outcome: Outcome, position: int) -> None:
        """Land what a record gives and keep it in both caches, unless that is not safe now."""
        if isinstance(outcome, Answer):
            self._count_found(outcome, "store")
            if self.follower.is_current(key, position):
                self.memory.put(outcome)
                if self._redis is not None and outcome.resolution is not None:
                    self._redis.write(outcome.resolution, position)
        self._land(key, outcome)

    def _rendered(self, record: StoredRecord) -> Outcome | None:
        try:
            resolution = self._render(record)
        except Exception as error:  # noqa: BLE001 - one damaged record must not fail its batch
            _log.error("record_not_rendered", error=repr(error))
            return IntegrityFailure()
        return None if resolution is None else Answer(record.identifier, resolution)

    def _land(self, key: str, outcome: Outcome) -> None:
        flight = self._flights.pop(key, None)
        if isinstance(outcome, XibiaoError):
            self.counts.unavailable += 1
        elif flight is not None:
            self._took(monotonic() - flight[0])
        for deliver in flight[1] if flight else ():
            deliver(outcome)

    def _count_found(self, answer: Answer, source: str) -> None:
        if answer.resolution is None:
            self.counts.absent += 1
        elif source == "memory":
            self.counts.memory += 1
        else:
            self.counts.store += 1


def create_lookup(
    store: LookupStore,
    *,
    render: Render,
    counts: LookupCounts | None = None,
    memory_limit_bytes: int = 256 * 1024 * 1024,
    redis: RedisCache | None = None,
    settings: LookupSettings | None = None,
    following: FollowerSettings | None = None,
    took: Callable[[float], None] = lambda _seconds: None,
) -> Lookup:
    """Build a Lookup inside a running event loop; `start` and `stop` are the caller's.

    `took` is told how many seconds each answer took that was not in memory.
    """
    shared = counts or LookupCounts()
    memory = MemoryCache(memory_limit_bytes)
    follower = LogFollower(
        store,
        forget=memory.drop,
        forget_all=memory.clear,
        settings=following or FollowerSettings(),
        counts=shared,
        clock=asyncio.get_running_loop().time,
    )
    return Lookup(
        store,
        render=render,
        follower=follower,
        memory=memory,
        redis=redis,
        settings=settings or LookupSettings(),
        counts=shared,
        took=took,
    )
