"""The figures of a day for the secondary node: registrations from the log, look-ups from journals.

Requests are all look-ups that reached a face but self-tests (load tests, health checks, the node's
own calls), which are told beside them; hits are those answered with values. Sources are the
pseudonyms of clients, since addresses are not kept once they are counted. Where a journal is not on
this machine, the statements in the log give the sums and nothing is said of sources and hours.
How long things took is told as far as the processes of this machine timed it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from node.counting.evidence import read_events
from node.counting.tally_folder import TallyFolder
from node.counting.timings import read_timings
from node.domain.counting.journal import JournalEvent
from node.domain.counting.moments import moment_ms
from node.domain.counting.statement import Statement, decode_statement, journal_name
from node.domain.timing import Timing
from node.errors import InvalidInput, Unavailable
from node.storage import day_queries, statement_queries
from node.storage.engine import Database
from node.storage.statement_queries import HOUR_STAT
from sync.relay.day_reports import BEIJING
from sync.relay.report_book import moment_text
from sync.reports import DayReport, Performance, Share

SELF_TESTS = frozenset({"loadtest", "health", "self"})
# Classes whose events were all answered with values; of others only the journal can tell.
ANSWERED = frozenset({"ext_user", "ext_system", "repeat"})
FOUND = "found"
MOST_SOURCES, OTHERS = 1_000, "其他 others"
# A node that stopped counting tells its day all the same, this long after its end.
PATIENCE = timedelta(hours=6)
HOUR_MS = 3_600_000


@dataclass(slots=True)
class _Sums:
    """What was asked on a day, self-tests apart."""

    begins_ms: int
    requests: int = 0
    hits: int = 0
    self_tests: int = 0
    by_source: Counter[str] = field(default_factory=Counter)
    hits_of_source: Counter[str] = field(default_factory=Counter)
    by_channel: Counter[str] = field(default_factory=Counter)
    hits_of_channel: Counter[str] = field(default_factory=Counter)
    by_hour: Counter[int] = field(default_factory=Counter)
    by_second: Counter[int] = field(default_factory=Counter)

    def take(self, events: Sequence[JournalEvent]) -> None:
        """Add events of the day."""
        for event in events:
            if event.class_ in SELF_TESTS:
                self.self_tests += 1
                continue
            is_hit = event.outcome == FOUND
            self.requests += 1
            self.hits += is_hit
            self.by_source[event.client] += 1
            self.hits_of_source[event.client] += is_hit
            self.by_channel[event.channel] += 1
            self.hits_of_channel[event.channel] += is_hit
            self.by_hour[(event.at_ms - self.begins_ms) // HOUR_MS] += 1
            self.by_second[event.at_ms // 1_000] += 1

    def add(self, other: _Sums) -> None:
        """Add other sums of the same day."""
        self.requests += other.requests
        self.hits += other.hits
        self.self_tests += other.self_tests
        self.by_source.update(other.by_source)
        self.hits_of_source.update(other.hits_of_source)
        self.by_channel.update(other.by_channel)
        self.hits_of_channel.update(other.hits_of_channel)
        self.by_hour.update(other.by_hour)
        self.by_second.update(other.by_second)

    def take_counts(self, statement: Statement) -> None:
        """Add the sums of a statement whose journal is elsewhere."""
        for name, by_channel in statement.counts.items():
            for channel, count in by_channel.items():
                if name in SELF_TESTS:
                    self.self_tests += count
                    continue
                hits = count if name in ANSWERED else 0
                self.requests += count
                self.hits += hits
                self.by_channel[channel] += count
                self.hits_of_channel[channel] += hits


@dataclass(frozen=True, slots=True)
class DayFigures:
    """Figures out of this node's database and folder. `counts`: whether look-ups are counted."""

    database: Database
    folder: TallyFolder
    clock: Callable[[], datetime]
    prefix: Callable[[], str]
    counts: bool

    async def of_day(self, day: date) -> DayReport | None:
        """Return the report of a day of Asia/Shanghai; None while it is not all counted."""
        start = datetime.combine(day, time(), BEIJING)
        begins, ends = moment_text(start), moment_text(start + timedelta(days=1))
        if not self.prefix() or not await self._is_settled(ends):
            return None
        async with self.database.read() as scope:
            registered = await day_queries.registrations(scope, begins, ends)
            leaves = await statement_queries.overlapping(scope, begins, ends)
        sums = _Sums(moment_ms(begins))
        are_all_here = True
        for leaf in leaves:
            statement = decode_statement(leaf.leaf)
            path = self.folder.journals / journal_name(statement)
            are_all_here &= await asyncio.to_thread(
                _take, sums, statement, path, moment_ms(begins), moment_ms(ends)
            )
        timed = await asyncio.to_thread(
            read_timings, self.folder, moment_ms(begins), moment_ms(ends)
        )
        second, most = max(sums.by_second.items(), key=lambda item: item[1], default=(0, 0))
        return DayReport(
            prefix=self.prefix(),
            day=str(day),
            registered_new=registered.new,
            registered_total=registered.total,
            registered_cumulative=registered.cumulative,
            resolve_requests=sums.requests,
            resolve_hits=sums.hits,
            self_test_requests=sums.self_tests,
            sources=_shares(sums.by_source, sums.hits_of_source) if are_all_here else (),
            channels=_shares(sums.by_channel, sums.hits_of_channel),
            hourly_requests=tuple(sums.by_hour[n] for n in range(24)) if are_all_here else (),
            resolving=_performance(timed.get("resolving")),
            registering=_performance(timed.get("registering")),
            max_per_second=most if are_all_here else 0,
            max_per_second_at_ms=second * 1_000 if are_all_here else 0,
        )

    async def _is_settled(self, ends: str) -> bool:
        """Say whether every hour of a day that ends at `ends` is sealed, or will hardly be."""
        if not self.counts:
            return True
        async with self.database.read() as scope:
            last = await statement_queries.last(scope, HOUR_STAT)
        if last is not None and last.ends >= ends:
            return True
        return self.clock().astimezone(UTC) > datetime.fromisoformat(ends) + PATIENCE


def _take(sums: _Sums, statement: Statement, path: Path, begins_ms: int, ends_ms: int) -> bool:
    """Add what a journal holds of a day; False when it is not here and its sums were taken."""
    read = _Sums(begins_ms)
    try:
        with read_events(path) as reader:
            for events in reader.events():
                read.take([event for event in events if begins_ms <= event.at_ms < ends_ms])
    except (Unavailable, InvalidInput):
        # Of a journal that ends in the middle nothing is taken, or some events counted twice.
        sums.take_counts(statement)
        return False
    sums.add(read)
    return True


def _shares(requests: Counter[str], hits: Counter[str]) -> tuple[Share, ...]:
    """Return who asked how often, most first; beyond a thousand they are summed up."""
    ordered = sorted(requests.items(), key=lambda item: (-item[1], item[0]))
    shown = [Share(name or "-", count, hits[name]) for name, count in ordered[:MOST_SOURCES]]
    if rest := ordered[MOST_SOURCES:]:
        names = [name for name, _ in rest]
        total, answered = sum(count for _, count in rest), sum(hits[name] for name in names)
        shown.append(Share(OTHERS, total, answered))
    return tuple(shown)


def _performance(timing: Timing | None) -> Performance | None:
    if timing is None:
        return None
    return Performance(
        average_ms=round(timing.total_us / timing.number / 1_000, 3),
        max_ms=timing.longest_us / 1_000,
        max_at_ms=timing.longest_at_ms,
        min_ms=timing.shortest_us / 1_000,
        min_at_ms=timing.shortest_at_ms,
    )
