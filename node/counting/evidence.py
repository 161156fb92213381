"""Reads back what was counted, in the order of the chain, for reports, audits and bundles.

Tour for who builds on it:

- `statements(database, folder)` yields every statement and correction in the order of the chain,
  each with its leaf, its place in the log (None until it has one) and the path of its journal.
- `read_events(sealed)` reads that journal; `JournalReader.head`, `.root` and `.digest` tell, after
  the events are through, what must be equal to the leaf.
- `rules_used(database)` are the versions of the rules with their bytes; each statement names its
  own by version and digest. `rule_changes` are the leaves that took them into use.
- `all_campaigns(database)` are campaigns and bursts with their private selectors and leaf indexes.
- To count again, under the same or other rules, feed the journals in chain order to
  `node.domain.counting.period_count.Recount`: before each statement (not correction) ask
  `candidates` of all its events and `classes.bursts` who is a burst, with the candidates of the
  client's earlier statements as history; then `take` every event. Keep one `Recount` for the whole
  chain: repeats reach over the end of a period, and corrections reach back.

Everything here reads pages in transactions of their own: safe beside a running node.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node.counting.campaigns import Campaign, campaigns_of
from node.counting.tally_folder import TallyFolder, file_errors
from node.domain.counting.journal import JournalReader
from node.domain.counting.rule_set import RuleSet, parse_rules
from node.domain.counting.statement import (
    RuleChange,
    Statement,
    decode_rule_change,
    decode_statement,
    journal_name,
)
from node.storage import statement_queries
from node.storage.engine import Database
from node.storage.statement_queries import CORRECTION, HOUR_STAT, RULE_CHANGE, StoredLeaf

PAGE = 500
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class SealedStatement:
    """A statement or correction with what lies around it; `journal` need not exist any more."""

    leaf: bytes
    leaf_index: int | None
    change_id: int
    statement: Statement
    journal: Path


async def leaves(database: Database, *kinds: str) -> AsyncIterator[StoredLeaf]:
    """Yield the stored leaves of some kinds in the order of the chain."""
    after, more = 0, True
    while more:
        async with database.read() as scope:
            rows = await statement_queries.after(scope, after, PAGE)
        for row in rows:
            if row.kind in kinds:
                yield row
            after = row.change_id
        more = len(rows) == PAGE


async def statements(database: Database, folder: TallyFolder) -> AsyncIterator[SealedStatement]:
    """Yield statements and corrections in the order of the chain."""
    async for row in leaves(database, HOUR_STAT, CORRECTION):
        statement = decode_statement(row.leaf)
        path = folder.journals / journal_name(statement)
        yield SealedStatement(row.leaf, row.leaf_index, row.change_id, statement, path)


async def rule_changes(database: Database) -> list[tuple[StoredLeaf, RuleChange]]:
    """Return the leaves by which rules were taken into use, in order."""
    return [(row, decode_rule_change(row.leaf)) async for row in leaves(database, RULE_CHANGE)]


async def rules_used(database: Database) -> list[RuleSet]:
    """Return every version of the rules that was ever in use."""
    async with database.read() as scope:
        return [parse_rules(body) for _, _, body in await statement_queries.rules(scope)]


async def all_campaigns(database: Database) -> list[Campaign]:
    """Return campaigns and bursts, oldest first."""
    async with database.read() as scope:
        return campaigns_of(await statement_queries.campaigns(scope, ""))


@contextmanager
def read_events(path: Path) -> Iterator[JournalReader]:
    """Open a journal to be read; raise Unavailable when it is gone."""
    with file_errors(path), path.open("rb") as file:
        yield JournalReader(iter(lambda: file.read(_PIECE), b""))
