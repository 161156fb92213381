"""Day reports (CAICT table 8): each closed day once by itself, any past day when asked to.

A day is one of Asia/Shanghai and is told at a quarter past midnight. The same day told again is the
same bytes with the same revision, so nothing happens at the peer; when figures have changed since
(look-ups found late) it is a new revision that says so. What was told is kept with the answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Protocol

import msgspec
import structlog

from node.errors import XibiaoError
from node.storage.filing_queries import Filing
from node.storage.receipt_queries import DAY_REPORT
from sync.peer import Link
from sync.relay.report_book import ReportBook
from sync.reports import DayReport, Told, encode

_log = structlog.get_logger(__name__)
BEIJING = timezone(timedelta(hours=8))
TOLD_AT = timedelta(minutes=15)
# Days that passed while nobody could tell them: the last month's are told, one after the other.
MOST_DAYS = 31
LOOK_S, PAUSE_S = 0.5, 30.0
CORRECTED = "更正:统计有补充 / corrected: figures were completed"
NOT_YET = "day_not_closed"
# The peer has another document of this revision, as when our database was restored since.
TAKEN = frozenset({"conflict", "older_revision"})


class Figures(Protocol):
    """Where the figures of days come from."""

    async def of_day(self, day: date) -> DayReport | None:
        """Return the first revision of a day's report; None while not all of it is counted."""
        ...


@dataclass(frozen=True, slots=True)
class _Draft:
    report: DayReport
    is_new: bool


class DayReports:
    """Tells days on one open link."""

    def __init__(self, link: Link, book: ReportBook, figures: Figures) -> None:
        self._link = link
        self._book = book
        self._figures = figures
        self._next_s = 0.0

    async def run(self) -> None:
        """Tell what is due and what is asked for, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Serve errands; now and then see whether a day is due."""
        for errand in await self._book.errands(DAY_REPORT):
            await self._book.done(errand, await self._asked(errand.subject))
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + PAUSE_S
        for day in await self._due():
            if not await self._tell(day):
                return

    async def _asked(self, day: str) -> str:
        """Tell a day on demand; return "" or why it was not told."""
        closed = date.fromisoformat(day) < self._book.now().astimezone(BEIJING).date()
        draft = await self._draft(date.fromisoformat(day)) if closed else None
        if draft is None:
            return NOT_YET
        told = await self._send(draft.report)
        return "" if told.accepted else told.code

    async def _due(self) -> list[date]:
        """Return the closed days that were never told, oldest first."""
        yesterday = last_closed_day(self._book.now())
        last = await self._book.newest_filing(DAY_REPORT)
        first = yesterday if last is None else date.fromisoformat(last.name) + timedelta(days=1)
        first = max(first, yesterday - timedelta(days=MOST_DAYS - 1))
        return [first + timedelta(days=n) for n in range((yesterday - first).days + 1)]

    async def _tell(self, day: date) -> bool:
        """Tell a day unless it was told so; say whether it is settled now."""
        draft = await self._draft(day)
        if draft is None:
            return False
        if draft.is_new:
            await self._send(draft.report)
        return True

    async def _draft(self, day: date) -> _Draft | None:
        """Return a day's report with its revision; None while the day is not counted."""
        try:
            report = await self._figures.of_day(day)
        except XibiaoError as error:
            _log.warning("day_not_counted", day=str(day), code=error.code, reason=str(error))
            return None
        if report is None:
            return None
        last = await self._book.last_filing(DAY_REPORT, report.day)
        if last is None:
            return _Draft(report, is_new=True)
        before = msgspec.json.decode(last.body, type=DayReport)
        same = msgspec.structs.replace(report, revision=last.revision, reason=before.reason)
        if same == before and last.code not in TAKEN:
            return _Draft(before, is_new=False)
        corrected = msgspec.structs.replace(report, revision=next_revision(last), reason=CORRECTED)
        return _Draft(corrected, is_new=True)

    async def _send(self, report: DayReport) -> Told:
        told = await self._link.tell(report)
        _log.info("day_told", day=report.day, revision=report.revision, code=told.code)
        await self._book.filed(filing_of(DAY_REPORT, report.day, report.revision, report, told))
        return told


def filing_of(kind: str, name: str, revision: int, body: msgspec.Struct, told: Told) -> Filing:
    """Return what is kept of a document that was told."""
    return Filing(
        kind=kind,
        name=name,
        revision=revision,
        body=encode(body),
        sent_at="",
        accepted=told.accepted,
        code=told.code,
        message=told.message,
        receipt=told.receipt,
    )


def next_revision(last: Filing | None) -> int:
    """Return the revision of a document after the last one told: the same if that was refused."""
    if last is None:
        return 1
    return last.revision + (last.accepted or last.code in TAKEN)


def last_closed_day(now: datetime) -> date:
    """Return the last day of Asia/Shanghai that is to be told by now."""
    return (now.astimezone(BEIJING) - TOLD_AT).date() - timedelta(days=1)
