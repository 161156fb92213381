"""Import jobs: take an upload, run it in the background, survive crashes, answer for progress.

A job's folder under `<data>/imports/<id>` holds the file as uploaded and, at the end, the result
file. What must survive is in the database: the job's state, and in one transaction with each
chunk's registrations the outcomes of its rows. A restarted node takes unfinished jobs up again.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TextIO

import msgspec
import structlog

from node.config import Config
from node.errors import LimitExceeded, NotFound, Unavailable, WrongState, XibiaoError
from node.importing.job_run import JobRun, Paused, RunParts
from node.importing.job_state import ImportOptions, JobView, Progress
from node.importing.limits import Limits
from node.importing.prepare import worker_is_ready
from node.importing.worker_processes import worker_pool
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.keys_on_disk import NodeKeys
from node.registration.minting import Minter
from node.registration.register import Registrar, moment
from node.registration.requests import Actor
from node.storage import import_queries
from node.storage.engine import Database
from node.storage.import_queries import StoredJob
from node.telemetry import Metrics

__all__ = ["ImportJobs", "ImportOptions"]

_log = structlog.get_logger(__name__)

IDLE_S = 2.0
RUNNING = ("queued", "analysing", "registering")
# What a job may be told to do next, by state.
RESUMABLE = ("paused", "failed")


class RegisterParts(Protocol):
    """What the importer needs of the register."""

    database: Database
    directory: Directory
    registrar: Registrar
    genealogy: Genealogy
    minter: Minter
    keys: NodeKeys
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one job."""

    path: Path

    @property
    def source(self) -> Path:
        """The file as uploaded."""
        return self.path / "source"

    @property
    def spool(self) -> Path:
        """Drafts between the two passes; worthless after a restart."""
        return self.path / "spool"

    @property
    def result(self) -> Path:
        """The same file with 状态, 原因, 建议."""
        return self.path / "result"


