"""One seal, from the first look at the spools to the commit.

It drafts a correction for each statement that late events belong to, then the statement of the
period, in the order in which they will be chained; repeats are judged across all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import msgspec
import structlog

from node.counting.campaigns import burst_leaf, bursts_found, declared_windows
from node.counting.chain import Addition, Chain, ChainEnd, Gap
from node.counting.observer import Observer
from node.counting.period_journal import Draft, Gathered, add_counted, write_draft
from node.counting.tally_folder import TallyFolder
from node.counting.unsealed_events import Extent, Period, Portion, Unsealed
from node.domain.counting.campaign import Window
from node.domain.counting.classes import CountedTimes, bursts, suspects
from node.domain.counting.facts import Circumstances, Pseudonyms
from node.domain.counting.journal import Head
from node.domain.counting.moments import HOUR_MS, moment_ms, moment_text
from node.domain.counting.rule_set import RuleSet
from node.domain.counting.statement import Statement, chained, decode_statement, journal_name
from node.errors import InvalidInput, Unavailable
from node.storage import statement_queries, tally_queries
from node.storage.engine import Database
from node.storage.statement_queries import NewLeaf

_log = structlog.get_logger(__name__)
DAY_MS = 24 * HOUR_MS

Around = Callable[[tuple[Window, ...]], Circumstances]
"""What is known now besides the events, given these declared campaigns."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every seal works with."""

    database: Database
    chain: Chain
    folder: TallyFolder
    pseudonyms: Pseudonyms
    rules: RuleSet
    around: Around
    origin: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a seal did. `statement` is None when only corrections were made."""

    statement: Statement | None
    corrections: tuple[Statement, ...]
    extent: Extent
    counted: CountedTimes


class Sealing:
    """Seals one period, which may be empty ([t, t): corrections alone)."""

    def __init__(self, shop: Workshop, end: ChainEnd, period: Period, now_ms: int) -> None:
        self._shop = shop
        self._end = end
        self._period = period
        self._now_ms = now_ms
        self._unsealed = Unsealed(
            shop.folder, end.places, period, now_ms, is_first=not end.state.head
        )
        self._counted = CountedTimes(shop.rules.rules.repeat_ms)
        self._head = end.state.head
        self._drafts: list[tuple[Draft, Statement]] = []
        self._bursts: list[tuple[NewLeaf, bytes]] = []

    async def run(self, gone: set[str]) -> Sealed:
        """Seal and return what was done; raise ChainMoved when somebody else did it.

        `gone`: spool files that were deleted and may be forgotten.
        """
        try:
            return await self._run(gone)
        finally:
            for draft, _ in self._drafts:
                with suppress(OSError):
                    draft.path.unlink(missing_ok=True)

    async def _run(self, gone: set[str]) -> Sealed:
        shop, period = self._shop, self._period
        async with shop.database.read() as scope:
            windows = await declared_windows(scope, "")
        around = shop.around(windows)
        observer, gathered = self._observer(around), Gathered()
        look = partial(gathered.look, observer)
        extent = await asyncio.to_thread(self._unsealed.extent, look)
        await self._draft_corrections(extent, around)
        statement = None
        if period.ends_ms > period.begins_ms:
            found = await self._find_bursts(gathered)
            portions = partial(self._unsealed.in_order, extent)
            statement = await self._draft(
                period, portions, observer=observer, bursts=found, kind=statement_queries.HOUR_STAT
            )
        shop.gap("drafted")
        statements = [each for _, each in self._drafts]
        if not (statements or gone or extent.ends):
            return Sealed(None, (), extent, self._counted)
        days = shop.rules.rules.burst.history_days
        addition = Addition(
            statements=statements,
            keep=self._keep,
            sealed_until=moment_text(period.ends_ms),
            places=extent.ends,
            gone=gone,
            bursts=self._bursts,
            clients=gathered.candidates if statement else {},
            history_before=moment_text(max(0, period.begins_ms - days * DAY_MS)),
        )
        await shop.chain.commit(self._end, addition, moment_text(self._now_ms))
        corrections = tuple(s for s in statements if s is not statement)
        return Sealed(statement, corrections, extent, self._counted)

    def _observer(self, around: Circumstances) -> Observer:
        return Observer(self._shop.pseudonyms, around, self._shop.rules)

    def _keep(self) -> None:
        for draft, statement in self._drafts:
            self._shop.folder.keep(draft.path, journal_name(statement))

    async def _draft_corrections(self, extent: Extent, around: Circumstances) -> None:
        belongs = await self._late_periods(extent)
        for period in sorted(set(belongs.values()), key=lambda p: p.begins_ms):
            observer, gathered = self._observer(around), Gathered()
            portions = partial(self._unsealed.late_in_order, extent, belongs, period)
            look = partial(gathered.look, observer)
            await asyncio.to_thread(_exhaust, portions, look)
            async with self._shop.database.read() as scope:
                found = await bursts_found(scope, moment_text(period.begins_ms))
            await self._draft(
                period, portions, observer=observer, bursts=found, kind=statement_queries.CORRECTION
            )

    async def _late_periods(self, extent: Extent) -> dict[int, Period]:
        """Return the period of the statement that each late time belongs to."""
        belongs: dict[int, Period] = {}
        known: Period | None = None
        for at_ms in sorted(extent.late):
            if known is None or not known.begins_ms <= at_ms < known.ends_ms:
                async with self._shop.database.read() as scope:
                    stored = await statement_queries.period_of(scope, moment_text(at_ms))
                if stored is None:  # nothing was sealed, so nothing can be late
                    raise RuntimeError("late events without a statement")
                known = Period(moment_ms(stored.begins), moment_ms(stored.ends))
            belongs[at_ms] = known
        return belongs

    async def _find_bursts(self, gathered: Gathered) -> dict[str, str]:
        """Return client tag -> campaign of those who are a burst; their leaves are kept."""
        rule, period = self._shop.rules.rules.burst, self._period
        suspected = suspects(gathered.candidates, rule)
        if not suspected:
            return {}
        since = moment_text(max(0, period.begins_ms - rule.history_days * DAY_MS))
        async with self._shop.database.read() as scope:
            history = await tally_queries.history(scope, suspected, since)
        names: dict[str, str] = {}
        for tag in bursts(gathered.candidates, history, rule):
            leaf, selector = burst_leaf(
                tag,
                begins=moment_text(period.begins_ms),
                ends=moment_text(period.ends_ms),
                at=moment_text(max(self._now_ms, period.ends_ms)),
            )
            self._bursts.append((leaf, selector))
            names[tag] = leaf.subject
        return names

    async def _draft(
        self,
        period: Period,
        portions: Callable[[], Iterator[Portion]],
        *,
        observer: Observer,
        bursts: Mapping[str, str],
        kind: str,
    ) -> Statement:
        """Write the journal of a period and return its statement, chained to what went before."""
        shop = self._shop
        await counted_around(shop, period, self._counted)
        begins, ends = moment_text(period.begins_ms), moment_text(period.ends_ms)
        head = Head(
            agents=observer.agents.texts,
            begins=begins,
            origin=shop.origin,
            prev=self._head,
            rules=shop.chain.rule_name,
            ends=ends,
        )
        path = shop.folder.draft()
        draft = await asyncio.to_thread(
            lambda: write_draft(
                path,
                head,
                portions(),
                observer=observer,
                rules=shop.rules.rules,
                counted=self._counted,
                bursts=bursts,
            )
        )
        statement = _statement(draft, head, kind, max(self._now_ms, period.ends_ms))
        self._head = chained(statement.encode())
        self._drafts.append((draft, statement))
        return statement


async def counted_around(shop: Workshop, period: Period, counted: CountedTimes) -> None:
    """Add to `counted` what statements counted so near to a period that repeats depend on it."""
    begins_ms = period.begins_ms - counted.window_ms
    ends_ms = period.ends_ms + counted.window_ms + 1
    async with shop.database.read() as scope:
        stored = await statement_queries.overlapping(
            scope, moment_text(max(0, begins_ms)), moment_text(ends_ms)
        )
    for each in stored:
        path = shop.folder.journals / journal_name(decode_statement(each.leaf))
        add = partial(
            add_counted,
            path,
            counted,
            classes=shop.rules.rules.counted,
            begins_ms=begins_ms,
            ends_ms=ends_ms,
        )
        try:
            await asyncio.to_thread(add)
        except (InvalidInput, Unavailable) as error:
            # The audit names it; to stop counting for it would lose what comes now as well.
            _log.error("journal_unreadable", journal=path.name, reason=str(error))


def _exhaust(portions: Callable[[], Iterator[Portion]], look: Callable[[Portion], None]) -> None:
    for portion in portions():
        look(portion)


def _statement(draft: Draft, head: Head, kind: str, at_ms: int) -> Statement:
    is_correction = kind == statement_queries.CORRECTION
    return Statement(
        at=moment_text(at_ms),
        begins=head.begins,
        clients=draft.clients,
        corrects=head.begins if is_correction else msgspec.UNSET,
        counts=draft.counts,
        dropped=draft.dropped,
        ends=head.ends,
        events=draft.events,
        identifiers=draft.identifiers,
        journal=draft.digest,
        kind="correction" if is_correction else "hour_stat",
        prev=head.prev,
        root=draft.root,
        rules=head.rules,
    )
