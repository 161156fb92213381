"""A Redis that stops, is wiped, stalls for 2 s and lies: no wrong answer, no failed registration.

In every mode some batches are registered, some records suspended and some resumed, while all that
was registered so far is looked up over and over; every answer is judged by `answer_history`. The
node's memory cache is kept so small that nearly every look-up asks Redis.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

from loadtest.trials.answer_history import AnswerHistory
from loadtest.trials.batch_files import items, write_batches
from loadtest.trials.findings import Finding
from loadtest.trials.http_requests import KeptConnection
from loadtest.trials.idempotency_trial import encoded
from loadtest.trials.node_process import DEMO_ROWS, TrialNode, register_findings
from loadtest.trials.redis_proxy import Mode, RedisProxy
from loadtest.trials.stores import Stores
from tests.redis_process import RedisServer

TRIAL = "redis"
# A change is seen by every look-up that begins this long after its acknowledgement.
BOUND_S = 1.0
READERS = 6
_SMALL = {"XIBIAO_LOOKUP__MEMORY_CACHE": "16KiB"}
_LOG_WITHIN_S = 600.0
_CHANGED = 10  # records suspended, and as many resumed, for each hundred registered
_AFTERWARDS_S = 0.5


def redis_trial(
    place: Path, stores: Stores, *, rows: int, seed: int, bound_s: float = BOUND_S
) -> Iterator[Finding]:
    """Register `rows` batches, an equal part of them in every mode. Of `stores`, Redis is its own."""
    with closing(RedisServer()) as redis:
        yield from asyncio.run(_collected(place, stores.database, redis, rows, seed, bound_s))


async def _collected(
    place: Path, database: str, redis: RedisServer, rows: int, seed: int, bound_s: float
) -> list[Finding]:
    proxy = RedisProxy(redis.port, random.Random(f"{seed}/{TRIAL}"))
    port = await proxy.start()
    stores = Stores(database, f"redis://127.0.0.1:{port}/0")
    registrations = list(items(await asyncio.to_thread(write_batches, place, rows, seed)))
    node = TrialNode(place / "node", stores, settings=_SMALL)
    await asyncio.to_thread(node.start)
    try:
        run = _Run(node, proxy, redis, registrations, bound_s)
        findings = [finding async for finding in run.findings()]
        await asyncio.to_thread(node.wait_for_log, run.changes + DEMO_ROWS, _LOG_WITHIN_S)
        await asyncio.to_thread(node.stop)
        live = run.live
        findings += register_findings(node, TRIAL, live=live, changes=run.changes)
        return findings
    finally:
        node.__exit__(None, None, None)
        await proxy.stop()
