"""Leaves that stand for no record: statements of counted look-ups, corrections, campaigns, rules.

Each is a row of `change` whose content is the leaf itself, whose salt is empty and whose identifier
is `~kind/subject`; `tally_statement` finds it. The sequencer numbers it like any other change.

Invariants: a (kind, subject) exists once; the order of `change_id` is the order in which they were
appended, since whoever appends holds `tally_queries.lock_state`, and so is the order in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.storage.engine import ReadScope, WriteScope

HOUR_STAT, CORRECTION, CAMPAIGN, RULE_CHANGE = (
    "hour_stat",
    "correction",
    "campaign",
    "rule_change",
)


@dataclass(frozen=True, slots=True)
class NewLeaf:
    """A leaf to append. `begins`, `ends`: the period it speaks of, as text; `ends` "": open."""

    kind: str
    subject: str
    begins: str
    ends: str
    leaf: bytes


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """An appended leaf; `leaf_index` is None until it has been sequenced."""

    kind: str
    subject: str
    change_id: int
    begins: str
    ends: str
    leaf_index: int | None
    leaf: bytes


_ADD_CHANGE = (
    "INSERT INTO change (change_id, identifier, revision, action, content, salt, leaf)"
    " VALUES (nextval('change_change_id_seq'), $1, 1, $2, $3, $4, $3) RETURNING change_id"
)
_ADD_CHANGE_SQLITE = _ADD_CHANGE.replace(
    "nextval('change_change_id_seq')", "(SELECT coalesce(max(change_id), 0) + 1 FROM change)"
)


async def append(scope: WriteScope, new: NewLeaf) -> int:
    """Store a leaf and queue it for the log; return its change id."""
    rows = await scope.rows(
        _ADD_CHANGE if scope.is_postgresql else _ADD_CHANGE_SQLITE,
        (f"~{new.kind}/{new.subject}", new.kind, new.leaf, b""),
    )
    change_id = int(rows[0][0])
    await scope.rows_affected(
        "INSERT INTO pending (change_id, follows) VALUES ($1, $2)", (change_id, False)
    )
    await scope.rows_affected(
        "INSERT INTO tally_statement (kind, subject, change_id, begins, ends)"
        " VALUES ($1, $2, $3, $4, $5)",
        (new.kind, new.subject, change_id, new.begins, new.ends),
    )
    return change_id


_LEAVES = (
    "SELECT s.kind, s.subject, s.change_id, s.begins, s.ends, l.leaf_index, c.leaf"
    " FROM tally_statement s JOIN change c USING (change_id) LEFT JOIN leaf l USING (change_id)"
)


async def after(scope: ReadScope, change_id: int, limit: int) -> list[StoredLeaf]:
    """Return leaves of all kinds in order of the chain, those behind `change_id` (0: all)."""
    rows = await scope.rows(
        f"{_LEAVES} WHERE s.change_id > $1 ORDER BY s.change_id LIMIT $2", (change_id, limit)
    )
    return [_stored(row) for row in rows]


async def overlapping(scope: ReadScope, begins: str, ends: str) -> list[StoredLeaf]:
    """Return statements and corrections of periods that overlap [begins, ends), in chain order."""
    rows = await scope.rows(
        f"{_LEAVES} WHERE s.kind IN ('hour_stat', 'correction') AND s.begins < $2 AND s.ends > $1"
        " ORDER BY s.change_id",
        (begins, ends),
    )
    return [_stored(row) for row in rows]


async def period_of(scope: ReadScope, moment: str) -> StoredLeaf | None:
    """Return the statement of the period a moment lies in; before all of them, the first one."""
    rows = await scope.rows(
        f"{_LEAVES} WHERE s.kind = 'hour_stat' AND s.begins <= $1 ORDER BY s.begins DESC LIMIT 1",
        (moment,),
    ) or await scope.rows(
        f"{_LEAVES} WHERE s.kind = 'hour_stat' ORDER BY s.begins LIMIT 1",
    )
    return _stored(rows[0]) if rows else None


async def last(scope: ReadScope, kind: str) -> StoredLeaf | None:
    """Return the newest leaf of a kind."""
    rows = await scope.rows(
        f"{_LEAVES} WHERE s.kind = $1 ORDER BY s.change_id DESC LIMIT 1", (kind,)
    )
    return _stored(rows[0]) if rows else None


async def find(scope: ReadScope, kind: str, subject: str) -> StoredLeaf | None:
    """Return one leaf."""
    rows = await scope.rows(f"{_LEAVES} WHERE s.kind = $1 AND s.subject = $2", (kind, subject))
    return _stored(rows[0]) if rows else None


async def campaigns(scope: ReadScope, ending_after: str) -> list[tuple[StoredLeaf, bytes]]:
    """Return leaves of campaigns that end after a moment, in order, with what they select.

    A cancelled campaign is there twice: as it was declared, then as it was cancelled.
    """
    rows = await scope.rows(
        "SELECT s.kind, s.subject, s.change_id, s.begins, s.ends, l.leaf_index, c.leaf,"
        " t.selector FROM tally_statement s JOIN change c USING (change_id)"
        " LEFT JOIN leaf l USING (change_id)"
        " JOIN tally_selector t ON s.subject IN (t.campaign, t.campaign || '/cancelled')"
        " WHERE s.kind = 'campaign' AND s.ends > $1 ORDER BY s.change_id",
        (ending_after,),
    )
    return [(_stored(row[:7]), bytes(row[7])) for row in rows]


async def put_selector(scope: WriteScope, campaign: str, selector: bytes) -> None:
    """Keep what a campaign selects."""
    await scope.rows_affected(
        "INSERT INTO tally_selector (campaign, selector) VALUES ($1, $2)", (campaign, selector)
    )


async def put_rules(scope: WriteScope, version: int, *, digest: str, body: bytes) -> None:
    """Keep a version of the rules; the same version again is a no-op."""
    await scope.rows_affected(
        "INSERT INTO tally_rules (version, digest, body) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING",
        (version, digest, body),
    )


async def rules(scope: ReadScope) -> list[tuple[int, str, bytes]]:
    """Return every version of the rules ever used: (version, digest, body)."""
    rows = await scope.rows("SELECT version, digest, body FROM tally_rules ORDER BY version")
    return [(int(row[0]), row[1], bytes(row[2])) for row in rows]


def _stored(row: Sequence[Any]) -> StoredLeaf:
    kind, subject, change_id, begins, ends, leaf_index, leaf = row
    return StoredLeaf(kind, subject, change_id, begins, ends, leaf_index, bytes(leaf))
