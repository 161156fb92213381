"""Import jobs: a chunk's outcomes and the number of the next one stand or fall together."""

from __future__ import annotations

from dataclasses import replace

from node.storage import import_queries
from node.storage.import_queries import StoredJob
from tests.builders import register_at

JOB = StoredJob(
    id="job-1",
    state="queued",
    filename="批次.csv",
    sha256="0" * 64,
    size_bytes=1 << 40,
    actor='{"id":"key:producer","role":"producer","prefixes":[]}',
    options="{}",
    progress="{}",
    next_chunk=0,
    error="",
    created_at="2026-11-21T09:00:00.000Z",
    updated_at="2026-11-21T09:00:00.000Z",
)
LATER = "2026-11-21T10:00:00.000Z"


async def test_a_job_is_found_as_it_was_stored(store_url: str) -> None:
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            await import_queries.add_if_new(scope, JOB)
        async with register.database.read() as scope:
            assert await import_queries.find(scope, JOB.id) == JOB
            assert await import_queries.find(scope, "job-2") is None


async def test_chunks_move_the_job_behind_them_and_a_restart_forgets_them(store_url: str) -> None:
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            await import_queries.add_if_new(scope, JOB)
            for number in (0, 1):
                await import_queries.finish_chunk(
                    scope, JOB.id, number, b"outcomes %d" % number, '{"rows":1}', LATER
                )
        async with register.database.read() as scope:
            expected = replace(JOB, next_chunk=2, progress='{"rows":1}', updated_at=LATER)
            assert await import_queries.find(scope, JOB.id) == expected
            assert await import_queries.outcomes(scope, JOB.id) == [
                (0, b"outcomes 0"),
                (1, b"outcomes 1"),
            ]
        async with register.database.write() as scope:
            await import_queries.restart(scope, JOB.id)
            await import_queries.set_options(scope, JOB.id, '{"confirmed":["unit"]}')
        async with register.database.read() as scope:
            job = await import_queries.find(scope, JOB.id)
            assert await import_queries.outcomes(scope, JOB.id) == []
        assert job is not None
        assert (job.next_chunk, job.state, job.options) == (
            0,
            "queued",
            '{"confirmed":["unit"]}',
        )


async def test_unfinished_jobs_are_taken_up_oldest_first(store_url: str) -> None:
    states = ("queued", "done", "analysing", "failed", "registering", "waiting")
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            for number, state in reversed(list(enumerate(states))):
                at = f"2026-11-21T09:00:0{number}.000Z"
                job = replace(JOB, id=f"job-{number}", created_at=at)
                await import_queries.add_if_new(scope, job)
                await import_queries.update(
                    scope, job.id, state=state, progress="{}", error="", at=at
                )
        async with register.database.read() as scope:
            unfinished = [job.id for job in await import_queries.unfinished(scope)]
            recent = [job.id for job in await import_queries.newest(scope, 2)]
            of_file = await import_queries.newest(scope, 1, sha256=JOB.sha256)
            assert await import_queries.newest(scope, 1, sha256="1" * 64) == []
            assert await import_queries.newest(scope, 1, actor_id="key:other") == []
            assert await import_queries.newest(scope, 1, actor_id="key:producer") == of_file
            assert await import_queries.count_unfinished(scope, "key:producer") == 3
            assert set(await import_queries.ended_before(scope, LATER)) == {"job-1", "job-3"}
        assert unfinished == ["job-0", "job-2", "job-4"]
        assert recent == ["job-5", "job-4"]
        assert [job.id for job in of_file] == ["job-5"]
