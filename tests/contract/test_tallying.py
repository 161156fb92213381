"""The role that counts: what it tells between seals, when it seals, and that it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from node.counting.live_totals import LiveTotals, read_live
from node.counting.tallying import LATE_AFTER_S, Tallying, TallySettings
from node.domain.counting.campaign import Selector
from node.domain.counting.moments import moment_text
from node.telemetry import Metrics
from tests.builders import lot, register_at
from tests.tallies import HOUR_MS, NINE_MS, Look, Tally, Wall, tally_of


class Timer:
    """A monotonic clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counter:
    """A counting process and the clocks it looks at."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.timer = Timer()
        self.metrics = Metrics()
        self.tallying = Tallying(
            tally.shop, tally.sealer, self.metrics, TallySettings(), monotonic=self.timer
        )

    async def live(self) -> LiveTotals | None:
        """Return what is told to others now."""
        head = (await self.tally.shop.chain.end()).state.head
        return read_live(self.tally.folder, head)

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric."""
        return self.metrics.registry.get_sample_value(f"xibiao_{name}", labels) or 0.0


@pytest.fixture
async def counter(store_url: str, tmp_path: Path) -> AsyncIterator[Counter]:
    async with register_at(store_url) as register:
        yield Counter(tally_of(register, tmp_path / "tally", Wall()))


async def test_what_is_durable_is_told_before_it_is_sealed(counter: Counter) -> None:
    tally, spool = counter.tally, counter.tally.spool()
    await counter.tallying.round()
    spool.write(NINE_MS + 5, [Look(), Look(), Look(lot(2), agent="Baiduspider")], dropped=3)
    await counter.tallying.round()
    live = await counter.live()
    assert live is not None
    assert live.counts == {
        "crawler": {"http": 1},
        "ext_user": {"http": 1},
        "repeat": {"http": 1},
    }
    assert (live.dropped, live.late, counter.metric("tally_unsealed")) == (3, 0, 3)
    # A campaign declared meanwhile is known in the next round.
    tally.wall.move(minutes=1)
    await tally.campaigns.declare(
        Selector(networks=("198.51.100.0/24",)),
        begins="",
        ends=moment_text(NINE_MS + HOUR_MS),
        operator="key:op",
        reason="drill",
    )
    spool.write(NINE_MS + 90_000, [Look(lot(5), address="198.51.100.1")])
    await counter.tallying.round()
    live = await counter.live()
    assert live is not None
    assert live.counts["loadtest"] == {"http": 1}


async def test_after_a_seal_the_totals_go_on_behind_it(counter: Counter) -> None:
    tally, spool = counter.tally, counter.tally.spool()
    ends_ms = NINE_MS + HOUR_MS
    spool.write(ends_ms - 5_000, [Look()])
    await counter.tallying.round()
    tally.wall.set_ms(ends_ms + 60_000)
    # Of the next hour, and a repeat of what the statement counted.
    spool.write(ends_ms + 5_000, [Look(), Look(lot(2))])
    await counter.tallying.round()
    assert (await tally.counts()) == {"ext_user": 1}
    await counter.tallying.round()
    live = await counter.live()
    assert live is not None
    assert live.counts == {"ext_user": {"http": 1}, "repeat": {"http": 1}}
    assert counter.metric("tally_sealed_until") == ends_ms / 1000
    assert counter.metric("tally_events_total", **{"class": "ext_user"}) == 1


async def test_what_another_process_sealed_is_not_told_again(counter: Counter) -> None:
    tally = counter.tally
    other = tally_of(tally.register, tally.folder.path, tally.wall)
    tally.spool().write(NINE_MS + 5, [Look()])
    await counter.tallying.round()
    tally.wall.move(minutes=5)
    assert await other.sealer.seal_now() is not None
    assert await counter.live() is None
    await counter.tallying.round()
    live = await counter.live()
    assert live is not None
    assert live.counts == {}


async def test_late_events_wait_an_hour_at_most_when_the_clock_was_set_back(
    counter: Counter,
) -> None:
    tally = counter.tally
    await counter.tallying.round()
    tally.wall.move(hours=1, minutes=1)
    await counter.tallying.round()
    tally.wall.move(hours=-1)
    tally.spool().write(NINE_MS + 30_000, [Look()])
    for _ in range(2):
        await counter.tallying.round()
    live = await counter.live()
    assert live is not None
    assert live.late == 1
    assert await tally.counts() == {}
    counter.timer.now += LATE_AFTER_S + 1
    await counter.tallying.round()
    assert await tally.counts() == {"ext_user": 1}
    kinds = [each.statement.kind for each in await tally.chain()]
    assert kinds == ["hour_stat", "correction"]


async def test_a_failure_is_counted_and_the_role_goes_on(counter: Counter) -> None:
    tally = counter.tally
    await counter.tallying.round()
    async with tally.register.database.write() as scope:
        await scope.rows_affected("UPDATE tally_state SET dropped = $1", (5,))
    running = asyncio.create_task(counter.tallying.run())
    async with asyncio.timeout(60):
        while not counter.metric("background_failures_total", loop="tally"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
