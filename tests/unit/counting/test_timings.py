"""What processes timed is found again by day, whatever became of them or of the disk."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.counting.tally_folder import TallyFolder
from node.counting.timings import Timings, read_timings
from node.domain.timing import SPAN_MS, Timing

DAY_MS = 86_400_000
# Midnight UTC of the 21st of November 2026.
MIDNIGHT_MS = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp() * 1000)


class Watch:
    """A process that times, and its clock."""

    def __init__(self, folder: Path, process: str = "1") -> None:
        self.at_ms = MIDNIGHT_MS
        self.timings = Timings(
            TallyFolder(folder),
            process=process,
            kept=timedelta(days=30),
            now_ms=lambda: self.at_ms,
        )

    def took(self, at_ms: int, ms: float) -> None:
        self.at_ms = at_ms
        self.timings.resolving.took(ms / 1000)

    def write_all(self) -> None:
        self.timings.flush(self.at_ms + SPAN_MS)


def read(folder: Path, begins_ms: int = MIDNIGHT_MS, ends_ms: int = MIDNIGHT_MS + DAY_MS) -> object:
    return read_timings(TallyFolder(folder), begins_ms, ends_ms)


def test_a_day_has_what_all_processes_timed_in_it(tmp_path: Path) -> None:
    one, two = Watch(tmp_path, "1"), Watch(tmp_path, "2")
    one.took(MIDNIGHT_MS - 1, 99)
    one.took(MIDNIGHT_MS, 2)
    one.took(MIDNIGHT_MS + SPAN_MS, 4)
    two.took(MIDNIGHT_MS + DAY_MS - 1, 3)
    two.took(MIDNIGHT_MS + DAY_MS, 99)
    two.timings.registering.took(0.001)
    one.write_all()
    two.write_all()
    day = Timing(3, 9_000, 4_000, MIDNIGHT_MS + SPAN_MS, 2_000, MIDNIGHT_MS)
    assert read(tmp_path) == {"resolving": day}
    next_day = read(tmp_path, MIDNIGHT_MS + DAY_MS, MIDNIGHT_MS + 2 * DAY_MS)
    assert isinstance(next_day, dict)
    assert next_day.keys() == {"resolving", "registering"}


def test_only_spans_that_have_ended_are_written_meanwhile(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.took(MIDNIGHT_MS, 1)
    watch.timings.flush(MIDNIGHT_MS + SPAN_MS - 1)
    assert read(tmp_path) == {}
    watch.took(MIDNIGHT_MS + SPAN_MS, 5)
    watch.timings.flush(watch.at_ms)
    first = Timing(1, 1_000, 1_000, MIDNIGHT_MS, 1_000, MIDNIGHT_MS)
    assert read(tmp_path) == {"resolving": first}
    watch.timings.flush(watch.at_ms)
    assert read(tmp_path) == {"resolving": first}


async def test_the_last_span_is_written_when_the_process_ends(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.took(MIDNIGHT_MS + 1, 1)
    running = asyncio.create_task(watch.timings.run())
    await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert read(tmp_path) != {}


def test_what_is_cut_short_or_foreign_is_passed_over(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.took(MIDNIGHT_MS, 1)
    watch.write_all()
    watch.took(MIDNIGHT_MS + SPAN_MS, 2)
    watch.write_all()
    (path,) = (tmp_path / "timing").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    path.with_name("20261121.other.ndjson").write_bytes(b"\x00\xff\n{}\n")
    path.with_name("20261121.folder.ndjson").mkdir()
    timed = read(tmp_path)
    assert isinstance(timed, dict)
    assert timed["resolving"].number == 1


def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    for day in (0, 30, 31):
        watch.took(MIDNIGHT_MS + day * DAY_MS, 1)
        watch.write_all()
    names = sorted(path.name for path in (tmp_path / "timing").iterdir())
    assert names == ["20261221.1.ndjson", "20261222.1.ndjson"]


@pytest.mark.parametrize("in_the_way", ["tally", "tally/timing"])
def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, in_the_way: str) -> None:
    place = tmp_path / in_the_way
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"a file where a folder should be")
    watch = Watch(tmp_path / "tally")
    watch.took(MIDNIGHT_MS, 1)
    watch.write_all()
    assert read(tmp_path / "tally") == {}
