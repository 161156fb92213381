"""Source lots of new records: known ones are checked, unknown ones become open edges.

A record with an unknown parent is registered: the batch exists and is labelled, whatever the state
of its source's paperwork. The edge stays open, is shown, and is checked again when the parent
arrives. Facts of recent lots are kept in memory, because children follow their parents closely.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from node.domain.lot_facts import LotFacts, facts_if_lot, facts_of, genealogy_faults
from node.domain.record import Content, Parent, Status, decode_content
from node.errors import InvalidInput, XibiaoError
from node.storage import edge_queries, record_queries, source_queries
from node.storage.engine import Database, ReadScope, WriteScope
from node.storage.stored_values import NewChange

_log = structlog.get_logger(__name__)


class Candidate(Protocol):
    """A record to be: what `judge` needs of it. `facts`: of a lot, None of other objects."""

    @property
    def identifier(self) -> str: ...
    @property
    def parents(self) -> tuple[Parent, ...]: ...
    @property
    def facts(self) -> LotFacts | None: ...


class Lot(msgspec.Struct, frozen=True, gc=False):
    """A candidate and nothing else."""

    identifier: str
    parents: tuple[Parent, ...]
    facts: LotFacts | None


# The sources that are not registered, or why the record is refused.
Verdict = tuple[str, ...] | XibiaoError


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
        self, candidates: Sequence[Candidate | XibiaoError], within: ReadScope | None = None
    ) -> list[Verdict]:
        """Return for each candidate its unknown sources, or the error that refuses it.

        Candidates may name each other, in any order. A source that is refused here is unknown to
        its children. Errors given are returned as they are. Reads in the scope `within`, or in one
        of its own.
        """
        sound = [c for c in candidates if not isinstance(c, XibiaoError)]
        own = {c.identifier: c.facts for c in sound if c.facts is not None}
        registered = await self.facts({p.id for c in sound for p in c.parents}, within)
        known = own | registered
        verdicts = _verdicts(candidates, known)
        refused = {
            c.identifier
            for c, verdict in zip(candidates, verdicts, strict=True)
            if isinstance(verdict, XibiaoError) and not isinstance(c, XibiaoError)
        } - registered.keys()
        if refused:
            known = {name: facts for name, facts in known.items() if name not in refused}
            verdicts = _verdicts(candidates, known)
        return verdicts

    async def facts(
        self, identifiers: Iterable[str], within: ReadScope | None = None
    ) -> dict[str, LotFacts]:
        """Return the facts of those identifiers that are registered."""
        wanted = list(identifiers)
        if not wanted:
            return {}
        if within is not None:
            return await self._facts(within, wanted)
        async with self._database.read() as scope:
            return await self._facts(scope, wanted)

    async def _facts(self, scope: ReadScope, wanted: Sequence[str]) -> dict[str, LotFacts]:
        found = {key: self._recent[key] for key in wanted if key in self._recent}
        # What is remembered of a lot never changes but for this, and any process may revoke.
        for key in await source_queries.revoked_among(scope, list(found)):
            found[key] = msgspec.structs.replace(found[key], status=Status.REVOKED)
        return found | await _stored_facts(scope, [key for key in wanted if key not in found])

    async def link(self, scope: WriteScope, stored: Sequence[StoredLot], at: str) -> None:
        """Remember new lots, open their edges and close the edges that waited for them."""
        if not stored:
            return
        edges = [(p, lot.change.identifier) for lot in stored for p in lot.open_parents]
        await edge_queries.add(scope, edges, at)
        # Sources that arrived after the children were judged close their edges here.
        sources = sorted({parent for parent, _ in edges})
        arrived = await source_queries.registered_among(scope, sources)
        waiting = await edge_queries.close(
            scope, [*arrived, *(lot.change.identifier for lot in stored)]
        )
        if waiting:
            await self._check_again(scope, waiting, _facts_of_lots(stored), at)
        scope.after_commit(lambda: self.remember(stored))

    async def relink(
        self, scope: WriteScope, before: Content, after: Content, at: str
    ) -> tuple[str, ...]:
        """Judge a changed record, keep its open edges and return its unknown sources.

        Raises InvalidInput when it contradicts its sources.
        """
        facts = facts_if_lot(after.template, after.attributes)
        (verdict,) = await self.judge([Lot(after.identifier, after.parents, facts)], scope)
        if isinstance(verdict, XibiaoError):
            raise verdict
        await edge_queries.forget(scope, after.identifier, [p.id for p in before.parents])
        await edge_queries.add(scope, [(parent, after.identifier) for parent in verdict], at)
        if facts is not None:
            scope.after_commit(lambda: self._remember({after.identifier: facts}))
        return verdict

    def remember(self, stored: Sequence[StoredLot]) -> None:
        """Keep the facts of lots that are in the register now."""
        self._remember(_facts_of_lots(stored))

    def _remember(self, lots: Mapping[str, LotFacts]) -> None:
        self._recent.update(lots)
        while len(self._recent) > self._limit:
            self._recent.popitem(last=False)

    async def _check_again(
        self,
        scope: WriteScope,
        waiting: Sequence[tuple[str, str]],
        new: Mapping[str, LotFacts],
        at: str,
    ) -> None:
        """Check children whose parent has arrived; a contradiction is kept and shown.

        `new`: the facts of lots that were stored just now.
        """
        children = await record_queries.find_within(scope, sorted({c for _, c in waiting}))
        contents = [decode_content(record.content) for record in children.values()]
        names = {p.id for content in contents for p in content.parents}
        known = {name: new[name] for name in names & new.keys()}
        known |= await _stored_facts(scope, sorted(names - new.keys()))
        for content in contents:
            lot = facts_of(content.attributes)
            for problem in genealogy_faults(lot, content.parents, known):
                _log.warning(
                    "late_parent_contradicts", child=content.identifier, problem=problem.code
                )
                await edge_queries.mark(scope, content.identifier, problem.code, at)


def _facts_of_lots(stored: Sequence[StoredLot]) -> dict[str, LotFacts]:
    return {lot.change.identifier: lot.facts for lot in stored if lot.facts is not None}


def _verdicts(
    candidates: Sequence[Candidate | XibiaoError], known: Mapping[str, LotFacts]
) -> list[Verdict]:
    return [c if isinstance(c, XibiaoError) else _verdict(c, known) for c in candidates]


def _verdict(candidate: Candidate, known: Mapping[str, LotFacts]) -> Verdict:
    parents = candidate.parents
    if not parents:
        return ()
    problems = genealogy_faults(candidate.facts, parents, known) if candidate.facts else []
    if problems:
        return InvalidInput("数据有误", "The data is not valid", problems=problems)
    return tuple([p.id for p in parents if p.id not in known])


async def _stored_facts(scope: ReadScope, identifiers: Sequence[str]) -> dict[str, LotFacts]:
    """Read the facts of registered lots; a reserved identifier is none yet."""
    records = await record_queries.find_within(scope, identifiers)
    return {
        key: facts_of(decode_content(record.content).attributes, record.status)
        for key, record in records.items()
        if record.status != Status.RESERVED
    }
