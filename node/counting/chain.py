"""The end of the chain of statements: read, checked, and moved in one transaction.

Invariants: the chain moves by comparison with where whoever moves it began, under a row lock; what
is not sealed by this node's key is not gone on from; a change of rules stands in the log before the
first statement made by them, a burst before the statement it is found in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from node.counting.state_seal import StateSeal
from node.domain.counting.moments import moment_ms, moment_text
from node.domain.counting.period_count import merged
from node.domain.counting.rule_set import RuleSet
from node.domain.counting.statement import (
    RuleChange,
    RuleName,
    Statement,
    chained,
    decode_rule_change,
)
from node.errors import Conflict
from node.storage import statement_queries, tally_queries
from node.storage.engine import Database, ReadScope, WriteScope
from node.storage.statement_queries import NewLeaf
from node.storage.tally_queries import SpoolPosition, TallyState

Gap = Callable[[str], None]
"""Called at every gap between durable steps; crash tests pass one that raises."""


class ChainMoved(Conflict):
    """Somebody else sealed meanwhile; begin again from where the chain ends now."""

    code = "chain_moved"
    zh, en = "另一进程已完成统计", "Another process sealed the period"


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where counting goes on."""

    state: TallyState
    positions: tuple[SpoolPosition, ...]

    @property
    def sealed_until_ms(self) -> int | None:
        """Return where the next period begins, None until the chain was begun."""
        return moment_ms(self.state.sealed_until) if self.state.sealed_until else None

    @property
    def places(self) -> dict[str, int]:
        """Return spool file -> bytes sealed."""
        return {p.name: p.position for p in self.positions}


@dataclass(frozen=True, slots=True)
class Addition:
    """What one seal adds. `keep` gives the journals their names, while the chain is locked.

    `bursts`: leaves with what they select; `statements`: in the order of the chain; `places`: spool
    file -> bytes sealed now; `gone`: spool files that were deleted; `clients`: candidates of the
    period's statement, by client; `history_before`: from when on history is no longer looked at.
    """

    statements: Sequence[Statement]
    keep: Callable[[], None]
    sealed_until: str
    places: Mapping[str, int]
    gone: Iterable[str] = ()
    bursts: Sequence[tuple[NewLeaf, bytes]] = ()
    clients: Mapping[str, int] = field(default_factory=dict)
    history_before: str = ""


class Chain:
    """Reads and moves the end of the chain of one node."""

    def __init__(
        self,
        database: Database,
        seal: StateSeal,
        rules: RuleSet,
        *,
        on_commit: Callable[[], None],
        gap: Gap,
    ) -> None:
        self._database = database
        self._seal = seal
        self._rules = rules
        self._on_commit = on_commit
        self._gap = gap

    async def end(self) -> ChainEnd:
        """Return where counting goes on; raise IntegrityFailure when somebody else wrote it."""
        async with self._database.read() as scope:
            return await self._read(scope, await tally_queries.state(scope))

    async def _read(self, scope: ReadScope, state: TallyState) -> ChainEnd:
        positions = await tally_queries.spools(scope)
        self._seal.check(state, positions)
        return ChainEnd(state, tuple(positions))

    async def commit(self, before: ChainEnd, new: Addition, at: str) -> None:
        """Add statements behind `before`; raise ChainMoved when the chain ends elsewhere.

        `at`: the time of this seal.
        """
        async with self._database.write() as scope:
            # 1. Lock the chain, and see that it ends where this seal began.
            state = await tally_queries.lock_state(scope)
            if await self._read(scope, state) != before:
                raise ChainMoved
            self._gap("locked")
            # 2. Leaves, in the order in which they must stand in the log.
            await self._change_rules(scope, at)
            for leaf, selector in new.bursts:
                await statement_queries.put_selector(scope, leaf.subject, selector)
                await statement_queries.append(scope, leaf)
            for statement in new.statements:
                await statement_queries.append(scope, _leaf(statement))
            # 3. History of clients; positions in the spools; the new end.
            if new.clients:
                await tally_queries.add_clients(scope, new.statements[-1].begins, new.clients)
            await tally_queries.forget_clients(scope, new.history_before)
            await self._move(scope, before, new, at)
            self._gap("written")
            # 4. The journals get their names. Should the commit fail, the next seal replaces them.
            await asyncio.to_thread(new.keep)
            self._gap("named")
        self._gap("committed")
        self._on_commit()

    async def _move(self, scope: WriteScope, before: ChainEnd, new: Addition, at: str) -> None:
        moved = {n: self._seal.position(n, place, at) for n, place in new.places.items()}
        gone = {name for name in new.gone if name not in moved}
        positions = {p.name: p for p in before.positions if p.name not in gone} | moved
        await tally_queries.put_spools(scope, moved.values())
        await tally_queries.forget_spools(scope, gone)
        state = after(before.state, new.statements, new.sealed_until)
        await tally_queries.put_state(scope, self._seal.state(state, positions.values()))

    async def _change_rules(self, scope: WriteScope, at: str) -> None:
        rules = self._rules
        last = await statement_queries.last(scope, statement_queries.RULE_CHANGE)
        if last is not None:
            known = decode_rule_change(last.leaf)
            if (known.version, known.digest) == (rules.version, rules.digest):
                return
            # A second change within a millisecond would bear the name of the first.
            at = max(at, moment_text(moment_ms(known.at) + 1))
        stored = {v: digest for v, digest, _ in await statement_queries.rules(scope)}
        if stored.get(rules.version, rules.digest) != rules.digest:
            raise Conflict(
                f"计数规则版本 {rules.version} 已用过且内容不同,请改用新的版本号",
                f"Version {rules.version} of the rules was used with another text;"
                " give these another number",
                code="rules_version",
            )
        await statement_queries.put_rules(
            scope, rules.version, digest=rules.digest, body=rules.body
        )
        change = RuleChange(at=at, digest=rules.digest, version=rules.version)
        new = NewLeaf(statement_queries.RULE_CHANGE, at, at, "", change.encode())
        await statement_queries.append(scope, new)

    @property
    def rule_name(self) -> RuleName:
        """Return what statements name the rules in force by."""
        return RuleName(self._rules.digest, self._rules.version)


def after(state: TallyState, statements: Sequence[Statement], sealed_until: str) -> TallyState:
    """Return the end of a chain that goes on with these statements (without its seal)."""
    counts = merged(json.loads(state.counts), *(s.counts for s in statements))
    return replace(
        state,
        sealed_until=sealed_until,
        head=chained(statements[-1].encode()) if statements else state.head,
        statements=state.statements + len(statements),
        dropped=state.dropped + sum(s.dropped for s in statements),
        counts=json.dumps(counts, sort_keys=True, separators=(",", ":")),
    )


def subject_of(statement: Statement) -> str:
    """Return the name of a statement among those of its kind: two of one name cannot be stored."""
    if statement.kind == statement_queries.HOUR_STAT:
        return statement.begins
    return f"{statement.begins}/{statement.prev[:16]}"


def _leaf(statement: Statement) -> NewLeaf:
    return NewLeaf(
        statement.kind,
        subject_of(statement),
        statement.begins,
        statement.ends,
        statement.encode(),
    )
