"""What the secondary node was told beside the log, with its answers; disturbances of this node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class Filing:
    """A document as it was told, and the peer's answer. `body` is canonical JSON."""

    kind: str
    name: str
    revision: int
    body: bytes
    sent_at: str
    accepted: bool
    code: str
    message: str
    receipt: str


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """A disturbance, or (`closes` names one) its end. `cause` as CAICT annex 2 divides them."""

    number: int
    id: str
    subject: str
    closes: str
    cause: str
    at: str
    detail: str
    told_at: str = ""


_FILING = (
    "SELECT kind, name, revision, body, sent_at, accepted, code, message, receipt FROM sync_filing"
    " WHERE peer = $1 AND kind = $2"
)


async def put_filing(scope: WriteScope, peer: str, filing: Filing) -> None:
    """Keep what was told; telling the same revision again replaces the answer."""
    await scope.rows_affected(
        "INSERT INTO sync_filing (peer, kind, name, revision, body, sent_at, accepted, code,"
        " message, receipt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (peer, kind, name, revision) DO UPDATE SET body = excluded.body,"
        " sent_at = excluded.sent_at, accepted = excluded.accepted, code = excluded.code,"
        " message = excluded.message, receipt = excluded.receipt",
        (
            peer,
            filing.kind,
            filing.name,
            filing.revision,
            filing.body,
            filing.sent_at,
            filing.accepted,
            filing.code,
            filing.message,
            filing.receipt,
        ),
    )


async def last_filing(scope: ReadScope, peer: str, kind: str, name: str) -> Filing | None:
    """Return the last revision of a document that was told, None for one never told."""
    rows = await scope.rows(
        f"{_FILING} AND name = $3 ORDER BY revision DESC LIMIT 1", (peer, kind, name)
    )
    return _filing(rows[0]) if rows else None


async def newest_filing(scope: ReadScope, peer: str, kind: str) -> Filing | None:
    """Return the document of a kind whose name comes last, e.g. the report of the last day."""
    rows = await scope.rows(f"{_FILING} ORDER BY name DESC, revision DESC LIMIT 1", (peer, kind))
    return _filing(rows[0]) if rows else None


def _filing(row: Sequence[Any]) -> Filing:
    kind, name, revision, body, sent_at, accepted, *answer = row
    return Filing(kind, name, revision, bytes(body), sent_at, bool(accepted), *answer)


async def add_event(scope: WriteScope, event: NodeEvent) -> None:
    """Note a disturbance or an end."""
    await scope.rows_affected(
        "INSERT INTO node_event (number, id, subject, closes, cause, at, detail, told_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, '')",
        (
            event.number,
            event.id,
            event.subject,
            event.closes,
            event.cause,
            event.at,
            event.detail,
        ),
    )


async def next_event_number(scope: ReadScope) -> int:
    """Return the number of the next event."""
    return int((await scope.rows("SELECT coalesce(max(number), 0) + 1 FROM node_event"))[0][0])


async def last_event(scope: ReadScope, subject: str) -> NodeEvent | None:
    """Return the last event about a subject; it is a disturbance that lasts, or the end of one."""
    rows = await scope.rows(
        "SELECT number, id, subject, closes, cause, at, detail, told_at FROM node_event"
        " WHERE subject = $1 ORDER BY number DESC LIMIT 1",
        (subject,),
    )
    return NodeEvent(*rows[0]) if rows else None


async def untold_events(scope: ReadScope, limit: int) -> list[NodeEvent]:
    """Return events the peer does not know, in order."""
    rows = await scope.rows(
        "SELECT number, id, subject, closes, cause, at, detail, told_at FROM node_event"
        " WHERE told_at = '' ORDER BY number LIMIT $1",
        (limit,),
    )
    return [NodeEvent(*row) for row in rows]


async def told(scope: WriteScope, number: int, at: str) -> None:
    """Note that the peer knows an event."""
    await scope.rows_affected("UPDATE node_event SET told_at = $2 WHERE number = $1", (number, at))
