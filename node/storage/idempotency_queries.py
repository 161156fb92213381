"""Answers kept under (actor, Idempotency-Key), so that a repeated request has one effect.

The answer is written in the transaction of the effect. A key that another transaction takes
meanwhile makes `keep` raise `Retry`: the effect rolls back, the next attempt finds the answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from node.storage.engine import ReadScope, Retry, WriteScope


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered to the first request: its digest (32 bytes) and the answer's bytes."""

    request_sha256: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class AnswerToKeep:
    """An answer to store under (actor, key)."""

    actor: str
    key: str
    request_sha256: bytes
    answer: bytes
    answered_at: str


async def find(
    scope: ReadScope, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], KeptAnswer]:
    """Return the answers kept for those of the (actor, key) pairs that were used before."""
    if not keys:
        return {}
    if scope.is_postgresql:
        rows = await scope.rows(
            "SELECT k.actor, k.key, i.request_sha256, i.answer"
            " FROM unnest($1::text[], $2::text[]) AS k(actor, key)"
            " JOIN idempotency i USING (actor, key)",
            ([actor for actor, _ in keys], [key for _, key in keys]),
        )
    else:
        rows = await scope.rows(
            "SELECT i.actor, i.key, i.request_sha256, i.answer FROM json_each($1) AS k"
            " JOIN idempotency i ON i.actor = k.value ->> 0 AND i.key = k.value ->> 1",
            (json.dumps(keys),),
        )
    return {(row[0], row[1]): KeptAnswer(bytes(row[2]), bytes(row[3])) for row in rows}


async def keep(scope: WriteScope, answers: Sequence[AnswerToKeep]) -> None:
    """Store answers; raise Retry when one of the keys has been taken meanwhile."""
    if not answers:
        return
    ordered = sorted(answers, key=lambda a: (a.actor, a.key))
    rows = [(a.actor, a.key, a.request_sha256, a.answer, a.answered_at) for a in ordered]
    if scope.is_postgresql:
        kept = await scope.rows(
            "INSERT INTO idempotency (actor, key, request_sha256, answer, answered_at)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::text[])"
            " ON CONFLICT DO NOTHING RETURNING 1",
            tuple(list(column) for column in zip(*rows, strict=True)),
        )
        if len(kept) != len(rows):
            raise Retry
        return
    if await find(scope, [(a.actor, a.key) for a in ordered]):
        raise Retry
    await scope.many(
        "INSERT INTO idempotency (actor, key, request_sha256, answer, answered_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        rows,
    )


async def forget_before(scope: WriteScope, moment: str, limit: int) -> int:
    """Delete up to `limit` answers older than `moment`; return how many went."""
    return await scope.rows_affected(
        "DELETE FROM idempotency WHERE (actor, key) IN"
        " (SELECT actor, key FROM idempotency WHERE answered_at < $1 LIMIT $2)",
        (moment, limit),
    )