class ImportJobs:
    """All jobs of a node; one runs at a time, the others wait their turn."""

    def __init__(
        self,
        parts: RunParts,
        folder: Path,
        clock: Callable[[], datetime],
        *,
        max_file: int,
        workers: int,
    ) -> None:
        self._parts = parts
        self._database = parts.database
        self._folder = folder
        self._clock = clock
        self._max_file = max_file
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._wake = asyncio.Event()
        self._runs: dict[str, JobRun] = {}

    @classmethod
    def build(
        cls, config: Config, register: RegisterParts, clock: Callable[[], datetime]
    ) -> ImportJobs:
        """Build the importer of a node process."""
        settings = config.import_
        limits = Limits(
            file_bytes=settings.max_file,
            rows=settings.max_rows,
            columns=settings.max_columns,
            cell_bytes=settings.max_cell,
        )
        parts = RunParts(
            database=register.database,
            directory=register.directory,
            registrar=register.registrar,
            genealogy=register.genealogy,
            minter=register.minter,
            tag_key=register.keys.identifier_tag,
            metrics=register.metrics,
            clock=clock,
            limits=limits,
            pending_limit=config.sequencer.pending_limit,
        )
        folder = config.data_dir / "imports"
        return cls(parts, folder, clock, max_file=settings.max_file, workers=settings.workers)

    async def create(
        self,
        upload: AsyncIterator[bytes],
        filename: str,
        options: ImportOptions,
        *,
        actor: Actor,
        key: str,
    ) -> JobView:
        """Store an upload and queue its job; the same `key` of an actor returns the first job."""
        job_id = _job_id(actor, key)
        if key and (known := await self._find(job_id)) is not None:
            return self._view(known)
        folder = Folder(self._folder / job_id)
        folder.path.mkdir(parents=True, exist_ok=True)
        self._warm_up()
        digest, size = await _store_upload(upload, folder.source, self._max_file)
        at = moment(self._clock)
        job = StoredJob(
            id=job_id,
            state="queued",
            filename=filename,
            sha256=digest,
            size_bytes=size,
            actor=msgspec.json.encode(
                {"id": actor.id, "role": actor.role, "prefixes": sorted(actor.prefixes)}
            ).decode(),
            options=msgspec.json.encode(options).decode(),
            progress=msgspec.json.encode(Progress()).decode(),
            next_chunk=0,
            error="",
            created_at=at,
            updated_at=at,
        )
        async with self._database.write() as scope:
            await import_queries.add(scope, job)
        self._wake.set()
        return self._view(job)

    async def find(self, sha256: str | None) -> list[JobView]:
        """Return the newest job of a file by its digest, or the newest jobs of all."""
        async with self._database.read() as scope:
            if sha256 is None:
                jobs = await import_queries.recent(scope, 50)
            else:
                found = await import_queries.latest_of_file(scope, sha256)
                jobs = [found] if found else []
        return [self._view(job) for job in jobs]

    async def progress(self, job_id: str) -> JobView:
        """Return where a job stands; raise NotFound."""
        return self._view(await self._get(job_id))

    async def result(self, job_id: str) -> tuple[Path, str]:
        """Return the result file and a name for it; raise WrongState while there is none."""
        job = await self._get(job_id)
        path = Folder(self._folder / job.id).result
        if not path.exists():
            raise WrongState("结果文件尚未生成", "The result file is not ready yet")
        stem, dot, ending = job.filename.rpartition(".")
        return path, f"{stem}.结果.{ending}" if dot else f"{job.filename}.结果"

    async def pause(self, job_id: str) -> JobView:
        """Stop a job after its current chunk."""
        job = await self._get(job_id)
        if job.state not in RUNNING:
            raise WrongState(f"任务状态为 {job.state}", f"The import is {job.state}")
        run = self._runs.get(job_id)
        if run is not None:
            run.pause()
        else:
            await self._set_state(job, "paused")
        return self._view(await self._get(job_id))

    async def resume(self, job_id: str) -> JobView:
        """Queue a paused or failed job again; it goes on behind its last durable chunk."""
        job = await self._get(job_id)
        if job.state in RESUMABLE:
            await self._set_state(job, "queued")
            self._wake.set()
        return self._view(await self._get(job_id))

    async def confirm(self, job_id: str, kinds: tuple[str, ...], *, actor: Actor) -> JobView:
        """Accept the proposals of some kinds of finding and run the file again.

        Rows registered before are recognised as such; only the rows held for these kinds change.
        """
        job = await self._get(job_id)
        if job.state not in ("waiting", "done", *RESUMABLE):
            raise WrongState("请等待任务结束", "Wait until the import has ended")
        options = msgspec.json.decode(job.options, type=ImportOptions)
        merged = tuple(sorted({*options.confirmed, *kinds}))
        confirmed = msgspec.structs.replace(options, confirmed=merged, second_run=True)
        async with self._database.write() as scope:
            await import_queries.set_options(scope, job_id, msgspec.json.encode(confirmed).decode())
            await import_queries.restart(scope, job_id)
        _log.info("import_confirmed", job=job_id, kinds=kinds, actor=actor.id)
        self._wake.set()
        return self._view(await self._get(job_id))

    async def run(self) -> None:
        """Run queued jobs for ever, those a crash interrupted first.

        Only one process of a data directory does: the others wait for its lock, which the kernel
        releases when the process ends, however it ends.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            while not _locked(lock):  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(IDLE_S)
            await self._serve()

    async def _serve(self) -> None:
        while True:
            try:
                async with self._database.read() as scope:
                    jobs = await import_queries.unfinished(scope)
                for job in jobs:
                    await self._run_one(job)
            except XibiaoError as error:
                # The database is away; the job stays unfinished and is taken up again.
                _log.warning("importer_waits", code=error.code)
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), IDLE_S)

    async def _run_one(self, job: StoredJob) -> None:
        run = JobRun(self._parts, job, Folder(self._folder / job.id), self._workers_pool())
        self._runs[job.id] = run
        try:
            await run.run()
        except Paused:
            await self._set_state(job, "paused")
        except Unavailable:
            raise
        except XibiaoError as error:
            _log.warning("import_failed", job=job.id, code=error.code)
            await self._fail(job, f"{error.zh} / {error.en}")
        except BrokenExecutor:
            self._pool = None
            _log.warning("import_worker_died", job=job.id)
            await self._fail(
                job, "分析进程异常结束,可继续 / A worker died; resume the import"
            )
        except Exception:  # noqa: BLE001 - one broken file must not stop the importer
            _log.exception("import_failed", job=job.id)
            await self._fail(job, "内部错误 / Internal error")
        finally:
            del self._runs[job.id]

    def _workers_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = worker_pool(self._workers)
        return self._pool

    def _warm_up(self) -> None:
        """Let the workers load their modules while the upload is still coming in."""
        pool = self._workers_pool()
        for _ in range(self._workers):
            pool.submit(worker_is_ready)

    async def stop(self) -> None:
        """End the worker processes; an interrupted job goes on at the next start."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _get(self, job_id: str) -> StoredJob:
        job = await self._find(job_id)
        if job is None:
            raise NotFound("没有此导入任务", "No such import")
        return job

    async def _find(self, job_id: str) -> StoredJob | None:
        async with self._database.read() as scope:
            return await import_queries.find(scope, job_id)

    async def _set_state(self, job: StoredJob, state: str) -> None:
        latest = await self._get(job.id)
        async with self._database.write() as scope:
            await import_queries.update(
                scope,
                job.id,
                state=state,
                progress=latest.progress,
                error="",
                at=moment(self._clock),
            )

    async def _fail(self, job: StoredJob, error: str) -> None:
        latest = await self._get(job.id)
        async with self._database.write() as scope:
            await import_queries.update(
                scope,
                job.id,
                state="failed",
                progress=latest.progress,
                error=error,
                at=moment(self._clock),
            )

    def _view(self, job: StoredJob) -> JobView:
        run = self._runs.get(job.id)
        stored = msgspec.json.decode(job.progress, type=Progress)
        return JobView.of(job, run.progress if run is not None else stored)


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _job_id(actor: Actor, key: str) -> str:
    if not key:
        return secrets.token_hex(12)
    return hashlib.sha256(f"{actor.id}\n{key}".encode()).hexdigest()[:24]


async def _store_upload(upload: AsyncIterator[bytes], target: Path, limit: int) -> tuple[str, int]:
    """Write an upload durably; return its SHA-256 and size. Raises LimitExceeded at `limit`."""
    digest, size = hashlib.sha256(), 0
    draft = target.with_name("upload")
    with draft.open("wb") as file:
        async for part in upload:
            size += len(part)
            if size > limit:
                draft.unlink()
                raise LimitExceeded(f"文件超过 {limit} 字节", f"The file exceeds {limit} bytes")
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(target)
    return digest.hexdigest(), size
