"""Work beside the event loop: bounded, and honest about what comes of it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from node.errors import InvalidInput, Overloaded
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.record_reader import RecordReader
from tests.unit.resolver.handle.service_fakes import ABC, FakeRegister


async def test_jobs_return_and_raise_what_they_do() -> None:
    def fail() -> None:
        raise InvalidInput(code="on_purpose")

    work = BoundedWork()
    assert await work.run(lambda: 7) == 7
    with pytest.raises(InvalidInput):
        await work.run(fail)
    work.close()


async def test_what_does_not_fit_is_refused_and_fits_again_later() -> None:
    gate, work = threading.Event(), BoundedWork(threads=1, limit=2)
    waiting = [asyncio.ensure_future(work.run(lambda: gate.wait(10))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await work.run(lambda: True)
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await work.run(lambda: True)
    work.close()


async def test_a_job_whose_asker_has_gone_still_counts() -> None:
    gate, work = threading.Event(), BoundedWork(threads=1, limit=1)
    task = asyncio.ensure_future(work.run(lambda: gate.wait(10)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(Overloaded):
        await work.run(lambda: True)
    gate.set()
    work.close()


class SlowRegister(FakeRegister):
    """A register that reads when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.reading = self.most = 0

    async def read(self, handle: str) -> None:
        self.reading += 1
        self.most = max(self.most, self.reading)
        await self.gate.wait()
        self.reading -= 1


async def test_records_are_read_a_few_at_a_time_and_few_wait() -> None:
    register = SlowRegister()
    reader = RecordReader(register, at_once=2, waiting=3)
    reads = [asyncio.ensure_future(reader.read(ABC)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await reader.read(ABC)
    register.gate.set()
    await asyncio.gather(*reads)
    assert register.most == 2
    assert await reader.read(ABC) is None
