"""Source lots of new records: known ones are checked, unknown ones become open edges.

A record with an unknown parent is registered: the batch exists and is labelled, whatever the state
of its source's paperwork. The edge stays open, is shown, and is checked again when the parent
arrives. Facts of recent lots are kept in memory, because children follow their parents closely.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from node.domain.lot_facts import LotFacts, facts_of, genealogy_faults
from node.domain.record import Content, decode_content
from node.errors import InvalidInput, XibiaoError
from node.storage import edge_queries, record_queries
from node.storage.engine import Database, ReadScope, WriteScope
from node.storage.record_queries import NewChange

_log = structlog.get_logger(__name__)

LOT_TEMPLATE = "ree-batch/"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What judging found: the facts of a lot (None for other objects) and its unknown sources."""

    facts: LotFacts | None
    open_parents: tuple[str, ...]


class StoredLot(Protocol):
    """A record that has just been stored: what `link` needs of it."""

    @property
    def change(self) -> NewChange: ...
    @property
    def facts(self) -> LotFacts | None: ...
    @property
    def open_parents(self) -> tuple[str, ...]: ...


class Genealogy:
    """Judges parents before a record is stored and keeps the list of open edges after."""

    def __init__(self, database: Database, *, remembered_lots: int = 100_000) -> None:
        self._database = database
        self._limit = remembered_lots
        self._recent: OrderedDict[str, LotFacts] = OrderedDict()

    async def judge(
        self, contents: Sequence[Content | XibiaoError], within: ReadScope | None = None
    ) -> list[Verdict | XibiaoError]:
        """Return for each content its verdict, or the error that refuses it.

        Contents may name each other, in any order. Errors given are returned as they are. Reads in
        the scope `within`, or in one of its own.
        """
        batch = {
            c.identifier: facts_of(c.attributes)
            for c in contents
            if isinstance(c, Content) and c.template.startswith(LOT_TEMPLATE)
        }
        wanted = {
            p.id for c in contents if isinstance(c, Content) for p in c.parents if p.id not in batch
        }
        known = await self.facts(wanted, within) | batch
        return [c if isinstance(c, XibiaoError) else self._verdict(c, known) for c in contents]

    def _verdict(self, content: Content, known: Mapping[str, LotFacts]) -> Verdict | XibiaoError:
        lot = known.get(content.identifier)
        if not content.parents:
            return Verdict(lot, ())
        problems = genealogy_faults(lot, content.parents, known) if lot else []
        if problems:
            return InvalidInput("数据有误", "The data is not valid", problems=problems)
        return Verdict(lot, tuple(p.id for p in content.parents if p.id not in known))

    async def facts(
        self, identifiers: Iterable[str], within: ReadScope | None = None
    ) -> dict[str, LotFacts]:
        """Return the facts of those identifiers that are registered."""
        found: dict[str, LotFacts] = {}
        missing: list[str] = []
        for identifier in identifiers:
            remembered = self._recent.get(identifier)
            if remembered is None:
                missing.append(identifier)
            else:
                found[identifier] = remembered
        if missing and within is not None:
            found |= await _stored_facts(within, missing)
        elif missing:
            async with self._database.read() as scope:
                found |= await _stored_facts(scope, missing)
        return found

    async def link(self, scope: WriteScope, stored: Sequence[StoredLot], at: str) -> None:
        """Remember new lots, open their edges and close the edges that waited for them."""
        if not stored:
            return
        edges = [(p, lot.change.identifier) for lot in stored for p in lot.open_parents]
        await edge_queries.add(scope, edges, at)
        waiting = await edge_queries.close(scope, [lot.change.identifier for lot in stored])
        if waiting:
            await self._check_again(scope, waiting, at)
        for lot in stored:
            if lot.facts is not None:
                self._recent[lot.change.identifier] = lot.facts
        while len(self._recent) > self._limit:
            self._recent.popitem(last=False)

    async def _check_again(
        self, scope: WriteScope, waiting: Sequence[tuple[str, str]], at: str
    ) -> None:
        """Check children whose parent has arrived; a contradiction is kept and shown."""
        children = await record_queries.find_within(scope, sorted({c for _, c in waiting}))
        contents = [decode_content(record.content) for record in children.values()]
        names = {p.id for content in contents for p in content.parents}
        known = await _stored_facts(scope, sorted(names))
        for content in contents:
            lot = facts_of(content.attributes)
            for problem in genealogy_faults(lot, content.parents, known):
                _log.warning(
                    "late_parent_contradicts", child=content.identifier, problem=problem.code
                )
                await edge_queries.mark(scope, content.identifier, problem.code, at)


async def _stored_facts(scope: ReadScope, identifiers: Sequence[str]) -> dict[str, LotFacts]:
    records = await record_queries.find_within(scope, identifiers)
    return {
        key: facts_of(decode_content(record.content).attributes, record.status)
        for key, record in records.items()
    }
