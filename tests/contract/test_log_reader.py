"""Reading the log costs the register little, however often anybody asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.api import log_reader
from node.api.log_reader import LogReader
from node.errors import IntegrityFailure, Overloaded, Unavailable
from tests.builders import lot, register_at, register_lots


class Seconds:
    """A monotonic clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_checkpoint_is_read_once_in_a_while_and_full_tiles_once(tmp_path: Path) -> None:
    async with register_at(f"sqlite:///{tmp_path}/x.db") as register:
        clock = Seconds()
        reader = LogReader(register.database, clock)
        await register_lots(register, range(256))
        await register.sequencer.drain()
        first = await reader.checkpoint()
        full = await reader.resource("tile/0/000")
        bundle = await reader.resource("tile/entries/000")
        await register_lots(register, range(256, 257))
        await register.sequencer.drain()
        assert await reader.checkpoint() == first
        clock.now += 1
        newest = await reader.checkpoint()
        assert newest.splitlines()[1] == b"257"
        async with register.database.write() as scope:
            await scope.rows_affected("DELETE FROM tile", ())
            await scope.rows_affected("DELETE FROM entry_bundle", ())
        assert await reader.resource("tile/0/000") == full
        assert await reader.resource("tile/entries/000") == bundle
        with pytest.raises(IntegrityFailure):
            await reader.resource("tile/0/001.p/1")
        with pytest.raises(IntegrityFailure):
            await reader.receipt(lot(1))


async def test_a_tile_newer_than_the_remembered_checkpoint_is_served(tmp_path: Path) -> None:
    async with register_at(f"sqlite:///{tmp_path}/x.db") as register:
        reader = LogReader(register.database, Seconds())
        await register_lots(register, range(1))
        await register.sequencer.drain()
        await reader.checkpoint()
        await register_lots(register, range(1, 3))
        await register.sequencer.drain()
        assert len((await reader.resource("tile/0/000.p/3"))[0]) == 96


async def test_readers_beyond_the_bound_are_sent_away_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "WAITING_READS", 6)
    async with register_at(f"sqlite:///{tmp_path}/x.db") as register:
        await register_lots(register, range(1))
        await register.sequencer.drain()
        reader = LogReader(register.database)
        asked = [reader.receipt(lot(0)) for _ in range(20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, bytes) for answer in answers) == 6
        assert sum(isinstance(answer, Overloaded) for answer in answers) == 14
        assert isinstance(await reader.receipt(lot(0)), bytes)


async def test_a_receipt_that_does_not_come_in_time_is_unavailable(tmp_path: Path) -> None:
    async with register_at(f"sqlite:///{tmp_path}/x.db") as register:
        await register_lots(register, range(1))
        with pytest.raises(Unavailable):
            await LogReader(register.database).await_receipt(lot(0), 0.05)
