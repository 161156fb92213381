"""One process's part of a run: which rows it takes, what it counts, and what it writes down.

Invariants: rows are taken in blocks, and block b belongs to the slice b modulo the number of
slices, so that processes never register the same row; the last rows are never registered, they are
the printed labels that nobody has registered yet; counts only grow.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.ledger import LedgerWriter, Line, now_ms
from loadtest.suites.plant_data import PlantData
from loadtest.suites.record_book import RecordBook

NEVER_REGISTERED = 200
UNANSWERED = "unanswered"


@dataclass(slots=True)
class Second:
    """What came to an end within one second, by name of the request: times in ms."""

    times_ms: dict[str, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)


class Blocks:
    """Hands out the rows of one slice: whole blocks, or one row after the other."""

    def __init__(self, rows: int, block: int, piece: int, pieces: int) -> None:
        self._blocks = iter(range(piece * block, rows, pieces * block))
        self._rows, self._block = rows, block
        self._singles = iter(range(0))

    def next_block(self) -> tuple[int, int]:
        """Return first and end of a block; raises StopIteration when all is taken."""
        first = next(self._blocks)
        return first, min(first + self._block, self._rows)

    def next_row(self) -> int:
        """Return a row; raises StopIteration when all is taken."""
        for number in self._singles:
            return number
        self._singles = iter(range(*self.next_block()))
        return next(self._singles)


class LoadRun:
    """The state of one process during a run. Used by one thread (gevent's)."""

    def __init__(
        self, data: PlantData, directory: Path, *, name: str, block: int, piece: int, pieces: int
    ) -> None:
        self.data = data
        self.chance = random.Random(f"{piece}/{pieces}")
        self.book = RecordBook(data.rows, self.chance)
        self.blocks = Blocks(len(data.rows) - NEVER_REGISTERED, block, piece, pieces)
        self.files = iter(data.files[piece::pieces])
        self.ledger = LedgerWriter(directory, name)
        self.name = name
        self.registered = self.resolved = self.faults = 0
        self._numbers = 0
        self._resolutions: Counter[tuple[str, str]] = Counter()
        self._second = Second()
        self._seconds = (directory / f"seconds-{name}.ndjson").open("a", encoding="utf-8")

    def next_number(self) -> int:
        """Return a number that no other of this process has: for keys and sources."""
        self._numbers += 1
        return self._numbers

    def missing(self) -> str:
        """Draw an identifier that nobody has registered."""
        rows = self.data.rows
        return rows[len(rows) - 1 - self.chance.randrange(NEVER_REGISTERED)].identifier

    def note_effects(self, *lines: Line) -> None:
        """Write acknowledged effects down and count the registrations among them."""
        self.ledger.note(*lines)
        self.registered += sum(line.e == "register" for line in lines)

    def note_resolution(self, channel: str, outcome: str) -> None:
        """Count a resolution that was answered and verified, or UNANSWERED."""
        self._resolutions[channel, outcome] += 1
        self.resolved += outcome != UNANSWERED

    def note_unknown(self, identifiers: Sequence[str]) -> None:
        """Write down what was asked for and never acknowledged; none: one that has no name yet."""
        self.ledger.note(
            Line("unknown", now_ms(), ids=tuple(identifiers), n=max(1, len(identifiers)))
        )

    def note_fault(self, what: str) -> None:
        """Write down that something was wrong."""
        self.faults += 1
        self.ledger.note(Line("fault", now_ms(), what=what))

    def note_request(self, name: str, time_ms: float, *, failed: bool) -> None:
        """Count a request in the current second."""
        self._second.times_ms.setdefault(name, []).append(time_ms)
        self._second.failures[name] += failed

    def end_second(self) -> None:
        """Write the second that ends, and the resolutions counted in it."""
        at = now_ms()
        second, self._second = self._second, Second()
        counted, self._resolutions = self._resolutions, Counter()
        self.ledger.note(
            *(Line("resolve", at, ch=ch, out=out, n=n) for (ch, out), n in counted.items())
        )
        names = {
            name: [len(times), second.failures[name], *_percentiles(times)]
            for name, times in second.times_ms.items()
        }
        line = {"t": at, "registered": self.registered, "resolved": self.resolved, "names": names}
        self._seconds.write(json.dumps(line) + "\n")
        self._seconds.flush()

    def close(self) -> None:
        """Write what is left and close the files."""
        self.end_second()
        self._seconds.close()
        self.ledger.close()
        self.data.close()


def _percentiles(times_ms: list[float]) -> list[float]:
    """Return p50, p99 and the greatest of some times, in ms."""
    ordered = sorted(times_ms)
    last = len(ordered) - 1
    return [round(ordered[min(last, int(share * len(ordered)))], 2) for share in (0.5, 0.99, 1.0)]


def monotonic() -> float:
    """Return the clock by which answers are judged, in s."""
    return time.monotonic()
