"""One run of one import: analyse the whole file, judge it, then register it chunk by chunk.

Exactly once: a chunk's registrations, its rows' outcomes and the number of the next chunk are one
transaction. After a crash the analysis is repeated (same file, same day, same result) and
registration goes on with the first chunk that is not durable. Registration waits while the log is
behind, so an import never piles up work that a suspension would have to queue behind. Reading,
judging and writing happen in threads, so that the node keeps answering.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeVar

import msgspec
import structlog

from node.domain.template import encode_template
from node.errors import Overloaded, Unavailable
from node.importing.chunk_analysis import ChunkAnalysis
from node.importing.draft_spool import DraftSpool, SpooledChunk
from node.importing.file_review import FileReview
from node.importing.findings import RowDraft
from node.importing.identifier_assignment import assign_identifiers
from node.importing.job_files import JobFolder
from node.importing.job_state import ImportOptions, Progress, decode_actor
from node.importing.limits import Limits
from node.importing.outcome_texts import row_result
from node.importing.prepare import (
    ChunkTask,
    PackedAnalysis,
    PreparedRows,
    RowOutcome,
    Setting,
    analyse_packed,
    prepare_chunk,
    unpack_prepared,
)
from node.importing.result_file import write_result
from node.importing.row_outcomes import comes_from, compared, count_into, settled
from node.importing.table_reader import Chunk, Table, open_table
from node.registration.directory import Directory
from node.registration.genealogy import Genealogy
from node.registration.minting import Minter
from node.registration.register import ATTEMPTS, Registrar, moment
from node.registration.requests import ItemResult
from node.storage import import_queries, log_queries, record_queries
from node.storage.engine import Database, ReadScope
from node.storage.import_queries import StoredJob
from node.telemetry import Metrics

_log = structlog.get_logger(__name__)

CHUNK_ROWS = 1_000
IN_FLIGHT = 4  # chunks being prepared while one is being stored
BACKLOG_PAUSE_S = 0.05
CHINA = timezone(timedelta(hours=8))

_outcomes = msgspec.msgpack.Decoder(list[RowOutcome])
_T = TypeVar("_T")


class Paused(Exception):
    """A person asked the job to pause; everything done so far is durable."""


@dataclass(frozen=True, slots=True)
class RunParts:
    """What every run needs of the node."""

    database: Database
    directory: Directory
    registrar: Registrar
    genealogy: Genealogy
    minter: Minter
    tag_key: bytes
    metrics: Metrics
    clock: Callable[[], datetime]
    limits: Limits
    pending_limit: int


class JobRun:
    """Runs a job once. `progress` may be read at any time; `pause` stops after the chunk."""

    def __init__(
        self, parts: RunParts, job: StoredJob, files: JobFolder, pool: ProcessPoolExecutor
    ) -> None:
        self._parts = parts
        self._job = job
        self._files = files
        self._pool = pool
        self._options = msgspec.json.decode(job.options, type=ImportOptions)
        self._actor = decode_actor(job.actor)
        self._file_ref = job.sha256[:16]
        self._began = time.monotonic()
        self._is_pausing = False
        self._dry_outcomes: list[RowOutcome] = []
        self._open_parents: Mapping[str, tuple[str, ...]] = {}
        self.progress = msgspec.json.decode(job.progress, type=Progress)
        self._before_s = self.progress.seconds

    def pause(self) -> None:
        """Ask the run to stop after its current chunk."""
        self._is_pausing = True

    async def run(self) -> None:
        """Run to the end; raises Paused, or whatever made it fail."""
        await self._enter("analysing")
        table = await asyncio.to_thread(
            open_table, self._files.source, self._job.filename, self._parts.limits
        )
        review = FileReview(table.shape, confirmed=self._options.confirmed)
        spool = await asyncio.to_thread(DraftSpool, self._files.spool)
        await self._analyse(table, review, spool)
        unknown = await asyncio.to_thread(review.unknown_parents)
        registered = await self._parts.genealogy.facts(unknown)
        await asyncio.to_thread(review.conclude, registered)
        self._open_parents = await asyncio.to_thread(review.open_parents)
        await self._enter("registering")
        await self._register(review, spool)
        await asyncio.to_thread(self._write_result, table, await self._all_outcomes())
        self._files.spool.unlink(missing_ok=True)
        await self._enter("waiting" if self.progress.pending else "done")

    async def _enter(self, state: str) -> None:
        self.progress.seconds = self._before_s + time.monotonic() - self._began
        _log.info("import_state", job=self._job.id, state=state, seconds=self.progress.seconds)
        async with self._parts.database.write() as scope:
            job = await import_queries.find(scope, self._job.id)
            if job is None or job.state == "paused":
                raise Paused
            await import_queries.update(
                scope,
                self._job.id,
                state=state,
                progress=msgspec.json.encode(self.progress).decode(),
                error="",
                at=moment(self._parts.clock),
            )

    # Pass one: every chunk through the pool, its drafts to the spool, its facts to the review.

    async def _analyse(self, table: Table, review: FileReview, spool: DraftSpool) -> None:
        today = datetime.fromisoformat(self._job.created_at).astimezone(CHINA).date()
        self.progress.phase_total, self.progress.phase_done = self._job.size_bytes, 0
        waiting: deque[tuple[int, Future[PackedAnalysis]]] = deque()
        async for chunk in _each(table.chunks(CHUNK_ROWS)):
            task = self._pool.submit(analyse_packed, chunk, table.shape, today)
            waiting.append((_bytes_of(chunk), task))
            if len(waiting) > IN_FLIGHT:
                await self._take_in(*waiting.popleft(), review, spool)
        while waiting:
            await self._take_in(*waiting.popleft(), review, spool)
        self.progress.rows = sum(len(chunk.rows) for chunk in spool.chunks)

    async def _take_in(
        self, size: int, task: Future[PackedAnalysis], review: FileReview, spool: DraftSpool
    ) -> None:
        if self._is_pausing:
            raise Paused
        packed = await asyncio.wrap_future(task)
        analysis, data = await asyncio.to_thread(packed.unpack), packed.drafts
        if self._options.assign:
            drafts = await assign_identifiers(analysis.drafts, self._actor, self._parts)
            analysis = ChunkAnalysis(drafts, analysis.facts, analysis.evidence)
            data = msgspec.msgpack.encode(drafts)
        await asyncio.to_thread(review.survey, analysis)
        await asyncio.to_thread(spool.append, analysis, data)
        self.progress.phase_done += size

    # Pass two: prepared in the pool, stored here, in order.

    async def _register(self, review: FileReview, spool: DraftSpool) -> None:
        setting = self._setting()
        self.progress.phase_total, self.progress.phase_done = self.progress.rows, 0
        await self._recount()
        waiting: deque[tuple[int, Future[bytes]]] = deque()
        for number, chunk in enumerate(spool.chunks):
            # Chunks that are durable are judged too: what later rows are told depends on them.
            judged = await asyncio.to_thread(spool.judged, chunk, review)
            if number < self._job.next_chunk:
                continue
            task = self._task(chunk, judged)
            waiting.append((number, self._pool.submit(prepare_chunk, setting, task)))
            if len(waiting) > IN_FLIGHT:
                await self._finish_chunk(*waiting.popleft())
        while waiting:
            await self._finish_chunk(*waiting.popleft())

    def _setting(self) -> Setting:
        picture = self._parts.directory.now
        return Setting(
            tuple(encode_template(template) for template in picture.templates.templates()),
            tuple(picture.prefixes.values()),
            self._parts.tag_key,
            self._actor,
            self._file_ref,
            frozenset(self._options.confirmed),
        )

    def _task(self, chunk: SpooledChunk, judged: Mapping[int, RowDraft]) -> ChunkTask:
        open_parents = {
            identifier: edges
            for identifier in chunk.identifiers
            if (edges := self._open_parents.get(identifier))
        }
        return ChunkTask(
            self._files.spool,
            chunk.offset,
            chunk.length,
            judged,
            open_parents,
            moment(self._parts.clock),
        )

    async def _finish_chunk(self, number: int, task: Future[bytes]) -> None:
        prepared = unpack_prepared(await asyncio.wrap_future(task))
        if self._is_pausing:
            raise Paused
        if self._options.dry_run:
            outcomes = await self._compare(prepared)
            self._count(outcomes)
            self._dry_outcomes.extend(outcomes)
            return
        await self._wait_for_log()
        before = msgspec.json.encode(self.progress)
        for attempt in range(ATTEMPTS):
            self.progress = msgspec.json.decode(before, type=Progress)
            try:
                await self._store(number, prepared)
            except (Unavailable, Overloaded) as error:
                if attempt == ATTEMPTS - 1:
                    raise Unavailable() from error
                await asyncio.sleep(min(2.0, 0.05 * 2**attempt))
                if await self._is_stored(number):
                    return  # the commit had reached the disk although its answer was lost
                continue
            return

    async def _store(self, number: int, prepared: PreparedRows) -> None:
        parts, at = self._parts, moment(self._parts.clock)
        sealed = [row for _, row in prepared if row is not None]
        async with parts.database.write() as scope:
            results = await parts.registrar.store(scope, sealed, at)
            own = await self._own(scope, results.values())
            outcomes = [
                outcome if row is None else settled(outcome, results[id(row)], own=own)
                for outcome, row in prepared
            ]
            self._count(outcomes)
            state = await import_queries.finish_chunk(
                scope,
                self._job.id,
                number,
                msgspec.msgpack.encode(outcomes),
                msgspec.json.encode(self.progress).decode(),
                at,
            )
        parts.registrar.announce()
        if state == "paused":  # asked for in another process
            raise Paused

    async def _own(self, scope: ReadScope, results: Iterable[ItemResult]) -> frozenset[str]:
        """Return the duplicates that an earlier run of this file registered itself."""
        if not self._options.second_run:
            return frozenset()
        met = [result.identifier for result in results if result.outcome == "duplicate"]
        found = await record_queries.find_within(scope, met)
        ref = self._file_ref
        return frozenset(key for key, record in found.items() if comes_from(record.content, ref))

    async def _is_stored(self, number: int) -> bool:
        async with self._parts.database.read() as scope:
            job = await import_queries.find(scope, self._job.id)
        if job is None or job.next_chunk <= number:
            return False
        self.progress = msgspec.json.decode(job.progress, type=Progress)
        return True

    async def _compare(self, prepared: PreparedRows) -> list[RowOutcome]:
        """Return what would become of a chunk, without storing anything."""
        sealed = {row.change.identifier: row for _, row in prepared if row is not None}
        async with self._parts.database.read() as scope:
            existing = await record_queries.find_within(scope, list(sealed))
        return [
            outcome
            if row is None or (found := existing.get(outcome.identifier)) is None
            else compared(outcome, row.change.content, found.content)
            for outcome, row in prepared
        ]

    async def _wait_for_log(self) -> None:
        limit = self._parts.pending_limit
        while True:
            async with self._parts.database.read() as scope:
                if await log_queries.pending_count(scope, limit) < limit:
                    return
            await asyncio.sleep(BACKLOG_PAUSE_S)

    # Counting and the result file.

    def _count(self, outcomes: Sequence[RowOutcome]) -> None:
        count_into(self.progress, outcomes)
        for state, number in Counter(outcome.state for outcome in outcomes).items():
            self._parts.metrics.import_rows.labels(state).inc(number)
        self.progress.seconds = self._before_s + time.monotonic() - self._began

    def _count_stored(self, data: bytes) -> None:
        self._count(_outcomes.decode(data))

    async def _recount(self) -> None:
        """Count again what is durable; the rest of the progress starts from there."""
        rows = self.progress.rows
        total = self.progress.phase_total
        self.progress = Progress(phase_total=total, rows=rows)
        async with self._parts.database.read() as scope:
            stored = await import_queries.outcomes(scope, self._job.id)
        for _, data in stored:
            await asyncio.to_thread(self._count_stored, data)

    async def _all_outcomes(self) -> list[bytes]:
        if self._options.dry_run:
            return [msgspec.msgpack.encode(self._dry_outcomes)]
        async with self._parts.database.read() as scope:
            return [data for _, data in await import_queries.outcomes(scope, self._job.id)]

    def _write_result(self, table: Table, stored: Sequence[bytes]) -> None:
        draft = self._files.result.with_name("result.new")
        results = (row_result(outcome) for data in stored for outcome in _outcomes.decode(data))
        write_result(table, results, draft)
        draft.rename(self._files.result)


def _bytes_of(chunk: Chunk) -> int:
    return sum(map(len, chunk.raw)) or sum(len(cell) for row in chunk.cells for cell in row)


async def _each(items: Iterator[_T]) -> AsyncIterator[_T]:
    """Yield the items of an iterator that reads a file, without reading on the event loop."""
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item
