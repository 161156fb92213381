"""Whoever seals dies at every durable step, and every look-up is counted exactly once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from admin.parts import Register
from node.domain.counting.moments import moment_text
from node.domain.counting.statement import chained
from tests.builders import assert_sound, lot, register_at
from tests.tallies import HOUR_MS, NINE_MS, Look, Tally, Wall, events_of, tally_of

GAPS = ("drafted", "locked", "written", "named", "committed", "deleted")


class Killed(Exception):
    """The process ends here."""


def dies_at(name: str, *, pass_number: int = 1) -> Callable[[str], None]:
    """Return a gap that raises at the `pass_number`-th visit of the gap called `name`."""
    visits = 0

    def gap(visited: str) -> None:
        nonlocal visits
        visits += visited == name
        if visited == name and visits == pass_number:
            raise Killed

    return gap


def three_hours(tally: Tally) -> int:
    """Write what happened in three hours into two spools, one of them late; return how much."""
    one, two = tally.spool(process="one"), tally.spool(process="two")
    for hour in range(3):
        at_ms = NINE_MS + hour * HOUR_MS
        one.write(at_ms + 10, [Look(lot(hour)), Look(lot(hour + 10))])
        two.write(at_ms + 11, [Look(lot(hour))], dropped=1)
    one.write(NINE_MS + 3 * HOUR_MS + 5, [Look(lot(50))])
    two.close()
    return 10


async def check(tally: Tally, noted: int) -> None:
    """See that every look-up is in one journal, and the chain and its tables are whole."""
    chain = await tally.chain()
    assert sum(len(events_of(each)) for each in chain) == noted
    assert sum(each.statement.dropped for each in chain) == 3
    hours = [each.statement for each in chain if each.statement.kind == "hour_stat"]
    assert [s.begins for s in hours] == [
        moment_text(NINE_MS + n * HOUR_MS) for n in range(len(hours))
    ]
    for before, each in pairwise(chain):
        assert each.statement.prev == chained(before.leaf)
    assert await tally.counts() == {"ext_user": noted - 3, "repeat": 3}
    await tally.register.sequencer.drain()
    await assert_sound(tally.register.database)


async def survivor(register: Register, folder: Path, wall: Wall) -> Tally:
    """Count on in a new process until nothing is due."""
    tally = tally_of(register, folder, wall)
    await tally.seal_hours()
    return tally


@pytest.mark.parametrize("pass_number", [1, 2, 3])
@pytest.mark.parametrize("name", GAPS)
async def test_a_crash_in_a_gap_counts_nothing_twice_and_loses_nothing(
    store_url: str, tmp_path: Path, name: str, pass_number: int
) -> None:
    wall, folder = Wall(), tmp_path / "tally"
    async with register_at(store_url) as register:
        dying = tally_of(register, folder, wall, gap=dies_at(name, pass_number=pass_number))
        noted = three_hours(dying)
        wall.set_ms(NINE_MS + 4 * HOUR_MS + 60_000)
        with pytest.raises(Killed):
            await dying.seal_hours()
        await dying.seal_hours()
        await check(dying, noted)
        # What was deleted and not forgotten does not matter; what was sealed is not read again.
        again = await survivor(register, folder, wall)
        wall.move(hours=1)
        await again.seal_hours()
        await check(again, noted)
        assert again.folder.spool_names() == [f"one-{NINE_MS}.spool"]


async def test_crash_after_crash_and_late_events_every_look_up_is_counted_once(
    store_url: str, tmp_path: Path
) -> None:
    random, wall, folder = Random(23), Wall(), tmp_path / "tally"
    async with register_at(store_url) as register:
        spool = tally_of(register, folder, wall).spool()
        noted = 0
        for hour in range(10):
            wall.set_ms(NINE_MS + (hour + 1) * HOUR_MS + 60_000)
            for _ in range(random.randint(1, 4)):
                at_ms = NINE_MS + random.randint(0, hour) * HOUR_MS + random.randrange(HOUR_MS)
                spool.write(at_ms, [Look(f"88.111.2/N-{noted}")])
                noted += 1
            gap = dies_at(random.choice(GAPS), pass_number=random.randint(1, 2))
            dying = tally_of(register, folder, wall, gap=gap)
            for _ in range(3):
                try:
                    await dying.seal_hours()
                except Killed:
                    continue
        tally = await survivor(register, folder, wall)
        chain = await tally.chain()
        assert await tally.counts() == {"ext_user": noted}
        assert sum(len(events_of(each)) for each in chain) == noted
        assert any(each.statement.kind == "correction" for each in chain)
        assert len({(e.statement.kind, e.statement.prev) for e in chain}) == len(chain)


async def test_a_draft_that_a_killed_process_left_is_cleared_away(
    store_url: str, tmp_path: Path
) -> None:
    wall = Wall()
    async with register_at(store_url) as register:
        tally = tally_of(register, tmp_path / "tally", wall)
        draft = tally.folder.draft()
        draft.write_bytes(b"half")
        never_begun = tally.folder.spools / "new-1.spool"
        never_begun.write_bytes(b"")
        tally.folder.forget_unfinished(60, draft.stat().st_mtime + 30)
        assert draft.exists()
        tally.folder.forget_unfinished(60, draft.stat().st_mtime + 90)
        assert not draft.exists()
        assert not never_begun.exists()
