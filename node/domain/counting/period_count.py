"""Counts the events of one period, however they are come by: sealing, checking, recounting.

Invariants: gross is the sum over all classes by construction; distinct clients and identifiers are
those of counted events; applied to the events of a journal with the rules it was made by, in the
order of the chain, it gives the classes that stand in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping

from node.domain.counting.campaign import BURST_PREFIX
from node.domain.counting.classes import CountedTimes, Standing, class_of, standing
from node.domain.counting.journal import JournalEvent
from node.domain.counting.rule_set import AgentRules, Rules


class PeriodCount:
    """The sums of one period, fed event by event."""

    def __init__(self, rules: Rules, counted: CountedTimes, bursts: Container[str] = ()) -> None:
        """`counted`: what was counted around the period; `bursts`: tags of clients (`bursts`)."""
        self._classes = frozenset(rules.counted)
        self._counted = counted
        self._bursts = bursts
        self._by: Counter[tuple[str, str]] = Counter()
        self._clients: set[str] = set()
        self._identifiers: set[str] = set()

    def take(
        self,
        who: Standing,
        *,
        client: str,
        identifier: str,
        channel: str,
        at_ms: int,
        is_loadtest: bool,
        is_found: bool,
    ) -> str:
        """Count one event and return its class. `is_loadtest`: declared, or of a test prefix."""
        is_burst = not who.excluded and client in self._bursts
        found = class_of(
            who,
            is_loadtest=is_loadtest or is_burst,
            is_found=is_found,
            pair=(client, identifier),
            at_ms=at_ms,
            counted=self._counted,
        )
        self._by[found, channel] += 1
        if found in self._classes:
            self._clients.add(client)
            self._identifiers.add(identifier)
        return found

    @property
    def events(self) -> int:
        """Return the gross number."""
        return self._by.total()

    @property
    def clients(self) -> int:
        """Return how many clients were counted."""
        return len(self._clients)

    @property
    def identifiers(self) -> int:
        """Return how many identifiers were counted."""
        return len(self._identifiers)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return class -> channel -> how many, without zeros."""
        counts: dict[str, dict[str, int]] = {}
        for (name, channel), number in sorted(self._by.items()):
            counts.setdefault(name, {})[channel] = number
        return counts


class Recount:
    """Applies a version of the rules to the events of journals, in the order of the chain."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._agents = AgentRules(rules)
        self.counted = CountedTimes(rules.repeat_ms)

    def candidates(self, agents: tuple[str, ...], events: Iterable[JournalEvent]) -> Counter[str]:
        """Return events a client that might be a burst: input of `classes.bursts`."""
        return Counter(
            event.client
            for event in events
            if not is_loadtest(event) and not self.standing(agents, event).excluded
        )

    def period(self, bursts: Container[str] = ()) -> PeriodCount:
        """Begin the next period or correction of the chain."""
        return PeriodCount(self._rules, self.counted, bursts)

    def take(self, count: PeriodCount, agents: tuple[str, ...], event: JournalEvent) -> str:
        """Count an event of the period and return its class under these rules."""
        return count.take(
            self.standing(agents, event),
            client=event.client,
            identifier=event.identifier,
            channel=event.channel,
            at_ms=event.at_ms,
            is_loadtest=is_loadtest(event),
            is_found=event.outcome == "found",
        )

    def standing(self, agents: tuple[str, ...], event: JournalEvent) -> Standing:
        """Return what the event's client is under these rules."""
        agent = "" if event.agent < 0 else agents[event.agent]
        return standing(event.near, event.role, self._agents.kind(agent))


def is_loadtest(event: JournalEvent) -> bool:
    """Say whether an event is of a test prefix or of a campaign declared before it."""
    return event.is_test or (bool(event.campaign) and not event.campaign.startswith(BURST_PREFIX))


def merged(*many: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return the sum of counts by class and channel."""
    total: Counter[tuple[str, str]] = Counter()
    for counts in many:
        for name, by in counts.items():
            for channel, number in by.items():
                total[name, channel] += number
    summed: dict[str, dict[str, int]] = {}
    for (name, channel), number in sorted(total.items()):
        summed.setdefault(name, {})[channel] = number
    return summed
