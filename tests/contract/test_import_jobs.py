"""Import jobs on a real database: whose they are, what an upload makes, what survives trouble."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from admin.parts import Register
from node.errors import (
    IdempotencyMismatch,
    LimitExceeded,
    NotFound,
    Overloaded,
    Unavailable,
    WrongState,
    XibiaoError,
)
from node.importing.draft_spool import DraftSpool
from node.importing.importer import Importer
from node.importing.job import MAX_UNFINISHED, ImportJobs, ImportOptions
from node.importing.job_run import JobRun, RunParts
from node.importing.job_state import JobView
from node.importing.limits import Limits
from node.importing.worker_processes import WorkerProcesses
from node.registration.requests import Actor, Role
from tests.builders import OTHER_PRODUCER, PRODUCER, Clock, lot, register_at, texts

ADMINISTRATOR = Actor("key:administrator", Role.ADMINISTRATOR)
MAX_FILE = 4 << 20
PLAIN = ImportOptions()


class ThreadWorkers(WorkerProcesses):
    """Workers that start at once; `breaks` of the next pools are broken ones."""

    def __init__(self) -> None:
        super().__init__(1)
        self.breaks = 0
        self.warmed = 0

    def pool(self) -> Any:
        if self.breaks:
            self.breaks -= 1
            return BrokenPool()
        return ThreadPoolExecutor(1)

    def retire(self, pool: Executor) -> None:
        pool.shutdown()

    def warm_up(self) -> None:
        self.warmed += 1


class BrokenPool(Executor):
    """What a pool is whose workers were killed."""

    def submit(self, *_: object, **__: object) -> Any:
        raise BrokenProcessPool("a worker was killed")


@dataclass(frozen=True, slots=True)
class Importing:
    """A register and its jobs."""

    register: Register
    jobs: ImportJobs
    importer: Importer
    workers: ThreadWorkers
    root: Path
    clock: Clock

    async def upload(
        self,
        content: bytes,
        *,
        actor: Actor = PRODUCER,
        key: str = "",
        options: ImportOptions = PLAIN,
    ) -> JobView:
        """Upload a file in two parts."""
        half = len(content) // 2
        parts = (content[:half], content[half:])
        return await self.jobs.create(_stream(parts), "批次.csv", options, actor=actor, key=key)

    async def run(self, job: JobView) -> JobView:
        """Run what is queued and return the job."""
        await self.importer.run_queued()
        return await self.jobs.progress(job.id, actor=ADMINISTRATOR)

    def files(self) -> set[str]:
        """Name every file below the imports' folder."""
        return {str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()}


@asynccontextmanager
async def importing_at(url: str, root: Path) -> AsyncIterator[Importing]:
    clock = Clock()
    async with register_at(url, clock=clock) as register:
        limits = Limits(file_bytes=MAX_FILE)
        parts = RunParts(
            register.database,
            register.directory,
            register.registrar,
            register.genealogy,
            register.minter,
            register.keys.identifier_tag,
            register.metrics,
            clock,
            limits,
            1_000_000,
        )
        workers = ThreadWorkers()
        importer = Importer(parts, root, workers, clock, retention=timedelta(days=90))
        jobs = ImportJobs(register.database, importer, root, clock, max_file=MAX_FILE)
        yield Importing(register, jobs, importer, workers, root, clock)


@pytest.fixture
async def importing(store_url: str, tmp_path: Path) -> AsyncIterator[Importing]:
    async with importing_at(store_url, tmp_path / "imports") as opened:
        yield opened


