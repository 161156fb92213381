"""When periods are closed: at the hour and a little, early on demand, and for what came late.

What a seal does, and in which order it writes, stands in `sealing` and `chain`. A crash before the
commit leaves drafts that nobody reads, and all events where they were; who finds the chain
elsewhere than he began with throws his drafts away. So any number of processes may seal at once,
and each period is sealed exactly once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog

from node.counting.chain import Addition, ChainEnd, ChainMoved
from node.counting.sealing import DAY_MS, Sealed, Sealing, Workshop
from node.counting.tally_folder import SpoolFile, TallyFolder
from node.counting.unsealed_events import Period, oldest_event_ms
from node.domain.counting.moments import HOUR_MS, hour_of, moment_text
from node.domain.counting.statement import Statement
from node.errors import IntegrityFailure, InvalidInput, Unavailable

_log = structlog.get_logger(__name__)
# Nobody switches a node off for longer; a clock that says so is wrong.
MOST_BEHIND_MS = 400 * DAY_MS
# Events that waited longer than this before the first statement are put into its beginning.
OLDEST_BEGINNING_MS = 31 * DAY_MS
FORGET_AFTER_MS = 2 * DAY_MS
_ABANDONED_S = 3_600


class Sealer:
    """Seals periods of one node. One call at a time works; others wait for it."""

    def __init__(self, shop: Workshop, clock: Callable[[], datetime]) -> None:
        self._shop = shop
        self._clock = clock
        self._turn = asyncio.Lock()
        self._gone: set[str] = set()

    def now_ms(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self._clock().timestamp() * 1000)

    async def seal_due(self, grace_ms: int) -> Sealed | None:
        """Seal the oldest period whose hour ended `grace_ms` ago or more; None: there is none.

        An hour without an event gets its statement too. Call again until it returns None. Raises
        ChainMoved when another process sealed it meanwhile.
        """
        async with self._turn:
            now_ms = self.now_ms()
            end, begins_ms = await self._end(now_ms)
            ends_ms = hour_of(begins_ms) + HOUR_MS
            if now_ms < ends_ms + grace_ms:
                return None
            if now_ms - begins_ms > MOST_BEHIND_MS:
                raise IntegrityFailure(
                    "系统时间比上次统计晚 400 天以上,请检查时钟",
                    "The clock is more than 400 days ahead of the last statement; check it",
                    code="clock",
                )
            return await self._seal(end, Period(begins_ms, ends_ms), now_ms)

    async def seal_now(self) -> Statement | None:
        """Close the running period early, up to this moment, and return its statement.

        What is written to the spools afterwards for a moment before becomes a correction. None
        when it is sealed up to now already.
        """
        while True:
            with suppress(ChainMoved):
                while await self.seal_due(0):
                    pass
                return await self._seal_early()

    async def _seal_early(self) -> Statement | None:
        async with self._turn:
            now_ms = self.now_ms()
            end, begins_ms = await self._end(now_ms)
            if not begins_ms < now_ms <= hour_of(begins_ms) + HOUR_MS:
                return None
            return (await self._seal(end, Period(begins_ms, now_ms), now_ms)).statement

    async def seal_late(self) -> tuple[Statement, ...]:
        """Seal what came late for statements that stand, and nothing else; return corrections."""
        async with self._turn:
            now_ms = self.now_ms()
            end, begins_ms = await self._end(now_ms)
            return (await self._seal(end, Period(begins_ms, begins_ms), now_ms)).corrections

    async def _end(self, now_ms: int) -> tuple[ChainEnd, int]:
        """Return the end of the chain and where the next period begins; at first begin it."""
        end = await self._shop.chain.end()
        if end.sealed_until_ms is not None:
            return end, end.sealed_until_ms
        oldest = await asyncio.to_thread(oldest_event_ms, self._shop.folder)
        begins_ms = now_ms
        if oldest is not None:
            begins_ms = max(min(oldest, now_ms), now_ms - OLDEST_BEGINNING_MS)
        nothing = Addition((), _keep_nothing, moment_text(hour_of(begins_ms)), {})
        await self._shop.chain.commit(end, nothing, moment_text(now_ms))
        return await self._shop.chain.end(), hour_of(begins_ms)

    async def _seal(self, end: ChainEnd, period: Period, now_ms: int) -> Sealed:
        folder = self._shop.folder
        await asyncio.to_thread(folder.prepare)
        gone = set(self._gone)
        sealed = await Sealing(self._shop, end, period, now_ms).run(gone)
        self._gone -= gone
        places = end.places | sealed.extent.ends
        self._gone |= await asyncio.to_thread(delete_sealed_spools, folder, places)
        self._gone |= await asyncio.to_thread(_long_gone, folder, end, now_ms)
        self._shop.gap("deleted")
        return sealed

    async def forget(self, retention_ms: int) -> None:
        """Delete journals that are older than they must be kept, and drafts nobody finishes."""
        folder = self._shop.folder
        before = moment_text(max(0, self.now_ms() - retention_ms))
        name = before.replace("-", "").replace(":", "")
        forgotten = await asyncio.to_thread(folder.forget_journals, name)
        if forgotten:
            _log.info("journals_forgotten", number=forgotten, before=before)
        await asyncio.to_thread(folder.forget_unfinished, _ABANDONED_S, time.time())


def _keep_nothing() -> None:
    return None


def delete_sealed_spools(folder: TallyFolder, places: dict[str, int]) -> set[str]:
    """Delete spool files that are complete and sealed to their end; return what is gone."""
    gone: set[str] = set()
    for name in folder.spool_names():
        try:
            if _is_sealed(folder, name, places.get(name, 0)):
                folder.delete_spool(name)
                gone.add(name)
        except InvalidInput:
            folder.refuse_spool(name)
            gone.add(name)
        except Unavailable as error:
            _log.warning("spool_not_deleted", spool=name, reason=str(error))
    return gone


def _long_gone(folder: TallyFolder, end: ChainEnd, now_ms: int) -> set[str]:
    """Return files that a crash deleted but did not forget.

    Not at once: a folder may be missing for a while, and what is forgotten would be counted anew.
    """
    before = moment_text(max(0, now_ms - FORGET_AFTER_MS))
    names = set(folder.spool_names())
    return {p.name for p in end.positions if p.name not in names and p.read_at < before}


def _is_sealed(folder: TallyFolder, name: str, place: int) -> bool:
    """Say whether a file holds nothing behind `place` and never will; raise InvalidInput."""
    with SpoolFile(folder.spools / name) as file:
        first = next(file.blocks(), None)
        if file.reader.header is None:
            return False  # It is just being made, and must not be locked meanwhile.
        if not file.is_complete():
            return False
        if first is not None and first.ends > place:
            return False
        for block in file.blocks():
            if block.ends > place:
                return False
        if file.reader.is_damaged:
            _log.error("spool_damaged", spool=name, read=file.reader.offset)
        return True
