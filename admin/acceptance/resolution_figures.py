"""G, each deduction and N: look-ups counted again from the events of every journal.

Invariants: pure; events come statement by statement in the order of the chain; each is classified
anew under one version of the rules, whatever class its line says; gross is what the statements
state, so that gross - deductions - net is 0 only when journals and statements agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from admin.acceptance.beijing import beijing_hour, weekday_and_hour
from admin.acceptance.report import ClassCount, Counted, Resolutions
from admin.acceptance.shares import percent
from node.domain.counting.classes import bursts, suspects
from node.domain.counting.journal import JournalEvent
from node.domain.counting.moments import moment_ms
from node.domain.counting.period_count import Recount
from node.domain.counting.rule_set import CLASSES, Rules
from node.domain.counting.statement import CHANNELS, HOUR_STAT, Statement
from node.domain.resolution_event import Outcome

TOP = 10
DAY_MS = 86_400_000


class _Rows:
    """Gross and net by some key."""

    def __init__(self) -> None:
        self.gross: Counter[str] = Counter()
        self.net: Counter[str] = Counter()

    def table(self, keys: Sequence[str]) -> tuple[Counted, ...]:
        """Return the rows that have any event, in the order of `keys`."""
        return tuple(Counted(k, self.gross[k], self.net[k]) for k in keys if self.gross[k])

    def sorted(self) -> tuple[Counted, ...]:
        """Return all rows by key."""
        return self.table(sorted(self.gross))


class ResolutionCount:
    """Counts statements under one version of the rules; `take` them in the order of the chain."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._recount = Recount(rules)
        self._history: dict[str, list[tuple[int, int]]] = {}
        self._classes: Counter[str] = Counter()
        self._rows = {name: _Rows() for name in ("channel", "day", "hour", "outcome", "client")}
        self._identifiers: set[str] = set()
        self._week = [[0] * 24 for _ in range(7)]
        self._stated = self._dropped = self._statements = self._corrections = 0
        self._settled_until = ""
        self.campaigns: Counter[str] = Counter()

    @property
    def failed(self) -> int:
        """Return how many look-ups this node failed to answer."""
        return self._rows["outcome"].gross[Outcome.FAILED.label]

    def take(
        self, statement: Statement, agents: tuple[str, ...], events: Sequence[JournalEvent]
    ) -> None:
        """Count the events of the next statement or correction."""
        self._stated += statement.events
        self._dropped += statement.dropped
        found: list[str] = []
        if statement.kind == HOUR_STAT:
            self._statements += 1
            self._settled_until = statement.ends
            found = self._bursts(moment_ms(statement.begins), agents, events)
        else:
            self._corrections += 1
        period = self._recount.period(frozenset(found))
        for event in events:
            self._note(event, self._recount.take(period, agents, event))

    def _bursts(
        self, begins_ms: int, agents: tuple[str, ...], events: Sequence[JournalEvent]
    ) -> list[str]:
        rule = self._rules.burst
        candidates = self._recount.candidates(agents, events)
        oldest = begins_ms - rule.history_days * DAY_MS
        history = {
            tag: [number for at_ms, number in self._history.get(tag, ()) if at_ms >= oldest]
            for tag in suspects(candidates, rule)
        }
        for tag, number in candidates.items():
            self._history.setdefault(tag, []).append((begins_ms, number))
        return bursts(candidates, history, rule)

    def _note(self, event: JournalEvent, name: str) -> None:
        counts = name in self._rules.counted
        hour = beijing_hour(event.at_ms)
        self._classes[name] += 1
        self.campaigns[event.campaign] += 1
        keys = (event.channel, hour[:10], hour, event.outcome, event.client)
        for rows, key in zip(self._rows.values(), keys, strict=True):
            rows.gross[key] += 1
            if counts:
                rows.net[key] += 1
        if counts:
            self._identifiers.add(event.identifier)
            weekday, of_day = weekday_and_hour(event.at_ms)
            self._week[weekday][of_day] += 1

    def _success_share(self) -> str:
        outcomes = self._rows["outcome"].gross
        answered = outcomes[Outcome.FOUND.label] + outcomes[Outcome.STATUS.label]
        return percent(answered, outcomes.total()) if outcomes else ""

    def figures(self) -> Resolutions:
        """Return the figures of all that was taken."""
        rows, clients = self._rows, self._rows["client"]
        net = sum(self._classes[name] for name in self._rules.counted)
        deducted = self._classes.total() - net
        counted = [tag for tag, number in clients.net.items() if number]
        top = sorted(counted, key=lambda tag: (-clients.net[tag], tag))[:TOP]
        first = clients.net[top[0]] if top else 0
        ten = sum(clients.net[tag] for tag in top)
        return Resolutions(
            gross=self._stated,
            deducted=deducted,
            net=net,
            difference=self._stated - deducted - net,
            dropped=self._dropped,
            statements=self._statements,
            corrections=self._corrections,
            settled_until=self._settled_until,
            clients=len(counted),
            identifiers=len(self._identifiers),
            top_client_count=first,
            top_client_share=percent(first, net),
            top_ten_count=ten,
            top_ten_share=percent(ten, net),
            days_with_any=sum(1 for number in rows["day"].net.values() if number),
            by_class=tuple(
                ClassCount(name, self._classes[name], is_counted=name in self._rules.counted)
                for name in CLASSES
            ),
            by_channel=rows["channel"].table(CHANNELS),
            by_day=rows["day"].sorted(),
            by_hour=rows["hour"].sorted(),
            by_outcome=rows["outcome"].table([outcome.label for outcome in Outcome]),
            by_clients=clients.table(top),
            weekday_hours=tuple(tuple(hours) for hours in self._week),
            success_share=self._success_share(),
        )
