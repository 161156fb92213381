"""Orders of the secondary node: kept when they arrive, with what was done about them."""

from __future__ import annotations

from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class StoredDirective:
    """An order of the secondary node; `body` is JSON.

    `handled_at` is "" while nobody decided, `told_at` while the peer was not told.
    """

    peer: str
    id: str
    kind: str
    body: str
    received_at: str
    handled_at: str = ""
    handled_by: str = ""
    accepted: bool = False
    note: str = ""
    told_at: str = ""


async def put_directive(scope: WriteScope, directive: StoredDirective) -> bool:
    """Keep an order that arrived; say whether it is new."""
    return bool(
        await scope.rows_affected(
            "INSERT INTO directive (peer, id, kind, body, received_at, handled_at, handled_by,"
            " accepted, note, told_at) VALUES ($1, $2, $3, $4, $5, '', '', $6, '', '')"
            " ON CONFLICT DO NOTHING",
            (
                directive.peer,
                directive.id,
                directive.kind,
                directive.body,
                directive.received_at,
                False,
            ),
        )
    )


async def handle_directive(scope: WriteScope, directive: StoredDirective) -> None:
    """Write what was done about an order."""
    await scope.rows_affected(
        "UPDATE directive SET handled_at = $3, handled_by = $4, accepted = $5, note = $6"
        " WHERE peer = $1 AND id = $2",
        (
            directive.peer,
            directive.id,
            directive.handled_at,
            directive.handled_by,
            directive.accepted,
            directive.note,
        ),
    )


async def directives(scope: ReadScope, peer: str, limit: int) -> list[StoredDirective]:
    """Return the newest orders of a peer, newest first."""
    rows = await scope.rows(
        "SELECT peer, id, kind, body, received_at, handled_at, handled_by, accepted, note, told_at"
        " FROM directive WHERE peer = $1 ORDER BY received_at DESC, id DESC LIMIT $2",
        (peer, limit),
    )
    return [StoredDirective(*row) for row in rows]


async def untold(scope: ReadScope, peer: str) -> list[StoredDirective]:
    """Return the orders that were decided but whose outcome the peer does not know."""
    rows = await scope.rows(
        "SELECT peer, id, kind, body, received_at, handled_at, handled_by, accepted, note, told_at"
        " FROM directive WHERE peer = $1 AND handled_at <> '' AND told_at = ''"
        " ORDER BY handled_at LIMIT 100",
        (peer,),
    )
    return [StoredDirective(*row) for row in rows]


async def undecided(scope: ReadScope, peer: str) -> list[StoredDirective]:
    """Return the orders nobody decided about, oldest first."""
    rows = await scope.rows(
        "SELECT peer, id, kind, body, received_at, handled_at, handled_by, accepted, note, told_at"
        " FROM directive WHERE peer = $1 AND handled_at = '' ORDER BY received_at LIMIT 100",
        (peer,),
    )
    return [StoredDirective(*row) for row in rows]


async def last_id(scope: ReadScope, peer: str) -> str:
    """Return the id of the order that arrived last, "" when there is none."""
    rows = await scope.rows(
        "SELECT id FROM directive WHERE peer = $1 ORDER BY received_at DESC, id DESC LIMIT 1",
        (peer,),
    )
    return str(rows[0][0]) if rows else ""


async def told(scope: WriteScope, peer: str, number: str, at: str) -> None:
    """Note that the peer knows what was done."""
    await scope.rows_affected(
        "UPDATE directive SET told_at = $3 WHERE peer = $1 AND id = $2", (peer, number, at)
    )
