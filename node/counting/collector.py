"""Running totals of what is durable in the spools and not sealed yet, for whoever looks now.

A look at the figures, not the figures: bursts are found when the period is sealed, and events that
come late count here with the rest. Invariants: work is done in a thread, a bounded part of the
spools at a time; after each seal the totals begin again from where it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import structlog

from node.counting.chain import ChainEnd
from node.counting.observer import Observer
from node.counting.tally_folder import SpoolFile, TallyFolder
from node.domain.counting.classes import CountedTimes
from node.domain.counting.facts import Circumstances, Pseudonyms
from node.domain.counting.moments import moment_ms
from node.domain.counting.period_count import PeriodCount
from node.domain.counting.rule_set import RuleSet
from node.domain.resolution_spool import Block
from node.errors import InvalidInput, Unavailable

_log = structlog.get_logger(__name__)
EVENTS_A_ROUND = 100_000


class Collector:
    """Follows the spools of one node from the end of its chain. Used by one thread at a time."""

    def __init__(self, folder: TallyFolder, pseudonyms: Pseudonyms, rules: RuleSet) -> None:
        self._folder = folder
        self._pseudonyms = pseudonyms
        self._rules = rules
        self._files: dict[str, SpoolFile] = {}
        self._places: Mapping[str, int] = {}
        self._sealed_until_ms = 0
        self._around = Circumstances()
        self._observer = Observer(pseudonyms, self._around, rules)
        self.head = ""
        self.dropped = 0
        self.late = 0
        self.count = PeriodCount(rules.rules, CountedTimes(rules.rules.repeat_ms))

    def begin(self, end: ChainEnd, counted: CountedTimes) -> None:
        """Begin again behind the end of the chain; `counted`: what was counted shortly before."""
        self.close()
        self._places = end.places
        self._sealed_until_ms = moment_ms(end.state.sealed_until) if end.state.sealed_until else 0
        self._observer = Observer(self._pseudonyms, self._around, self._rules)
        self.head, self.dropped, self.late = end.state.head, 0, 0
        self.count = PeriodCount(self._rules.rules, counted)

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def look(self, around: Circumstances) -> int:
        """Take in what has been added to the spools, some of it; return how many events."""
        if around != self._around:
            self._around = around
            self._observer = Observer(self._pseudonyms, around, self._rules)
        taken = 0
        for file in self._open_files():
            try:
                for block in file.blocks():
                    if block.ends > self._places.get(file.name, 0):
                        self._take(block)
                        taken += len(block.events)
                    if taken >= EVENTS_A_ROUND:
                        return taken
            except InvalidInput as error:
                file.reader.is_damaged = True
                _log.error("spool_refused", spool=file.name, reason=str(error))
        return taken

    def _take(self, block: Block) -> None:
        self.dropped += block.dropped
        if block.at_ms < self._sealed_until_ms:
            self.late += len(block.events)
        for seen in self._observer.see(block.events, block.at_ms):
            self.count.take(
                seen.standing,
                client=seen.client.tag,
                identifier=seen.identifier,
                channel=seen.channel,
                at_ms=block.at_ms,
                is_loadtest=seen.is_loadtest,
                is_found=seen.outcome == "found",
            )

    def _open_files(self) -> list[SpoolFile]:
        names = self._folder.spool_names()
        for name in self._files.keys() - set(names):
            self._files.pop(name).close()
        for name in names:
            if name not in self._files:
                with suppress(Unavailable):  # it was sealed and deleted just now
                    self._files[name] = SpoolFile(self._folder.spools / name)
        return list(self._files.values())
