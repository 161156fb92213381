"""A Redis that stops, is wiped, stalls for 2 s and lies: no wrong answer, no failed registration.

In every mode some batches are registered, some records suspended and some resumed, while all that
was registered so far is looked up over and over; every answer is judged by `answer_history`. The
node's memory cache is kept so small that nearly every look-up asks Redis.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from loadtest.trials.answer_history import AnswerHistory
from loadtest.trials.batch_files import items, write_batches
from loadtest.trials.findings import Finding, none_of
from loadtest.trials.http_requests import KeptConnection
from loadtest.trials.idempotency_trial import encoded
from loadtest.trials.node_process import DEMO_ROWS, TrialNode, register_findings
from loadtest.trials.redis_proxy import Mode, RedisProxy
from loadtest.trials.stores import Stores
from tests.redis_process import RedisServer

TRIAL = "redis"
BOUND_S = 1.0
READERS = 6
CHANGE_EVERY = 5  # one record is suspended, or resumed, for so many registered
Step = tuple[str, Mode]
STEPS: Sequence[Step] = (
    ("healthy", Mode.HONEST),
    ("stopped", Mode.HONEST),
    ("wiped", Mode.HONEST),
    *((mode.name.lower(), mode) for mode in Mode if mode is not Mode.HONEST),
    ("healthy again", Mode.HONEST),
)
_SMALL = {"XIBIAO_LOOKUP__MEMORY_CACHE": "16KiB"}
_PATH = "/api/v1/identifiers"
_LOG_WITHIN_S = 600.0
_AFTERWARDS_S = 0.5


def redis_trial(
    place: Path,
    stores: Stores,
    *,
    rows: int,
    seed: int,
    steps: Sequence[Step] = STEPS,
    bound_s: float = BOUND_S,
) -> Iterator[Finding]:
    """Register `rows` batches, an equal part in every step. The Redis is the trial's own.

    `bound_s`: a change is seen by every look-up that begins this long after its acknowledgement.
    """
    registrations = list(items(write_batches(place, rows, seed)))
    proxy_chance = random.Random(f"{seed}/proxy")
    with closing(RedisServer()) as redis, closing(RedisProxy(redis.port, proxy_chance)) as proxy:
        stores = Stores(stores.database, f"redis://127.0.0.1:{proxy.port}/0")
        with TrialNode(place / "node", stores, settings=_SMALL) as node:
            chance = random.Random(f"{seed}/{TRIAL}")
            run = _Run(node, proxy, redis, AnswerHistory(bound_s), chance)
            share = -(-len(registrations) // len(steps))
            for number, (name, mode) in enumerate(steps):
                part = registrations[number * share : (number + 1) * share]
                yield asyncio.run(run.step(name, mode, part, bound_s))
            node.wait_for_log(run.changes + DEMO_ROWS, _LOG_WITHIN_S)
            node.stop()
            yield from register_findings(node, TRIAL, live=run.live, changes=run.changes)


class _Run:
    """The state that goes from step to step. `changes` were acknowledged, `live` are active."""

    def __init__(
        self,
        node: TrialNode,
        proxy: RedisProxy,
        redis: RedisServer,
        history: AnswerHistory,
        chance: random.Random,
    ) -> None:
        self._node = node
        self._proxy = proxy
        self._redis = redis
        self._history = history
        self._chance = chance
        self._wrong: dict[str, object] = {}
        self._failed: dict[str, object] = {}
        self._is_over = False
        self._looked_up = 0
        self._slowest_s = 0.0
        self.changes = 0

    @property
    def live(self) -> int:
        """The number of records whose latest acknowledged status is active."""
        history = self._history
        return sum(history.status(name) == "active" for name in history.identifiers())

    async def step(
        self, name: str, mode: Mode, part: Sequence[dict[str, object]], bound_s: float
    ) -> Finding:
        """Write `part` and read all the while, until every change must have been seen."""
        self._wrong, self._failed, self._is_over = {}, {}, False
        self._looked_up, self._slowest_s, lies_before = 0, 0.0, self._proxy.lies
        self._proxy.mode = mode
        if name == "stopped":
            self._redis.stop()
        async with asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(self._read())
            await self._write(part, wiping=name == "wiped")
            await asyncio.sleep(bound_s + _AFTERWARDS_S)
            self._is_over = True
        self._proxy.mode = Mode.HONEST
        self._redis.start()
        return self._finding(name, mode, lies=self._proxy.lies - lies_before)

    def _finding(self, name: str, mode: Mode, *, lies: int) -> Finding:
        faults = {**self._wrong, **self._failed}
        if mode is not Mode.HONEST and not lies:
            faults["proxy"] = "nothing was asked of Redis"
        return none_of(
            TRIAL,
            f"no wrong answer, nothing refused, Redis {name}",
            faults,
            look_ups=self._looked_up,
            slowest_s=round(self._slowest_s, 3),
            lies=lies,
            from_redis=self._from_redis(),
        )

    def _from_redis(self) -> dict[str, int]:
        """Give what the node counts of Redis, since its start."""
        _, body = self._node.get("/metrics")
        start = 'xibiao_lookup_events_total{event="redis'
        lines = [line for line in body.decode().splitlines() if line.startswith(start)]
        pairs = (line.removeprefix(start).split('"} ') for line in lines)
        return {name.lstrip("_") or "answered": int(float(number)) for name, number in pairs}

    async def _write(self, part: Sequence[dict[str, object]], *, wiping: bool) -> None:
        connection = self._node.connection()()
        for number, item in enumerate(part):
            await self._register(connection, item)
            if number % CHANGE_EVERY == 0:
                await self._toggle(connection)
                if wiping:
                    self._redis.flush()
        connection.close()

    async def _register(self, connection: KeptConnection, item: dict[str, object]) -> None:
        name, attributes = str(item["identifier"]), item["attributes"]
        assert isinstance(attributes, dict)
        self._history.note_item(name, attributes["lot_no"])
        await self._change(connection, name, _PATH, encoded(item), wanted=201)

    async def _toggle(self, connection: KeptConnection) -> None:
        """Suspend a record that is active, or resume one that is suspended."""
        name = self._chance.choice(self._history.identifiers())
        verb = "suspend" if self._history.status(name) == "active" else "resume"
        self._history.note_intent(name, "suspended" if verb == "suspend" else "active")
        body = encoded({"reason": "trial"})
        await self._change(connection, name, f"{_PATH}/{name}:{verb}", body, wanted=200)

    async def _change(
        self, connection: KeptConnection, name: str, path: str, body: bytes, *, wanted: int
    ) -> None:
        reply = await connection.ask("POST", path, body)
        if reply.status != wanted:
            self._failed[path] = f"{reply.status} {reply.body[:200]!r}"
            return
        self._history.note_answer(name, time.monotonic())
        self.changes += 1

    async def _read(self) -> None:
        connection = self._node.connection()()
        while not self._is_over:
            if not (names := self._history.noted()):
                await asyncio.sleep(0)
                continue
            name, began = self._chance.choice(names), time.monotonic()
            reply = await connection.ask("GET", f"/{name}")
            self._looked_up += 1
            self._slowest_s = max(self._slowest_s, time.monotonic() - began)
            if fault := self._history.fault(name, reply, began):
                self._wrong[name] = fault
        connection.close()
