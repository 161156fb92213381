"""What waits in the spool files: which of it belongs to a period, which came late, in which order.

A resolver writes in the order of its clock, and what a seal takes of a file is always the part next
to what is sealed already. So clocks that are set decide only which period an event is put into:

- earlier than the period: late, for the statement of that time;
- later than this moment by more than a minute: the clock was ahead then; it belongs to the period;
- a little back within the period: at the time of what was written before it.

Invariant: for the same files, positions and moment every pass over them sees the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from node.counting.tally_folder import SpoolFile, TallyFolder
from node.domain.resolution_event import Event
from node.domain.resolution_spool import Block
from node.errors import InvalidInput, Unavailable

_log = structlog.get_logger(__name__)
AHEAD_MS = 60_000


@dataclass(frozen=True, slots=True)
class Period:
    """A period in Unix ms, [begins_ms, ends_ms)."""

    begins_ms: int
    ends_ms: int

    def clamped(self, at_ms: int) -> int:
        """Return the moment of the period next to a moment."""
        return min(max(at_ms, self.begins_ms), self.ends_ms - 1)


class Portion(NamedTuple):
    """The events of one block, at one time."""

    at_ms: int
    spool: str
    dropped: int
    events: list[Event]


@dataclass(slots=True)
class Extent:
    """What a seal takes: for each file up to where, the times of late blocks, who is finished."""

    ends: dict[str, int] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What lies behind `positions` at a moment, seen from a period that is to be sealed."""

    folder: TallyFolder
    positions: Mapping[str, int]
    period: Period
    now_ms: int
    is_first: bool = False  # Before the first statement nothing can be late.

    def extent(self, look: Callable[[Portion], None]) -> Extent:
        """Read once through everything; `look` is shown what belongs to the period."""
        extent = Extent()
        for name in self.folder.spool_names():
            with self._file(name) as file:
                for portion, end, is_late in self._portions(file, None):
                    extent.ends[name] = end
                    if is_late:
                        extent.late.add(portion.at_ms)
                    else:
                        look(portion)
                if file.reader.is_damaged:
                    extent.damaged.add(name)
        return extent

    def in_order(self, extent: Extent) -> Iterator[Portion]:
        """Yield what belongs to the period by time, then by file."""
        yield from self._merged(extent, lambda portion, is_late: None if is_late else portion)

    def late_in_order(
        self, extent: Extent, belongs: Mapping[int, Period], to: Period
    ) -> Iterator[Portion]:
        """Yield what came late for a period, by time, then by file.

        `belongs`: the period of each late time.
        """

        def choose(portion: Portion, is_late: bool) -> Portion | None:
            if not is_late or belongs[portion.at_ms] != to:
                return None
            return portion._replace(at_ms=to.clamped(portion.at_ms))

        yield from self._merged(extent, choose)

    def _merged(
        self, extent: Extent, choose: Callable[[Portion, bool], Portion | None]
    ) -> Iterator[Portion]:
        with ExitStack() as stack:
            streams = [
                self._rising(stack.enter_context(self._file(name)), end, choose)
                for name, end in sorted(extent.ends.items())
            ]
            yield from heapq.merge(*streams, key=lambda portion: (portion.at_ms, portion.spool))

    def _rising(
        self, file: SpoolFile, end: int, choose: Callable[[Portion, bool], Portion | None]
    ) -> Iterator[Portion]:
        last_ms = 0
        for portion, _, is_late in self._portions(file, end):
            chosen = choose(portion, is_late)
            if chosen is not None:
                last_ms = max(last_ms, chosen.at_ms)
                yield chosen._replace(at_ms=last_ms)

    def _portions(self, file: SpoolFile, end: int | None) -> Iterator[tuple[Portion, int, bool]]:
        """Yield (portion, end of its block, whether it is late) from the position on."""
        position, last_ms = self.positions.get(file.name, 0), self.period.begins_ms
        try:
            for block in file.blocks():
                if block.ends <= position:
                    continue
                if end is not None and block.ends > end:
                    return
                at_ms = block.at_ms
                if at_ms > self.now_ms + AHEAD_MS:
                    at_ms = last_ms
                is_late = at_ms < self.period.begins_ms and not self.is_first
                if at_ms >= self.period.ends_ms:
                    return
                if not is_late:
                    last_ms = at_ms = max(last_ms, at_ms)
                yield Portion(at_ms, file.name, block.dropped, block.events), block.ends, is_late
        except InvalidInput as error:
            # What stands before it was a resolver's; a person must look at the rest.
            file.reader.is_damaged = True
            _log.error("spool_refused", spool=file.name, reason=str(error))

    def _file(self, name: str) -> SpoolFile:
        return SpoolFile(self.folder.spools / name)


def oldest_event_ms(folder: TallyFolder) -> int | None:
    """Return the time of the first event in any spool file, None when there is none."""
    found: list[int] = []
    for name in folder.spool_names():
        try:
            with SpoolFile(folder.spools / name) as file:
                found += [block.at_ms for block in _first(file)]
        except (InvalidInput, Unavailable):
            continue
    return min(found, default=None)


def _first(file: SpoolFile) -> Sequence[Block]:
    for block in file.blocks():
        return [block]
    return []
