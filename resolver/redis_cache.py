"""Answers in Redis: a miss is the worst that can come of it.

Whatever goes wrong (Redis down, stalled, emptied, full of garbage or forgeries) is a miss, within
`timeout_s`. A circuit breaker keeps a sick Redis from costing that time again and again: when the
connection fails, reads are misses at once while one task tries to get a new one. An attempt is the
half-open probe: only a Redis that answered PING in time is read from. After `failures_to_open`
failures in a row, without a reply in between, the attempts are `open_s` apart.

Invariants: no method raises or waits; nothing is believed that the seal does not vouch for; what
the position of an entry means is for `lookup` to judge. One event loop owns a cache.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from node.errors import IntegrityFailure, Unavailable
from resolver.lookup_counts import LookupCounts
from resolver.redis_reads import RedisAddress, RedisConnection, connect, parse_address
from resolver.resolution import CacheSeal, Resolution

_log = structlog.get_logger(__name__)

KEY_PREFIX = b"xibiao:answer:"
# Between attempts while the breaker is still closed; long enough not to spin.
_QUICK_RETRY_S = 0.02

Deliver = Callable[[tuple[int, Resolution] | None], None]


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """How Redis is used.

    Seconds for one reply and of an entry's life; seconds between attempts once `failures_to_open`
    failures came in a row; replies waited for at most.
    """

    timeout_s: float = 0.05
    entry_ttl_s: int = 600
    open_s: float = 2.0
    failures_to_open: int = 3
    waiting_limit: int = 4096


class RedisCache:
    """Sealed answers in one Redis; useless but harmless until `run` has connected."""

    def __init__(
        self,
        address: RedisAddress,
        seal: CacheSeal,
        *,
        settings: RedisSettings,
        counts: LookupCounts,
    ) -> None:
        self._address = address
        self._seal = seal
        self._settings = settings
        self._counts = counts
        self._connection: RedisConnection | None = None
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Say whether the breaker is open: reads are misses without being sent."""
        return self._connection is None

    def read(self, key: str, deliver: Deliver) -> bool:
        """Hand `deliver` the sealed (position, resolution) of a key, or None, a little later.

        Returns False, and never calls `deliver`, when the read is not worth sending.
        """
        connection = self._connection
        if connection is None or not connection.get(
            KEY_PREFIX + key.encode(), lambda data: self._opened(key, data, deliver)
        ):
            self._counts.redis_skipped += 1
            return False
        return True

    def write(self, resolution: Resolution, position: int) -> None:
        """Offer an answer as of a log position; may be left out at any time."""
        if self._connection is not None:
            self._connection.set(
                KEY_PREFIX + resolution.key.encode(),
                self._seal.seal(resolution, position),
                ttl_s=self._settings.entry_ttl_s,
            )

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        while True:
            with contextlib.suppress(Unavailable):
                await self._use_one_connection()
            self._failures += 1
            self._counts.redis_failures += 1
            opened = self._failures >= self._settings.failures_to_open
            await asyncio.sleep(self._settings.open_s if opened else _QUICK_RETRY_S)

    async def _use_one_connection(self) -> None:
        settings = self._settings
        connection = await connect(
            self._address, timeout_s=settings.timeout_s, waiting_limit=settings.waiting_limit
        )
        _log.info("redis_connected")
        self._connection = connection
        try:
            # A connection that is lost forgets its waiters in the same tick: nothing is in between.
            reason = await connection.lost
        finally:
            self._connection = None
            connection.close()
        _log.warning("redis_connection_lost", reason=reason)

    def _opened(self, key: str, data: bytes | None, deliver: Deliver) -> None:
        if data is None:
            self._counts.redis_misses += 1
            deliver(None)
            return
        self._failures = 0
        try:
            found = self._seal.open(key, data)
        except IntegrityFailure:
            self._counts.redis_rejected += 1
            deliver(None)
            return
        deliver(found)


def create_redis_cache(
    url: str,
    *,
    secret: bytes,
    counts: LookupCounts,
    settings: RedisSettings | None = None,
) -> RedisCache:
    """Build the cache at `url` with the MAC key `secret` (16 to 64 bytes); raise ValueError."""
    return RedisCache(
        parse_address(url), CacheSeal(secret), settings=settings or RedisSettings(), counts=counts
    )
