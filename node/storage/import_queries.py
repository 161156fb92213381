"""Import jobs and what became of their rows, chunk by chunk.

A chunk's outcomes are written in the transaction that registers its rows, together with the
number of the next chunk: after a crash the job goes on exactly behind what is durable.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class StoredJob:
    """An import job; `options` and `progress` are JSON texts owned by the importer."""

    id: str
    state: str
    filename: str
    sha256: str
    size_bytes: int
    actor: str
    options: str
    progress: str
    next_chunk: int
    error: str
    created_at: str
    updated_at: str


_COLUMNS = (
    "id, state, filename, sha256, size_bytes, actor, options, progress, next_chunk, error,"
    " created_at, updated_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM import_job "  # noqa: S608 - a constant


async def add_if_new(scope: WriteScope, job: StoredJob) -> bool:
    """Store a job unless there is one with its id; return whether it is new."""
    added = await scope.rows_affected(
        f"INSERT INTO import_job ({_COLUMNS})"  # noqa: S608 - a constant
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (id) DO NOTHING",
        (
            job.id,
            job.state,
            job.filename,
            job.sha256,
            job.size_bytes,
            job.actor,
            job.options,
            job.progress,
            job.next_chunk,
            job.error,
            job.created_at,
            job.updated_at,
        ),
    )
    return added == 1


async def find(scope: ReadScope, job_id: str) -> StoredJob | None:
    """Return a job, or None."""
    rows = await scope.rows(_SELECT + "WHERE id = $1", (job_id,))
    return StoredJob(*rows[0]) if rows else None


async def newest(
    scope: ReadScope, limit: int, *, sha256: str = "", actor_id: str = ""
) -> list[StoredJob]:
    """Return the newest jobs, newest first; of one file or one actor only, where given."""
    rows = await scope.rows(
        _SELECT + f"WHERE ($1 = '' OR sha256 = $1) AND ($2 = '' OR {_actor_id(scope)} = $2)"
        " ORDER BY created_at DESC, id DESC LIMIT $3",
        (sha256, actor_id, limit),
    )
    return [StoredJob(*row) for row in rows]


async def count_unfinished(scope: ReadScope, actor_id: str) -> int:
    """Return how many jobs of an actor have not ended, paused ones included."""
    rows = await scope.rows(
        "SELECT count(*) FROM import_job"  # noqa: S608 - a constant
        f" WHERE state IN ('queued', 'analysing', 'registering', 'paused')"
        f" AND {_actor_id(scope)} = $1",
        (actor_id,),
    )
    return int(rows[0][0])


async def ended_before(scope: ReadScope, moment: str) -> list[str]:
    """Return the ids of the jobs that were done or had failed before a moment."""
    rows = await scope.rows(
        "SELECT id FROM import_job WHERE state IN ('done', 'failed') AND updated_at < $1",
        (moment,),
    )
    return [row[0] for row in rows]


def _actor_id(scope: ReadScope) -> str:
    """Say where the id of the actor is in the JSON text that is kept of it."""
    return "(actor::json ->> 'id')" if scope.is_postgresql else "(actor ->> 'id')"


async def unfinished(scope: ReadScope) -> list[StoredJob]:
    """Return the jobs a starting importer must take up again, oldest first."""
    rows = await scope.rows(
        _SELECT + "WHERE state IN ('queued', 'analysing', 'registering') ORDER BY created_at, id"
    )
    return [StoredJob(*row) for row in rows]


async def update(
    scope: WriteScope, job_id: str, *, state: str, progress: str, error: str, at: str
) -> None:
    """Store where a job stands."""
    await scope.rows_affected(
        "UPDATE import_job SET state = $1, progress = $2, error = $3, updated_at = $4"
        " WHERE id = $5",
        (state, progress, error, at, job_id),
    )


async def set_state(scope: WriteScope, job_id: str, *, state: str, error: str, at: str) -> None:
    """Move a job to another state; its progress stays."""
    await scope.rows_affected(
        "UPDATE import_job SET state = $1, error = $2, updated_at = $3 WHERE id = $4",
        (state, error, at, job_id),
    )


async def set_options(scope: WriteScope, job_id: str, options: str) -> None:
    """Store the options of a job (a person confirmed a kind of finding)."""
    await scope.rows_affected("UPDATE import_job SET options = $1 WHERE id = $2", (options, job_id))


async def finish_chunk(
    scope: WriteScope, job_id: str, number: int, outcomes: bytes, progress: str, at: str
) -> str:
    """Store a chunk's outcomes, move the job behind it, and return its state (maybe `paused`)."""
    await scope.rows_affected(
        "INSERT INTO import_chunk (job_id, number, outcomes) VALUES ($1, $2, $3)",
        (job_id, number, outcomes),
    )
    rows = await scope.rows(
        "UPDATE import_job SET next_chunk = $1, progress = $2, updated_at = $3 WHERE id = $4"
        " RETURNING state",
        (number + 1, progress, at, job_id),
    )
    return str(rows[0][0])


async def outcomes(scope: ReadScope, job_id: str) -> list[tuple[int, bytes]]:
    """Return (chunk number, outcomes) of a job in order."""
    rows = await scope.rows(
        "SELECT number, outcomes FROM import_chunk WHERE job_id = $1 ORDER BY number", (job_id,)
    )
    return [(row[0], bytes(row[1])) for row in rows]


async def restart(scope: WriteScope, job_id: str) -> None:
    """Forget a job's outcomes so that it runs again over the same file (after a confirmation)."""
    await scope.rows_affected("DELETE FROM import_chunk WHERE job_id = $1", (job_id,))
    await scope.rows_affected(
        "UPDATE import_job SET next_chunk = 0, state = 'queued' WHERE id = $1", (job_id,)
    )
