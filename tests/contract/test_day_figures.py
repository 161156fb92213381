"""The figures of a day are those of the log and of the journals, whenever they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from admin.day_figures import OTHERS, DayFigures
from admin.parts import Register
from node.counting.timings import Timings
from node.domain.record import Action
from node.domain.resolution_event import Channel, Outcome
from node.registration.requests import ReserveRequest, StatusRequest
from node.storage import day_queries
from node.storage.day_queries import Registrations
from sync.reports import Performance
from tests.builders import (
    FREE_PREFIX,
    PRODUCER,
    TEST_PREFIX,
    Clock,
    item,
    lot,
    register_at,
    register_lots,
    register_one,
)
from tests.tallies import HOUR_MS, Look, Tally, Wall, tally_of

# The 21st of November 2026 in Beijing begins at 16:00 UTC of the 20th.
DAY = date(2026, 11, 21)
BEGINS, ENDS = "2026-11-20T16:00:00.000Z", "2026-11-21T16:00:00.000Z"
BEGINS_MS = int(datetime(2026, 11, 20, 16, tzinfo=UTC).timestamp() * 1000)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def registered(register: Register) -> Registrations:
    async with register.database.read() as scope:
        return await day_queries.registrations(scope, BEGINS, ENDS)


async def test_registrations_count_on_the_day_their_leaf_says(store_url: str) -> None:
    clock = Clock(utc("2026-11-20 15:59:00"))
    async with register_at(store_url, clock=clock) as register:
        await register_lots(register, range(4))
        clock.now = utc("2026-11-20 16:00:00")
        await register_lots(register, range(10, 13))
        await register_one(register, item(lot(99, TEST_PREFIX)))
        for number, action in ((0, Action.REVOKE), (1, Action.SUSPEND)):
            await register.life_cycle.set_status(
                lot(number), action, StatusRequest("核查"), actor=PRODUCER
            )
        await register.sequencer.drain()
        assert await registered(register) == Registrations(new=3, total=6, cumulative=7)
        clock.now = utc("2026-11-21 16:00:00")
        await register_lots(register, range(20, 25))
        await register.life_cycle.set_status(
            lot(10), Action.REVOKE, StatusRequest("核查"), actor=PRODUCER
        )
        await register.sequencer.drain()
        # What came later changes nothing of the day.
        assert await registered(register) == Registrations(new=3, total=6, cumulative=7)


async def test_reservations_are_no_registrations_and_their_end_is_no_revocation(
    store_url: str,
) -> None:
    clock = Clock(utc("2026-11-20 17:00:00"))
    async with register_at(store_url, clock=clock) as register:
        wanted = ReserveRequest(identifiers=(lot(1), lot(2)))
        await register.life_cycle.reserve(wanted, actor=PRODUCER)
        await register.life_cycle.set_status(
            lot(1), Action.REVOKE, StatusRequest("不用"), actor=PRODUCER
        )
        await register_one(register, item(lot(2)))
        await register.sequencer.drain()
        assert await registered(register) == Registrations(new=1, total=1, cumulative=1)


@pytest.fixture
async def register(store_url: str) -> AsyncIterator[Register]:
    async with register_at(store_url) as opened:
        yield opened


@pytest.fixture
def tally(register: Register, tmp_path: Path) -> Tally:
    return tally_of(register, tmp_path / "tally", Wall(utc("2026-11-20 15:00:00")))


def figures_of(tally: Tally, *, counts: bool = True) -> DayFigures:
    return DayFigures(
        tally.register.database, tally.folder, tally.wall, lambda: FREE_PREFIX, counts=counts
    )


LOOKS = [
    Look(),
    Look(lot(2), address="192.0.2.8", channel=Channel.PAGE),
    Look(lot(2), address="192.0.2.8", outcome=Outcome.ABSENT),
    Look(agent="xibiao-health/1"),
    Look(actor="self"),
]


async def sealed_day(tally: Tally) -> None:
    """Count a day with look-ups at its first and last minute, and around it."""
    spool = tally.spool(BEGINS_MS)
    for at_ms in (
        BEGINS_MS - 60_000,
        BEGINS_MS,
        BEGINS_MS + 24 * HOUR_MS - 1,
        BEGINS_MS + 24 * HOUR_MS,
    ):
        spool.write(at_ms, LOOKS)
    spool.close()
    tally.wall.now = utc("2026-11-21 17:05:00")
    await tally.seal_hours()


async def test_look_ups_of_a_day_are_told_with_self_tests_beside_them(tally: Tally) -> None:
    figures = figures_of(tally)
    await sealed_day(tally)
    report = await figures.of_day(DAY)
    assert report is not None
    assert (report.prefix, report.day, report.revision) == (FREE_PREFIX, "2026-11-21", 1)
    assert (report.resolve_requests, report.resolve_hits, report.self_test_requests) == (6, 4, 4)
    assert [(s.requests, s.hits) for s in report.sources] == [(4, 2), (2, 2)]
    assert all(len(source.name) == 32 for source in report.sources)
    assert {s.name: (s.requests, s.hits) for s in report.channels} == {
        "http": (4, 2),
        "page": (2, 2),
    }
    assert (report.hourly_requests[0], report.hourly_requests[23]) == (3, 3)
    assert sum(report.hourly_requests) == 6
    assert (report.max_per_second, report.max_per_second_at_ms) == (3, BEGINS_MS)
    assert await figures.of_day(DAY) == report


async def test_a_day_tells_how_long_things_took(tally: Tally) -> None:
    figures = figures_of(tally)
    await sealed_day(tally)
    before = await figures.of_day(DAY)
    assert before is not None
    assert (before.resolving, before.registering) == (None, None)
    moments = iter((BEGINS_MS - 1, BEGINS_MS, BEGINS_MS + 7, BEGINS_MS + HOUR_MS))
    kept = timedelta(days=90)
    timings = Timings(tally.folder, process="1", kept=kept, now_ms=lambda: next(moments))
    for seconds in (9.0, 0.25, 0.0005):
        timings.resolving.took(seconds)
    timings.flush(BEGINS_MS + HOUR_MS)
    report = await figures.of_day(DAY)
    assert report is not None
    assert report.resolving == Performance(125.25, 250.0, BEGINS_MS, 0.5, BEGINS_MS + 7)
    assert report.registering is None


async def test_a_day_is_not_told_before_its_last_hour_is_sealed(tally: Tally) -> None:
    figures = figures_of(tally)
    tally.spool(BEGINS_MS).write(BEGINS_MS, LOOKS)
    tally.wall.now = utc("2026-11-21 15:30:00")
    await tally.seal_hours()
    tally.wall.now = utc("2026-11-21 16:20:00")
    assert await figures.of_day(DAY) is None
    # A node that does not count any more tells what there is.
    tally.wall.now = utc("2026-11-21 22:01:00")
    late = await figures.of_day(DAY)
    assert late is not None
    assert late.resolve_requests == 3
    nothing = await replace(figures, counts=False, clock=Wall()).of_day(date(2026, 11, 1))
    assert nothing is not None
    assert nothing.resolve_requests == 0


async def test_without_journals_the_statements_give_the_sums(tally: Tally) -> None:
    figures = figures_of(tally)
    await sealed_day(tally)
    whole = await figures.of_day(DAY)
    for path in tally.folder.journals.iterdir():
        path.unlink()
    report = await figures.of_day(DAY)
    assert report is not None
    assert whole is not None
    assert (report.resolve_requests, report.resolve_hits, report.self_test_requests) == (6, 4, 4)
    assert (report.sources, report.hourly_requests, report.max_per_second) == ((), (), 0)
    assert report.channels == whole.channels


async def test_more_sources_than_are_told_are_summed_up(tally: Tally) -> None:
    spool = tally.spool(BEGINS_MS)
    looks = [Look(address=f"10.{n >> 8}.{n & 255}.1") for n in range(1_003)]
    spool.write(BEGINS_MS + 1, [*looks, Look(lot(3), address="10.0.0.1")])
    tally.wall.now = utc("2026-11-21 17:05:00")
    await tally.seal_hours()
    report = await figures_of(tally).of_day(DAY)
    assert report is not None
    assert len(report.sources) == 1_001
    assert (report.sources[0].requests, report.sources[-1].name) == (2, OTHERS)
    assert sum(source.requests for source in report.sources) == report.resolve_requests == 1_004
