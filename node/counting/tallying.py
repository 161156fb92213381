"""The role `tally`: follows the spools, seals the hours, tells what is not sealed yet.

Invariant: whatever fails is logged once and tried again; nothing is lost by it, since what was
noted stays in its spool until it is sealed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from node.counting.campaigns import declared_windows
from node.counting.chain import ChainMoved
from node.counting.collector import Collector
from node.counting.live_totals import LiveTotals, write_live
from node.counting.sealer import Sealer
from node.counting.sealing import Workshop, counted_around
from node.counting.unsealed_events import Period
from node.domain.counting.classes import CountedTimes
from node.domain.counting.facts import Circumstances
from node.domain.counting.moments import HOUR_MS, moment_text
from node.errors import XibiaoError
from node.telemetry import Metrics

_log = structlog.get_logger(__name__)
ERROR_PAUSE_S = 1.0
LATE_AFTER_S = 3_600
MOST_REST_S = 5.0  # who looks at the figures sees what was noted some seconds ago, however busy


@dataclass(frozen=True, slots=True)
class TallySettings:
    """`rest_factor`: how many times as long as it worked a round rests, beside other roles."""

    grace_s: float = 60.0
    poll_s: float = 0.5
    rest_factor: float = 0.0
    retention_s: float = 94_694_400.0


class Tallying:
    """Counts for one node. More than one at a time is harmless and of no use."""

    def __init__(
        self,
        shop: Workshop,
        sealer: Sealer,
        metrics: Metrics,
        settings: TallySettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shop = shop
        self._sealer = sealer
        self._metrics = metrics
        self._settings = settings
        self._monotonic = monotonic
        self._collector = Collector(shop.folder, shop.pseudonyms, shop.rules)
        self._has_begun = False
        self._late_since: float | None = None
        self._forgot_at: float | None = None

    async def run(self) -> None:
        """Count for ever."""
        await asyncio.to_thread(self._shop.folder.prepare)
        try:
            while True:
                began = self._monotonic()
                try:
                    await self.round()
                except ChainMoved:
                    continue  # another process was faster; the next round begins behind it
                except XibiaoError as error:
                    self._metrics.background_failures.labels("tally").inc()
                    _log.warning("tally_failed", code=error.code, reason=str(error))
                    await asyncio.sleep(ERROR_PAUSE_S)
                spent_s = self._monotonic() - began
                rest_s = min(self._settings.rest_factor * spent_s, MOST_REST_S)
                await asyncio.sleep(max(self._settings.poll_s, rest_s))
        finally:
            self._collector.close()

    async def round(self) -> None:
        """Look at the spools once, tell of it, and seal what is due."""
        await self._follow()
        around = await self._circumstances()
        while await asyncio.to_thread(self._collector.look, around):
            await self._tell()
            if self._settings.rest_factor:
                break
        await self._tell()
        await self._seal()
        await self._forget()

    async def _follow(self) -> None:
        """Begin again behind the end of the chain when that has moved."""
        end = await self._shop.chain.end()
        if self._has_begun and end.state.head == self._collector.head:
            return
        counted = CountedTimes(self._shop.rules.rules.repeat_ms)
        if end.sealed_until_ms is not None:
            until_ms = end.sealed_until_ms
            await counted_around(self._shop, Period(until_ms, until_ms), counted)
        self._collector.begin(end, counted)
        self._has_begun, self._late_since = True, None
        self._metrics.tally_sealed_until.set((end.sealed_until_ms or 0) / 1000)

    async def _circumstances(self) -> Circumstances:
        now = moment_text(max(0, self._sealer.now_ms() - 2 * HOUR_MS))
        async with self._shop.database.read() as scope:
            return self._shop.around(await declared_windows(scope, now))

    async def _tell(self) -> None:
        collector = self._collector
        self._metrics.tally_unsealed.set(collector.count.events)
        totals = LiveTotals(
            head=collector.head,
            at=moment_text(self._sealer.now_ms()),
            counts=collector.count.counts(),
            dropped=collector.dropped,
            late=collector.late,
        )
        await asyncio.to_thread(write_live, self._shop.folder, totals)

    async def _seal(self) -> None:
        is_sealed = False
        while sealed := await self._sealer.seal_due(int(self._settings.grace_s * 1000)):
            is_sealed = True
            for name, by in (sealed.statement.counts if sealed.statement else {}).items():
                self._metrics.tally_events.labels(name).inc(sum(by.values()))
        if is_sealed:
            await self._follow()
        elif self._collector.late:
            # The clock was set back: until it has come to where the chain ends nothing is due.
            now = self._monotonic()
            self._late_since = now if self._late_since is None else self._late_since
            if now - self._late_since >= LATE_AFTER_S:
                await self._sealer.seal_late()

    async def _forget(self) -> None:
        now = self._monotonic()
        if self._forgot_at is None or now - self._forgot_at >= LATE_AFTER_S:
            self._forgot_at = now
            await self._sealer.forget(int(self._settings.retention_s * 1000))
