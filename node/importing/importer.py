"""The importer loop: runs queued jobs one at a time, those a crash interrupted first.

Invariants: one process of a data directory runs jobs, the one that holds its lock; a job whose
source lies elsewhere is left to the importer there; a job stays unfinished, to be taken up again,
when the database is away or the workers die, and its trouble does not keep the others waiting.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import structlog

from node.errors import Overloaded, Unavailable, XibiaoError
from node.importing.job_files import JobFolder, remove_abandoned_drafts, remove_folders
from node.importing.job_run import JobRun, Paused, RunParts
from node.importing.worker_processes import WorkerProcesses
from node.registration.register import moment
from node.storage import import_queries
from node.storage.import_queries import StoredJob

_log = structlog.get_logger(__name__)

IDLE_S = 2.0
# A file that kills the workers so many times in a row is not tried again by itself.
MAX_BREAKS = 3
_CLEAN_EVERY = timedelta(hours=1)


class Importer:
    """Runs the jobs of one data directory; `root` holds a folder for each."""

    def __init__(
        self,
        parts: RunParts,
        root: Path,
        workers: WorkerProcesses,
        clock: Callable[[], datetime],
        *,
        retention: timedelta,
    ) -> None:
        self._parts = parts
        self._database = parts.database
        self._root = root
        self._workers = workers
        self._clock = clock
        self._retention = retention
        self._wake = asyncio.Event()
        self._is_serving = False
        self._runs: dict[str, JobRun] = {}
        self._breaks: Counter[str] = Counter()
        self._elsewhere: set[str] = set()
        self._clean_at: datetime | None = None

    def running(self, job_id: str) -> JobRun | None:
        """Return the run of a job, if it runs in this process now."""
        return self._runs.get(job_id)

    def expect_job(self) -> None:
        """Get ready while an upload comes in, if this process is the one that runs jobs."""
        if self._is_serving:
            self._workers.warm_up()

    def wake(self) -> None:
        """Look for queued jobs now."""
        self._wake.set()

    async def run(self) -> None:
        """Run jobs for ever, as soon as the data directory's lock is free.

        The kernel releases the lock when its process ends, however it ends.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("w") as lock:
            while not _locked(lock):  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(IDLE_S)
            self._is_serving = True
            while True:
                self._wake.clear()
                await self.run_queued()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_S)

    async def run_queued(self) -> None:
        """Run every unfinished job once, oldest first."""
        try:
            async with self._database.read() as scope:
                jobs = await import_queries.unfinished(scope)
            await self._remove_old_files()
        except XibiaoError as error:
            _log.warning("importer_waits", code=error.code)
            return
        for job in jobs:
            if self._is_here(job):
                try:
                    await self._run_one(job)
                except XibiaoError as error:
                    # The job stays unfinished and is taken up again; the next one has its turn.
                    _log.warning("import_waits", job=job.id, code=error.code)

    def stop(self) -> None:
        """End the worker processes; an interrupted job goes on at the next start."""
        self._workers.stop()

    def _is_here(self, job: StoredJob) -> bool:
        if JobFolder(self._root / job.id).source.exists():
            return True
        if job.id not in self._elsewhere:
            self._elsewhere.add(job.id)
            _log.warning("import_source_elsewhere", job=job.id, folder=str(self._root))
        return False

    async def _run_one(self, job: StoredJob) -> None:
        pool = self._workers.pool()
        run = JobRun(self._parts, job, JobFolder(self._root / job.id), pool)
        self._runs[job.id] = run
        try:
            await run.run()
            del self._breaks[job.id]
        except Paused:
            await self._set_state(job, "paused")
        except (Unavailable, Overloaded):
            raise
        except XibiaoError as error:
            _log.warning("import_failed", job=job.id, code=error.code)
            await self._set_state(job, "failed", f"{error.zh} / {error.en}")
        except BrokenExecutor:
            self._workers.retire(pool)
            await self._note_break(job)
        except Exception:  # noqa: BLE001 - one broken file must not stop the importer
            _log.exception("import_failed", job=job.id)
            await self._set_state(job, "failed", "内部错误 / Internal error")
        finally:
            del self._runs[job.id]

    async def _note_break(self, job: StoredJob) -> None:
        self._breaks[job.id] += 1
        _log.warning("import_worker_died", job=job.id, times=self._breaks[job.id])
        if self._breaks[job.id] >= MAX_BREAKS:
            del self._breaks[job.id]
            error = "分析进程多次异常结束,可继续 / Workers died repeatedly; resume the import"
            await self._set_state(job, "failed", error)

    async def _set_state(self, job: StoredJob, state: str, error: str = "") -> None:
        async with self._database.write() as scope:
            at = moment(self._clock)
            await import_queries.set_state(scope, job.id, state=state, error=error, at=at)

    async def _remove_old_files(self) -> None:
        """Remove, once an hour, the folders of jobs that ended before the retention."""
        now = self._clock()
        if self._clean_at is not None and now < self._clean_at:
            return
        limit = moment(lambda: now - self._retention)
        async with self._database.read() as scope:
            old = await import_queries.ended_before(scope, limit)
        removed = await asyncio.to_thread(remove_folders, self._root, old)
        await asyncio.to_thread(remove_abandoned_drafts, self._root, now.timestamp())
        self._clean_at = now + _CLEAN_EVERY
        if removed:
            _log.info("import_files_removed", jobs=removed)


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
