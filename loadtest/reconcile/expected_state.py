"""The ledger added up (pure): what must be there after the run.

Invariants: the order of lines does not matter, because processes write files of their own; of each
identifier the effects are those of revisions 1 … n without gap, each noted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loadtest.ledger import EFFECTS, Line
from loadtest.reconcile.difference import LEDGER, Difference


@dataclass(frozen=True, slots=True)
class ExpectedRecord:
    """The state of an identifier after its last effect.

    `leaves`: hashes of its log leaves as they were answered, "" where none was; `actions`: what
    each revision did; `source`: how it was registered.
    """

    identifier: str
    revision: int
    status: str
    facts: str
    leaves: tuple[str, ...]
    actions: tuple[str, ...]
    source: str


@dataclass(slots=True)
class Expected:
    """What the ledger says: records by identifier, what may be there, and resolutions.

    `unknown`: how many requests about an identifier were never acknowledged; `unnamed`: how many
    such registrations the node was to number.
    """

    records: dict[str, ExpectedRecord] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    unnamed: int = 0
    resolutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def effects(self) -> int:
        """The number of changes that must be in the log."""
        return sum(record.revision for record in self.records.values())

    @property
    def spare(self) -> int:
        """The number of changes that may be in the log besides."""
        return self.unknown.total() + self.unnamed

    def by_status(self) -> Mapping[str, int]:
        """Return how many records there must be of each status."""
        return Counter(record.status for record in self.records.values())

    def by_action_and_source(self) -> Counter[tuple[str, str]]:
        """Return how many leaves there must be: (kind, source of the registration)."""
        return Counter(
            (action, record.source) for record in self.records.values() for action in record.actions
        )


def add_up(lines: Iterable[Line]) -> Expected:
    """Add the lines of a ledger up; what does not fit within it is a difference."""
    expected = Expected()
    effects: dict[str, list[Line]] = {}
    for line in lines:
        if line.e in EFFECTS:
            effects.setdefault(line.id, []).append(line)
        elif line.e == "resolve":
            expected.resolutions[line.ch, line.out] += line.n
        elif line.e == "unknown":
            expected.unknown.update(line.ids)
            expected.unnamed += 0 if line.ids else line.n
        elif line.e == "fault":
            expected.faults.append(line.what)
    noted = Counter(line.leaf for of_one in effects.values() for line in of_one if line.leaf)
    for identifier, of_one in effects.items():
        _add_record(expected, identifier, sorted(of_one, key=lambda line: line.rev))
    expected.differences += [
        Difference(LEDGER, leaf, f"同一日志叶记了 {count} 次 one leaf was noted {count} times")
        for leaf, count in noted.items()
        if count > 1
    ]
    return expected


def _add_record(expected: Expected, identifier: str, effects: list[Line]) -> None:
    revisions = [line.rev for line in effects]
    if revisions != list(range(1, len(effects) + 1)):
        what = f"版本 {revisions} 不连续或重复 revisions {revisions} are not 1 … n, each once"
        expected.differences.append(Difference(LEDGER, identifier, what))
    last = effects[-1]
    expected.records[identifier] = ExpectedRecord(
        identifier,
        last.rev,
        last.st,
        last.facts,
        tuple(line.leaf for line in effects),
        tuple(line.e for line in effects),
        effects[0].src,
    )
