"""What the generator's side file says should become of every row, and what explains an exception.

The generator spoils rows without looking at the whole: a lie about a mass may stay within the
losses of the process, a date written with equal day and month is not ambiguous. `explained` decides
such cases from the truth and from what became of the parents, never from what the product says.

Invariants: rows count from 1 below the headings; a row that the side file does not name is clean.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from loadtest.trials.batch_files import BatchFile
from node.domain.lot_facts import LotFacts, facts_of
from node.domain.rare_earth import exceeds_inputs, made_before

REGISTERED, OPEN_EDGE = "已登记", "已登记(待上级批次)"
HELD, REFUSED, REPEATED = "待确认", "退回", "重复"
_OF_ACTION = {
    "fix": REGISTERED,
    "accept": REGISTERED,
    "confirm": HELD,
    "reject": REFUSED,
    "dedupe": REPEATED,
}
# Faults that cast doubt on a lot's own analysis: it proves nothing against its children.
_DOUBTFUL = frozenset({"pct_as_fraction", "reo_total_wrong", "sum_not_100"})

Truth = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Injection:
    """One line of the side file; `handle` is the true identifier of the row."""

    row: int
    handle: str
    kind: str
    action: str
    column: str
    written: str

    @property
    def is_repeat(self) -> bool:
        """Say whether the row stands beside its unspoilt original."""
        return self.kind.startswith("dup_")


def read_injections(file: BatchFile) -> dict[int, Injection]:
    """Give the injections by row."""
    with file.side_file.open(encoding="utf-8", newline="") as lines:
        return {
            int(line["record"]): Injection(
                int(line["record"]),
                line["handle"],
                line["kind"],
                line["action"],
                line["column"],
                line["written"],
            )
            for line in csv.DictReader(lines)
        }


def read_states(result: Sequence[Sequence[str]]) -> dict[int, str]:
    """Give the state of every row of a result file; the first line holds the headings."""
    return {row: cells[-3] for row, cells in enumerate(result) if row}


def handles_by_row(file: BatchFile, injections: Mapping[int, Injection]) -> dict[int, str]:
    """Give the true identifier of every row: batches in their order, repeats behind originals."""
    handles: dict[int, str] = {}
    for handle in file.truth():
        handles[len(handles) + 1] = handle
        following = injections.get(len(handles) + 1)
        if following is not None and following.is_repeat and following.handle == handle:
            handles[following.row] = handle
    return handles


def parents_of(batch: Mapping[str, object]) -> list[tuple[str, str]]:
    """Give (identifier, kg) of the parents of a batch of the truth."""
    parents = batch["parents"]
    assert isinstance(parents, list)
    return [(parent["id"], parent["kg"]) for parent in parents]


@dataclass(frozen=True, slots=True)
class Expectations:
    """What should become of each row, given which identifiers were registered in the end.

    `confirmed`: a person has accepted every proposal.
    """

    truth: Truth
    injections: Mapping[int, Injection]
    registered: Collection[str]
    confirmed: bool

    def state(self, row: int, handle: str) -> str:
        """Give the state that the side file asks for."""
        injection = self.injections.get(row)
        if injection is not None and injection.kind == "broken_parent":
            return OPEN_EDGE
        state = _OF_ACTION[injection.action] if injection else REGISTERED
        if state == HELD and self.confirmed:
            state = REGISTERED
        return OPEN_EDGE if state == REGISTERED and self._has_open_edge(handle) else state

    def explained(self, row: int) -> str:
        """Give why the side file cannot be met for a row, "" when nothing explains it."""
        injection = self.injections.get(row)
        match injection:
            case Injection(kind="ambiguous_date"):
                month, day, _ = injection.written.split("/")
                return "day equals month" if month == day else ""
            case Injection(kind="mojibake"):
                return "bytes were lost" if "\ufffd" in injection.written else ""
            case Injection(kind="mass_excess"):
                return self._why_no_excess(injection)
            case Injection(kind="child_before_parent"):
                return self._why_not_older(injection)
        return ""

    def _has_open_edge(self, handle: str) -> bool:
        return any(name not in self.registered for name, _ in parents_of(self.truth[handle]))

    def _why_no_excess(self, injection: Injection) -> str:
        batch = self.truth[injection.handle]
        doubtful = {i.handle for i in self.injections.values() if i.kind in _DOUBTFUL}
        parents = parents_of(batch)
        if any(name not in self.registered or name in doubtful for name, _ in parents):
            return "a parent's analysis does not count"
        taken_kg = sum(float(kg) * (self._facts(name).reo_per_kg or 0.0) for name, kg in parents)
        claimed_kg = float(injection.written) * (self._facts(injection.handle).reo_per_kg or 0.0)
        return "" if exceeds_inputs(claimed_kg, taken_kg) else "within the losses of the process"

    def _why_not_older(self, injection: Injection) -> str:
        own = facts_of({"produced_on": injection.written}).produced_on or 0
        days = [
            self._facts(name).produced_on for name, _ in parents_of(self.truth[injection.handle])
        ]
        older = any(day is not None and made_before(own, day) for day in days)
        return "" if older else "no parent is younger"

    def _facts(self, handle: str) -> LotFacts:
        batch = self.truth[handle]
        skipped = ("handle", "parents")
        return facts_of({n: str(v) for n, v in batch.items() if v and n not in skipped})
