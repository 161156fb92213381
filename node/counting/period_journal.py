"""One period's events, classified and written as the draft of a journal.

Two passes over the same events: `gather` learns what must be known before the first of them can be
judged (agents for the head, who may be a burst), `write_draft` judges, counts and writes. Runs in a
thread; holds a block of events at a time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from node.counting.observer import Observed, Observer
from node.counting.tally_folder import file_errors
from node.counting.unsealed_events import Portion
from node.domain.counting.classes import CountedTimes
from node.domain.counting.journal import Head, JournalEvent, JournalReader, JournalWriter
from node.domain.counting.period_count import PeriodCount
from node.domain.counting.rule_set import Rules

_PIECE = 1 << 20


@dataclass(slots=True)
class Gathered:
    """What a first look at a period found."""

    candidates: Counter[str] = field(default_factory=Counter)
    events: int = 0

    def look(self, observer: Observer, portion: Portion) -> None:
        """Take one block into account."""
        self.events += len(portion.events)
        for seen in observer.see(portion.events, portion.at_ms):
            if seen.is_candidate:
                self.candidates[seen.client.tag] += 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A complete journal that has no name yet, and what it sums up to."""

    path: Path
    counts: dict[str, dict[str, int]]
    events: int
    dropped: int
    clients: int
    identifiers: int
    root: str
    digest: str


def write_draft(
    path: Path,
    head: Head,
    portions: Iterable[Portion],
    *,
    observer: Observer,
    rules: Rules,
    counted: CountedTimes,
    bursts: Mapping[str, str],
) -> Draft:
    """Write a journal through to the disk and return it.

    `observer` has gathered these portions before; `counted`: what was counted around the period,
    to which this adds; `bursts`: client tag -> campaign.
    """
    writer, count, dropped = JournalWriter(head), PeriodCount(rules, counted, bursts), 0
    with file_errors(path), path.open("xb") as file:
        for portion in portions:
            dropped += portion.dropped
            lines = [
                _event(seen, portion.at_ms, count=count, bursts=bursts)
                for seen in observer.see(portion.events, portion.at_ms)
            ]
            file.write(writer.add(lines))
        file.write(writer.finish())
        file.flush()
        os.fsync(file.fileno())
    return Draft(
        path=path,
        counts=count.counts(),
        events=count.events,
        dropped=dropped,
        clients=count.clients,
        identifiers=count.identifiers,
        root=writer.root,
        digest=writer.digest,
    )


def _event(
    seen: Observed, at_ms: int, *, count: PeriodCount, bursts: Mapping[str, str]
) -> JournalEvent:
    tag = seen.client.tag
    found = count.take(
        seen.standing,
        client=tag,
        identifier=seen.identifier,
        channel=seen.channel,
        at_ms=at_ms,
        is_loadtest=seen.is_loadtest,
        is_found=seen.outcome == "found",
    )
    campaign = seen.campaign
    if seen.is_candidate and tag in bursts:
        campaign = bursts[tag]
    return JournalEvent(
        agent=seen.agent,
        client=tag,
        channel=seen.channel,
        campaign=campaign,
        identifier=seen.identifier,
        class_=found,
        near=seen.client.near,
        outcome=seen.outcome,
        role=seen.client.role,
        at_ms=at_ms,
        is_test=seen.is_test,
    )


def add_counted(
    path: Path, counted: CountedTimes, *, classes: Iterable[str], begins_ms: int, ends_ms: int
) -> None:
    """Add what a journal counted in [begins_ms, ends_ms) to `counted`.

    Raises InvalidInput for a journal that is damaged, Unavailable for one that is gone.
    """
    wanted = frozenset(classes)
    with file_errors(path), path.open("rb") as file:
        reader = JournalReader(iter(lambda: file.read(_PIECE), b""))
        for events in reader.events():
            for event in events:
                if event.class_ in wanted and begins_ms <= event.at_ms < ends_ms:
                    counted.add(event.client, event.identifier, event.at_ms)
