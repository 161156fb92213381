"""What the load has noted since the last look, and what it comes to.

Invariant: every line of the ledger is read once, a line that is not whole yet at the next look.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loadtest.ledger import EFFECTS, Line
from loadtest.suites.load_run import UNANSWERED

_KEPT = 2_000
_decoder = msgspec.json.Decoder(Line)


@dataclass(frozen=True, slots=True)
class Late:
    """An answer that was late: when (Unix ms), where, at least how much (s)."""

    at_ms: int
    channel: str
    identifier: str
    seconds: float
    what: str


@dataclass(slots=True)
class Noted:
    """The ledger so far. `answered_each`: look-ups answered by Unix second."""

    effects: int = 0
    registered: int = 0
    unknown: int = 0
    answered: int = 0
    unanswered: int = 0
    answered_each: Counter[int] = field(default_factory=Counter)
    unanswered_each: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)


class LinesOf:
    """Follows a file that grows by lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[bytes]:
        """Return the whole lines that are new."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self._offset += end
        return data[:end].splitlines()


class LedgerTail:
    """Adds up what is new; `recent` are the last states of records, the newest and some others."""

    def __init__(self, ledger: Path, late: Path, seed: int) -> None:
        self._ledger = LinesOf(ledger)
        self._late = LinesOf(late)
        self._chance = random.Random(f"{seed}/sample")
        self._old: list[Line] = []
        self._seen = 0
        self.noted = Noted()

    def look(self) -> list[Line]:
        """Take in what is new and return the effects among it, oldest first."""
        noted, fresh = self.noted, list[Line]()
        for text in self._ledger.read():
            line = _decoder.decode(text)
            if line.e in EFFECTS:
                fresh.append(line)
            elif line.e == "resolve":
                self._add_resolutions(line)
            elif line.e == "unknown":
                noted.unknown += len(line.ids)
            elif line.e == "fault":
                noted.faults.append(line.what)
        noted.effects += len(fresh)
        noted.registered += sum(line.e == "register" for line in fresh)
        noted.late += [
            Late(late["t"], late["ch"], late["id"], late["s"], late["what"])
            for late in map(json.loads, self._late.read())
        ]
        self._keep(fresh)
        return fresh

    def sample(self, fresh: list[Line], count: int) -> dict[str, int]:
        """Draw identifiers with revisions at least to be found: half new, half from all before."""
        drawn = self._chance.sample(fresh, min(count, len(fresh)))
        drawn += self._chance.sample(self._old, min(count, len(self._old)))
        least: dict[str, int] = {}
        for line in drawn:
            least[line.id] = max(least.get(line.id, 0), line.rev)
        return least

    def _keep(self, fresh: list[Line]) -> None:
        """Keep a uniform sample of all effects (reservoir sampling)."""
        for line in fresh:
            self._seen += 1
            if len(self._old) < _KEPT:
                self._old.append(line)
            elif (place := self._chance.randrange(self._seen)) < _KEPT:
                self._old[place] = line

    def _add_resolutions(self, line: Line) -> None:
        second = line.t // 1000
        if line.out == UNANSWERED:
            self.noted.unanswered += line.n
            self.noted.unanswered_each[second] += line.n
        else:
            self.noted.answered += line.n
            self.noted.answered_each[second] += line.n
