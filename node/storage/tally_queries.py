"""Where counting goes on: the end of the chain, positions in spool files, history of clients.

Invariant: whoever changes anything here or appends a statement has called `lock_state` in the same
transaction and found the state it started from; so two processes that seal never overlap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class SpoolPosition:
    """How many bytes of a spool file stand in sealed statements; `seal`: see node.counting."""

    name: str
    position: int
    read_at: str
    seal: bytes


@dataclass(frozen=True, slots=True)
class TallyState:
    """The end of the chain; `sealed_until` is "" until it was begun, `head` before a statement.

    `counts` is JSON of all statements and corrections together.
    """

    sealed_until: str
    head: str
    statements: int
    dropped: int
    counts: str
    seal: bytes


async def state(scope: ReadScope) -> TallyState:
    """Return the end of the chain."""
    row = (
        await scope.rows(
            "SELECT sealed_until, head, statements, dropped, counts, seal FROM tally_state"
        )
    )[0]
    return TallyState(row[0], row[1], int(row[2]), int(row[3]), row[4], bytes(row[5]))


async def lock_state(scope: WriteScope) -> TallyState:
    """Return the end of the chain and keep others who would move it waiting."""
    if scope.is_postgresql:
        await scope.rows("SELECT id FROM tally_state FOR UPDATE")
    return await state(scope)


async def put_state(scope: WriteScope, state: TallyState) -> None:
    """Move the end of the chain."""
    await scope.rows_affected(
        "UPDATE tally_state SET sealed_until = $1, head = $2, statements = $3, dropped = $4,"
        " counts = $5, seal = $6",
        (
            state.sealed_until,
            state.head,
            state.statements,
            state.dropped,
            state.counts,
            state.seal,
        ),
    )


async def spools(scope: ReadScope) -> list[SpoolPosition]:
    """Return the positions in all known spool files, by name."""
    rows = await scope.rows("SELECT name, position, read_at, seal FROM tally_spool ORDER BY name")
    return [SpoolPosition(row[0], int(row[1]), row[2], bytes(row[3])) for row in rows]


async def put_spools(scope: WriteScope, positions: Iterable[SpoolPosition]) -> None:
    """Write positions."""
    await scope.many(
        "INSERT INTO tally_spool (name, position, read_at, seal) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (name) DO UPDATE SET position = excluded.position,"
        " read_at = excluded.read_at, seal = excluded.seal",
        [(p.name, p.position, p.read_at, p.seal) for p in positions],
    )


async def forget_spools(scope: WriteScope, names: Iterable[str]) -> None:
    """Forget spool files that are gone for good."""
    await scope.many("DELETE FROM tally_spool WHERE name = $1", [(name,) for name in names])


async def add_clients(scope: WriteScope, begins: str, events: Mapping[str, int]) -> None:
    """Keep how many events each client had in the statement that begins then."""
    if scope.is_postgresql:
        await scope.rows_affected(
            "INSERT INTO tally_client (client, begins, events)"
            " SELECT c.client, $1, c.events FROM unnest($2::text[], $3::bigint[])"
            " AS c(client, events)",
            (begins, list(events), list(events.values())),
        )
        return
    await scope.many(
        "INSERT INTO tally_client (begins, client, events) VALUES ($1, $2, $3)",
        [(begins, client, number) for client, number in events.items()],
    )


async def history(
    scope: ReadScope, clients: Sequence[str], since: str
) -> dict[str, tuple[int, ...]]:
    """Return the events of some clients in statements that begin at `since` or later."""
    found: dict[str, tuple[int, ...]] = {}
    for client in clients:
        rows = await scope.rows(
            "SELECT events FROM tally_client WHERE client = $1 AND begins >= $2 ORDER BY begins",
            (client, since),
        )
        found[client] = tuple(int(row[0]) for row in rows)
    return found


async def forget_clients(scope: WriteScope, before: str) -> None:
    """Forget the history of statements that begin before a moment."""
    await scope.rows_affected("DELETE FROM tally_client WHERE begins < $1", (before,))


async def client_rows(scope: ReadScope, begins: str) -> dict[str, int]:
    """Return what is kept of the statement that begins then: client -> events."""
    rows = await scope.rows("SELECT client, events FROM tally_client WHERE begins = $1", (begins,))
    return {row[0]: int(row[1]) for row in rows}


def decode_counts(text: str) -> dict[str, dict[str, int]]:
    """Read the counts of a state."""
    return {name: dict(by) for name, by in json.loads(text).items()}