async def _stream(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(0)


def table(numbers: Sequence[int], **changes: str) -> bytes:
    """Return a CSV of sound lots; `changes` are cells of all of them."""
    rows = [{"handle": lot(n), **texts(lot_no=f"L-{n}"), **changes} for n in numbers]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


# Whose a job is.


async def test_a_job_is_found_by_its_owner_and_administrators_only(importing: Importing) -> None:
    job = await importing.upload(table([1]))
    jobs = importing.jobs
    attempts: list[Callable[[], Any]] = [
        lambda: jobs.progress(job.id, actor=OTHER_PRODUCER),
        lambda: jobs.result(job.id, actor=OTHER_PRODUCER),
        lambda: jobs.pause(job.id, actor=OTHER_PRODUCER),
        lambda: jobs.resume(job.id, actor=OTHER_PRODUCER),
        lambda: jobs.confirm(job.id, ("x",), actor=OTHER_PRODUCER),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt()
    assert await jobs.find(None, actor=OTHER_PRODUCER) == []
    assert await jobs.find(job.sha256, actor=OTHER_PRODUCER) == []
    for actor in (PRODUCER, ADMINISTRATOR):
        assert (await jobs.progress(job.id, actor=actor)).state == "queued"
        assert [found.id for found in await jobs.find(None, actor=actor)] == [job.id]


async def test_all_jobs_of_a_file_are_listed_newest_first(importing: Importing) -> None:
    first = await importing.upload(table([1]), options=ImportOptions(dry_run=True))
    second = await importing.upload(table([1]))
    await importing.upload(table([2]))
    await importing.upload(table([1]), actor=OTHER_PRODUCER)
    found = await importing.jobs.find(first.sha256, actor=PRODUCER)
    assert [(job.id, job.dry_run) for job in found] == [(second.id, False), (first.id, True)]
    assert len(await importing.jobs.find(first.sha256, actor=ADMINISTRATOR)) == 3


# What an upload makes.


async def test_the_same_key_gives_the_same_job_only_for_the_same_request(
    importing: Importing,
) -> None:
    first = await importing.upload(table([1]), key="a")
    assert (await importing.upload(table([1]), key="a")).id == first.id
    with pytest.raises(IdempotencyMismatch):
        await importing.upload(table([2]), key="a")
    for options in (ImportOptions(dry_run=True), ImportOptions(confirmed=("ambiguous_date",))):
        with pytest.raises(IdempotencyMismatch):
            await importing.upload(table([1]), key="a", options=options)
    other = await importing.upload(table([2]), key="a", actor=OTHER_PRODUCER)
    assert other.id != first.id
    assert importing.files() == {f"{first.id}/source", f"{other.id}/source"}


async def test_a_later_confirmation_does_not_make_the_upload_another_request(
    importing: Importing,
) -> None:
    job = await importing.run(await importing.upload(table([1]), key="a"))
    await importing.jobs.confirm(job.id, ("ambiguous_date",), actor=PRODUCER)
    assert (await importing.upload(table([1]), key="a")).id == job.id


async def test_uploads_at_once_with_one_key_make_one_job_with_one_whole_file(
    importing: Importing,
) -> None:
    content = table(range(500))
    made = await asyncio.gather(*(importing.upload(content, key="a") for _ in range(6)))
    assert len({job.id for job in made}) == 1
    assert importing.files() == {f"{made[0].id}/source"}
    assert (importing.root / made[0].id / "source").read_bytes() == content
    assert len(await importing.jobs.find(None, actor=PRODUCER)) == 1


async def test_a_cut_or_too_large_upload_leaves_neither_file_nor_job(importing: Importing) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError

    for stream, error in ((cut(), ConnectionResetError), (_stream([b"x" * MAX_FILE] * 2), None)):
        with pytest.raises(error or LimitExceeded):
            await importing.jobs.create(stream, "a.csv", PLAIN, actor=PRODUCER, key="a")
    assert importing.files() == set()
    assert await importing.jobs.find(None, actor=PRODUCER) == []


async def test_an_actor_has_so_many_unfinished_jobs_and_no_more(importing: Importing) -> None:
    for number in range(MAX_UNFINISHED):
        await importing.upload(table([number]), key=str(number))
    for key in ("new", ""):
        with pytest.raises(Overloaded):
            await importing.upload(table([99]), key=key)
    assert (await importing.upload(table([0]), key="0")).state == "queued"
    await importing.upload(table([99]), actor=OTHER_PRODUCER)
    assert len(importing.files()) == MAX_UNFINISHED + 1


async def test_a_process_that_runs_no_jobs_starts_no_workers_for_an_upload(
    importing: Importing,
) -> None:
    await importing.upload(table([1]))
    assert importing.workers.warmed == 0
    loop = asyncio.create_task(importing.jobs.run())
    async with asyncio.timeout(10):
        while not importing.workers.warmed:
            await importing.upload(table([2]), key="a")
    loop.cancel()
    await asyncio.wait([loop])
    assert importing.workers.warmed


# What a run leaves.


async def test_second_run_counts_own_rows_as_registered_and_others_as_duplicates(
    importing: Importing,
) -> None:
    await importing.run(await importing.upload(table([2], net_kg="1000.0")))
    job = await importing.run(await importing.upload(table([1, 2], net_kg="1000.0")))
    assert (job.state, job.registered, job.duplicates) == ("done", 1, 1)
    await importing.jobs.confirm(job.id, ("ambiguous_date",), actor=PRODUCER)
    again = await importing.run(job)
    assert (again.state, again.registered, again.duplicates) == ("done", 1, 1)


async def test_a_repeated_file_is_judged_off_the_loop_and_each_chunk_read_once(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    read = DraftSpool._read

    def noting(spool: DraftSpool, chunk: Any) -> Any:
        threads.append(threading.get_ident())
        return read(spool, chunk)

    monkeypatch.setattr(DraftSpool, "_read", noting)
    once = table(range(2_000))
    job = await importing.run(await importing.upload(once + once.partition(b"\n")[2]))
    assert (job.rows, job.registered, job.duplicates) == (4_000, 2_000, 2_000)
    assert 0 < len(threads) <= 5
    assert threading.get_ident() not in threads


async def test_held_rows_make_the_job_wait_and_name_what_may_be_confirmed(
    importing: Importing,
) -> None:
    # Only the second date says that this file puts the day first.
    _, _, second = table([2], produced_on="26/09/24").partition(b"\n")
    content = table([1], produced_on="05/09/24") + second
    job = await importing.run(await importing.upload(content))
    assert (job.state, job.pending, job.confirmable) == ("waiting", 1, {"ambiguous_date": 1})
    await importing.jobs.confirm(job.id, ("ambiguous_date",), actor=PRODUCER)
    again = await importing.run(job)
    assert (again.state, again.registered, again.confirmable) == ("done", 2, {})


# What survives trouble.


async def test_broken_workers_keep_the_job_until_they_broke_three_times_in_a_row(
    importing: Importing,
) -> None:
    job = await importing.upload(table([1]))
    importing.workers.breaks = 2
    assert (await importing.run(job)).state == "analysing"
    assert (await importing.run(job)).state == "analysing"
    assert (await importing.run(job)).state == "done"
    other = await importing.upload(table([2]))
    importing.workers.breaks = 3
    states = [(await importing.run(other)).state for _ in range(3)]
    assert states == ["analysing", "analysing", "failed"]
    await importing.jobs.resume(other.id, actor=PRODUCER)
    assert (await importing.run(other)).state == "done"


@pytest.mark.parametrize("trouble", [Overloaded, Unavailable])
async def test_a_job_in_trouble_stays_unfinished_and_lets_the_next_one_run(
    importing: Importing, monkeypatch: pytest.MonkeyPatch, trouble: type[XibiaoError]
) -> None:
    first, second = await importing.upload(table([1])), await importing.upload(table([2]))
    run = JobRun.run

    async def failing(job_run: JobRun) -> None:
        if job_run._job.id == first.id:
            raise trouble
        await run(job_run)

    monkeypatch.setattr(JobRun, "run", failing)
    assert (await importing.run(second)).state == "done"
    assert (await importing.run(first)).state == "queued"
    monkeypatch.setattr(JobRun, "run", run)
    assert (await importing.run(first)).state == "done"


async def test_a_job_of_another_data_directory_is_left_alone(
    importing: Importing, store_url: str, tmp_path: Path
) -> None:
    job = await importing.upload(table([1]))
    async with importing_at(store_url, tmp_path / "other") as elsewhere:
        assert (await elsewhere.run(job)).state == "queued"
        assert (await elsewhere.run(job)).state == "queued"
    assert (await importing.run(job)).state == "done"


async def test_files_of_ended_jobs_go_after_the_retention_and_come_back_on_upload(
    importing: Importing,
) -> None:
    ended = await importing.run(await importing.upload(table([1]), key="a"))
    draft = importing.root / "uploads" / "left-by-a-killed-node"
    draft.write_bytes(b"x")
    os.utime(draft, (0, 0))
    importing.clock.now += timedelta(days=91)
    recent = await importing.run(await importing.upload(table([2])))
    assert importing.files() == {f"{recent.id}/source", f"{recent.id}/result"}
    assert (await importing.jobs.progress(ended.id, actor=PRODUCER)).registered == 1
    with pytest.raises(WrongState):
        await importing.jobs.result(ended.id, actor=PRODUCER)
    with pytest.raises(WrongState):
        await importing.jobs.confirm(ended.id, ("x",), actor=PRODUCER)
    again = await importing.run(await importing.upload(table([1]), key="a"))
    assert (again.id, again.state, again.registered) == (ended.id, "done", 1)
    assert (await importing.jobs.result(ended.id, actor=PRODUCER))[0].exists()
