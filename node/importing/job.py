"""Import jobs as their owners see them: upload, find, follow, pause, resume, confirm.

A job's folder under `<data>/imports/<id>` holds the file as uploaded and, at the end, the result
file. What must survive is in the database: the job's state, and in one transaction with each
chunk's registrations the outcomes of its rows. Running the jobs is the `importer`'s part.

Invariant: a job exists only for its owner and for administrators; to others it is not found.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from node.config import Config
from node.errors import IdempotencyMismatch, NotFound, Overloaded, WrongState
from node.importing.importer import Importer
from node.importing.job_files import JobFolder, Upload, received
from node.importing.job_run import RunParts
from node.importing.job_state import ImportOptions, JobView, Progress, decode_actor, encode_actor
from node.importing.limits import Limits
from node.importing.worker_processes import WorkerProcesses
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.keys_on_disk import NodeKeys
from node.registration.minting import Minter
from node.registration.register import Registrar, moment
from node.registration.requests import Actor, Role
from node.storage import import_queries
from node.storage.engine import Database, ReadScope, WriteScope
from node.storage.import_queries import StoredJob
from node.telemetry import Metrics

__all__ = ["ImportJobs", "ImportOptions"]

_log = structlog.get_logger(__name__)

RUNNING = ("queued", "analysing", "registering")
# What a job may be told to do next, by state.
RESUMABLE = ("paused", "failed")
CONFIRMABLE = ("waiting", "done", *RESUMABLE)
# Jobs of one actor that have not ended, and jobs in one answer.
MAX_UNFINISHED, MAX_SHOWN = 20, 100
BUSY_RETRY_S = 30


class RegisterParts(Protocol):
    """What the importer needs of the register."""

    database: Database
    directory: Directory
    registrar: Registrar
    genealogy: Genealogy
    minter: Minter
    keys: NodeKeys
    metrics: Metrics


class ImportJobs:
    """All jobs of a node; `run` runs them one at a time, in one process of a data directory."""

    def __init__(
        self,
        database: Database,
        importer: Importer,
        root: Path,
        clock: Callable[[], datetime],
        *,
        max_file: int,
    ) -> None:
        self._database = database
        self._importer = importer
        self._root = root
        self._clock = clock
        self._max_file = max_file

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
        root = config.data_dir / "imports"
        workers = WorkerProcesses(settings.workers)
        importer = Importer(parts, root, workers, clock, retention=settings.retention)
        return cls(register.database, importer, root, clock, max_file=settings.max_file)

    async def run(self) -> None:
        """Run queued jobs for ever."""
        await self._importer.run()

    async def stop(self) -> None:
        """End the worker processes; an interrupted job goes on at the next start."""
        self._importer.stop()

    async def create(
        self,
        upload: AsyncIterator[bytes],
        filename: str,
        options: ImportOptions,
        *,
        actor: Actor,
        key: str,
    ) -> JobView:
        """Store an upload and queue its job; the same `key` of an actor returns the first job.

        Raises IdempotencyMismatch when the key came with another file or other options,
        LimitExceeded for a file too large, Overloaded while the actor has too many unfinished jobs.
        """
        job_id = _job_id(actor, key)
        async with self._database.read() as scope:
            if await import_queries.find(scope, job_id) is None:
                await _require_room(scope, actor, MAX_UNFINISHED - 1)
        self._importer.expect_job()
        async with received(upload, self._root, self._max_file) as draft:
            job = self._new_job(job_id, filename, options, actor, draft)
            async with self._database.write() as scope:
                job = await self._queue(scope, job, actor, draft)
        self._importer.wake()
        return self._view(job)

    def _new_job(
        self, job_id: str, filename: str, options: ImportOptions, actor: Actor, draft: Upload
    ) -> StoredJob:
        at = moment(self._clock)
        asked = tuple(sorted(set(options.confirmed)))
        options = msgspec.structs.replace(options, confirmed=asked, confirmed_at_upload=asked)
        return StoredJob(
            id=job_id,
            state="queued",
            filename=filename,
            sha256=draft.sha256,
            size_bytes=draft.size,
            actor=encode_actor(actor),
            options=msgspec.json.encode(options).decode(),
            progress=msgspec.json.encode(Progress()).decode(),
            next_chunk=0,
            error="",
            created_at=at,
            updated_at=at,
        )

    async def _queue(
        self, scope: WriteScope, job: StoredJob, actor: Actor, draft: Upload
    ) -> StoredJob:
        """Store a job with its source, or return the one that has its id already.

        The source is in its place before the commit, so that no importer finds a job without it.
        """
        folder = JobFolder(self._root / job.id)
        if await import_queries.add_if_new(scope, job):
            await _require_room(scope, actor, MAX_UNFINISHED)
            await asyncio.to_thread(draft.move_to, folder)
            return job
        known = await import_queries.find(scope, job.id)
        if known is None or not _is_same_request(known, job):
            raise IdempotencyMismatch
        if known.state in ("done", "failed") and not folder.source.exists():
            # Its files were removed after the retention: run again to have a result to show.
            await asyncio.to_thread(draft.move_to, folder)
            await self._restart(scope, known, confirmed=())
            return await import_queries.find(scope, job.id) or known
        return known

    async def find(self, sha256: str | None, *, actor: Actor) -> list[JobView]:
        """Return the newest jobs, or those of a file by its digest, newest first.

        A producer sees its own, an administrator everybody's.
        """
        owner = "" if actor.role is Role.ADMINISTRATOR else actor.id
        async with self._database.read() as scope:
            jobs = await import_queries.newest(
                scope, MAX_SHOWN, sha256=sha256 or "", actor_id=owner
            )
        return [self._view(job) for job in jobs]

    async def progress(self, job_id: str, *, actor: Actor) -> JobView:
        """Return where a job stands; raise NotFound."""
        return self._view(await self._get(job_id, actor))

    async def result(self, job_id: str, *, actor: Actor) -> tuple[Path, str]:
        """Return the result file and a name for it; raise WrongState while there is none."""
        job = await self._get(job_id, actor)
        path = JobFolder(self._root / job.id).result
        if not path.exists():
            raise WrongState("没有结果文件:尚未生成或已过保存期", "No result file yet, or no more")
        stem, dot, ending = job.filename.rpartition(".")
        return path, f"{stem}.结果.{ending}" if dot else f"{job.filename}.结果"

    async def pause(self, job_id: str, *, actor: Actor) -> JobView:
        """Stop a job after its current chunk."""
        job = await self._get(job_id, actor)
        if job.state not in RUNNING:
            raise WrongState(f"任务状态为 {job.state}", f"The import is {job.state}")
        run = self._importer.running(job_id)
        if run is not None:
            run.pause()
        else:
            await self._set_state(job, "paused")
        return self._view(await self._get(job_id, actor))

    async def resume(self, job_id: str, *, actor: Actor) -> JobView:
        """Queue a paused or failed job again; it goes on behind its last durable chunk."""
        job = await self._get(job_id, actor)
        if job.state in RESUMABLE:
            self._require_source(job)
            await self._set_state(job, "queued")
            self._importer.wake()
        return self._view(await self._get(job_id, actor))

    async def confirm(self, job_id: str, kinds: tuple[str, ...], *, actor: Actor) -> JobView:
        """Accept the proposals of some kinds of finding and run the file again.

        Rows registered before are recognised as such; only the rows held for these kinds change.
        """
        job = await self._get(job_id, actor)
        if job.state not in CONFIRMABLE:
            raise WrongState("请等待任务结束", "Wait until the import has ended")
        self._require_source(job)
        async with self._database.write() as scope:
            await self._restart(scope, job, confirmed=kinds)
        _log.info("import_confirmed", job=job_id, kinds=kinds, actor=actor.id)
        self._importer.wake()
        return self._view(await self._get(job_id, actor))

    async def _restart(
        self, scope: WriteScope, job: StoredJob, *, confirmed: tuple[str, ...]
    ) -> None:
        options = msgspec.json.decode(job.options, type=ImportOptions)
        merged = tuple(sorted({*options.confirmed, *confirmed}))
        again = msgspec.structs.replace(options, confirmed=merged, second_run=True)
        await import_queries.set_options(scope, job.id, msgspec.json.encode(again).decode())
        await import_queries.restart(scope, job.id)

    def _require_source(self, job: StoredJob) -> None:
        if not JobFolder(self._root / job.id).source.exists():
            raise WrongState(
                "上传的文件已不在本节点,请重新上传",
                "The uploaded file is no longer here; upload it again",
            )

    async def _get(self, job_id: str, actor: Actor) -> StoredJob:
        async with self._database.read() as scope:
            job = await import_queries.find(scope, job_id)
        if job is None or not _may_see(actor, job):
            raise NotFound("没有此导入任务", "No such import")
        return job

    async def _set_state(self, job: StoredJob, state: str) -> None:
        async with self._database.write() as scope:
            at = moment(self._clock)
            await import_queries.set_state(scope, job.id, state=state, error="", at=at)

    def _view(self, job: StoredJob) -> JobView:
        run = self._importer.running(job.id)
        stored = msgspec.json.decode(job.progress, type=Progress)
        return JobView.of(job, run.progress if run is not None else stored)


def _may_see(actor: Actor, job: StoredJob) -> bool:
    return actor.role is Role.ADMINISTRATOR or decode_actor(job.actor).id == actor.id


def _is_same_request(known: StoredJob, new: StoredJob) -> bool:
    stored, sent = (msgspec.json.decode(job.options, type=ImportOptions) for job in (known, new))
    return known.sha256 == new.sha256 and stored.at_upload() == sent.at_upload()


async def _require_room(scope: ReadScope, actor: Actor, limit: int) -> None:
    if await import_queries.count_unfinished(scope, actor.id) > limit:
        raise Overloaded(
            f"未结束的导入任务已达 {MAX_UNFINISHED} 个,请等待其结束",
            f"{MAX_UNFINISHED} imports have not ended; wait for them",
            retry_after_s=BUSY_RETRY_S,
        )


def _job_id(actor: Actor, key: str) -> str:
    if not key:
        return secrets.token_hex(12)
    return hashlib.sha256(f"{actor.id}\n{key}".encode()).hexdigest()[:24]
