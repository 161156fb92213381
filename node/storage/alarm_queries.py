"""Alarms about the link and the log: each stands until a person or a recovery clears it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from node.storage.engine import ReadScope, WriteScope


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something an operator must know of. `evidence`: what proves it, e.g. a signed note."""

    id: int
    kind: str
    zh: str
    en: str
    evidence: bytes
    raised_at: str


async def raise_alarm(
    scope: WriteScope, kind: str, texts: tuple[str, str], evidence: bytes, at: str
) -> bool:
    """Raise an alarm unless one of its kind stands; say whether it is new."""
    if await scope.rows("SELECT 1 FROM sync_alarm WHERE kind = $1 AND cleared_at = ''", (kind,)):
        return False
    zh, en = texts
    number = (await scope.rows("SELECT coalesce(max(id), 0) + 1 FROM sync_alarm"))[0][0]
    await scope.rows_affected(
        "INSERT INTO sync_alarm (id, kind, zh, en, evidence, raised_at, cleared_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, '')",
        (number, kind, zh, en, evidence, at),
    )
    return True


async def clear(scope: WriteScope, kinds: Sequence[str], at: str) -> int:
    """Clear the standing alarms of some kinds; return how many stood."""
    cleared = 0
    for kind in kinds:
        cleared += await scope.rows_affected(
            "UPDATE sync_alarm SET cleared_at = $1 WHERE kind = $2 AND cleared_at = ''", (at, kind)
        )
    return cleared


async def stands(scope: ReadScope, kinds: Collection[str]) -> bool:
    """Say whether an alarm of one of some kinds stands."""
    rows = await scope.rows("SELECT DISTINCT kind FROM sync_alarm WHERE cleared_at = ''")
    return any(row[0] in kinds for row in rows)


async def standing(scope: ReadScope) -> list[Alarm]:
    """Return the alarms that stand, oldest first."""
    rows = await scope.rows(
        "SELECT id, kind, zh, en, evidence, raised_at FROM sync_alarm WHERE cleared_at = ''"
        " ORDER BY id"
    )
    return [Alarm(row[0], row[1], row[2], row[3], bytes(row[4]), row[5]) for row in rows]
