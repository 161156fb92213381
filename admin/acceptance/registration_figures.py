"""R0 to R3: identifiers counted from leaves, exclusions and the secondary node's receipt.

Invariants: pure; what is counted is decided by leaves alone, but for placeholders and repeated
content, which only who holds the openings can judge: these come in as leaf indexes. An identifier
is known by its tag, stands in the row of its first registration and is deducted once, by the first
reason that fits. R0 ≥ R1 ≥ R2 ≥ R3 in every row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from admin.acceptance.beijing import beijing_day
from admin.acceptance.report import Registered, RegistrationDeductions, Registrations
from admin.acceptance.shares import percent
from node.domain.log_entry import LogEntry
from node.domain.receipt import Receipt
from node.domain.record import Action

PLACEHOLDER, REPEATED = "placeholder", "repeated_content"
_STATES = {Action.SUSPEND.value, Action.RESUME.value, Action.REVOKE.value}


@dataclass(frozen=True, slots=True)
class FirstRegistration:
    """An identifier as its first registration shows it; `index` is that leaf's."""

    index: int
    day: str
    object_class: str
    source_kind: str
    is_test: bool


@dataclass(slots=True)
class Identifiers:
    """What the leaves say so far. `take` the leaves in the order of the log, each once."""

    firsts: dict[bytes, FirstRegistration] = field(default_factory=dict)
    states: dict[bytes, str] = field(default_factory=dict)
    events: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    changes: int = 0

    def take(self, index: int, entry: LogEntry) -> None:
        """Note the leaf of a change."""
        if entry.kind == Action.REGISTER:
            row = beijing_day(entry.at), entry.object_class, entry.source_kind
            self.events[row] += 1
            if entry.id_tag not in self.firsts:
                self.firsts[entry.id_tag] = FirstRegistration(index, *row, entry.is_test)
        elif entry.kind != Action.RESERVE:
            self.changes += 1
            if entry.kind in _STATES:
                self.states[entry.id_tag] = entry.kind

    def is_judged_by_content(self, tag: bytes) -> bool:
        """Say whether an identifier still counts when its content is looked at."""
        first = self.firsts.get(tag)
        return first is not None and not first.is_test and self.states.get(tag) != Action.REVOKE

    def deduction(
        self, tag: bytes, excluded: Mapping[int, str], receipt: Receipt | None
    ) -> str | None:
        """Return why an identifier is not in R3, as `RegistrationDeductions` names it, or None."""
        first = self.firsts[tag]
        if first.is_test:
            return "test"
        if self.states.get(tag) == Action.REVOKE:
            return "revoked"
        if first.index in excluded:
            return excluded[first.index]
        if receipt is None or first.index >= receipt.size:
            return "unacknowledged"
        return None if receipt.has_applied(first.index) else "refused_by_peer"


def claimed(found: Identifiers, excluded: Mapping[int, str], receipt: Receipt | None) -> list[int]:
    """Return the leaf indexes of the identifiers of R3, ascending."""
    return sorted(
        first.index
        for tag, first in found.firsts.items()
        if found.deduction(tag, excluded, receipt) is None
    )


def registrations(
    found: Identifiers, excluded: Mapping[int, str], receipt: Receipt | None
) -> Registrations:
    """Return the figures; `excluded` maps leaf indexes to `PLACEHOLDER` or `REPEATED`."""
    steps = Counter({"duplicates": found.events.total() - len(found.firsts)})
    # Rows by (day, class, source): three tables are sums of it.
    rows: dict[tuple[str, str, str], list[int]] = {
        key: [count, 0, 0, 0] for key, count in found.events.items()
    }
    for tag, first in found.firsts.items():
        step = found.deduction(tag, excluded, receipt)
        reached = 3 if step is None else 2 if step in ("refused_by_peer", "unacknowledged") else 1
        if step is not None:
            steps[step] += 1
        row = rows[first.day, first.object_class, first.source_kind]
        for level in range(1, reached + 1):
            row[level] += 1
    by_day = _table(rows, 0)
    total = _sum("", rows.values())
    busiest = max(by_day, key=lambda day: day.r1, default=Registered("", 0, 0, 0, 0))
    return Registrations(
        total=total,
        deductions=RegistrationDeductions(
            **{name: steps[name] for name in RegistrationDeductions.__struct_fields__}
        ),
        by_day=by_day,
        by_class=_table(rows, 1),
        by_source=_table(rows, 2),
        busiest_day=busiest.key,
        busiest_day_share=percent(busiest.r1, total.r1),
        suspended=sum(
            1
            for tag, state in found.states.items()
            if state == Action.SUSPEND and tag in found.firsts
        ),
        changes=found.changes,
    )


def _table(rows: Mapping[tuple[str, str, str], list[int]], part: int) -> tuple[Registered, ...]:
    groups: dict[str, list[list[int]]] = {}
    for key, counts in rows.items():
        groups.setdefault(key[part], []).append(counts)
    return tuple(_sum(key, groups[key]) for key in sorted(groups))


def _sum(key: str, rows: Iterable[list[int]]) -> Registered:
    levels = [sum(column) for column in zip(*rows, strict=True)] or [0, 0, 0, 0]
    return Registered(key, *levels)
