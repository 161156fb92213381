"""What a whole file says about its columns, and the decisions no single row allows.

A misread party name is restored from the rows that give the same party's credit code with a sound
name; a date with two readings follows the file's habit where rows show one.

Invariants: merging is associative and order-free; a decision never changes a value, it only fills
in or withdraws the proposal of a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import reduce

import msgspec

from node.importing.cell_repair import date_habit, read_date, visible
from node.importing.finding_texts import describe
from node.importing.findings import Finding, RowDraft
from node.importing.name_repair import REPLACEMENT, known_misread, misread, unmisread


@dataclass(frozen=True, slots=True)
class ColumnEvidence:
    """Counts gathered by chunk: (credit code, party name) -> rows, and date habit -> rows."""

    parties: Mapping[tuple[str, str], int] = field(default_factory=dict)
    habits: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_chunk(
        cls, parties: Mapping[tuple[str, str], int], dates: Iterable[str]
    ) -> ColumnEvidence:
        """Keep the sound names of the parties and the habits of the dates of a chunk."""
        sound = {
            (uscc, name): count
            for (uscc, name), count in parties.items()
            if name and REPLACEMENT not in name and unmisread(name) is None
        }
        habits = Counter(date_habit(text) for text in dates)
        del habits[""]
        return cls(sound, habits)

    def merge(self, other: ColumnEvidence) -> ColumnEvidence:
        """Return the evidence of both chunks together."""
        return ColumnEvidence(
            Counter(self.parties) + Counter(other.parties),
            Counter(self.habits) + Counter(other.habits),
        )


@dataclass(frozen=True, slots=True)
class FileDecisions:
    """Decisions that hold for every row: party names by credit code, and the one date habit.

    `date_habit` is "" when the file shows none or both; `titles` are the file's column titles.
    """

    name_by_uscc: Mapping[str, str]
    date_habit: str
    titles: Mapping[str, str]


def decide(evidence: Iterable[ColumnEvidence], titles: Mapping[str, str]) -> FileDecisions:
    """Decide once per file from the evidence of all its chunks."""
    merged = reduce(ColumnEvidence.merge, evidence, ColumnEvidence())
    names: dict[str, str] = {}
    for (uscc, name), _ in sorted(merged.parties.items(), key=lambda item: (item[1], item[0])):
        names[uscc] = name
    habit = next(iter(merged.habits)) if len(merged.habits) == 1 else ""
    return FileDecisions(names, habit, titles)


def settle(draft: RowDraft, decisions: FileDecisions) -> RowDraft:
    """Return the draft with its open proposals filled in as the file decided."""
    if all(f.proposed or f.kind not in _OPEN for f in draft.findings):
        return draft
    settled = [_settled(f, draft, decisions) for f in draft.findings]
    return msgspec.structs.replace(draft, findings=settled)


_OPEN = frozenset({"mojibake", "ambiguous_date"})


def _settled(finding: Finding, draft: RowDraft, decisions: FileDecisions) -> Finding:
    if finding.proposed or finding.kind not in _OPEN:
        return finding
    kind, proposed, detail = finding.kind, "", ""
    if kind == "mojibake":
        proposed = _party_name(finding, draft, decisions)
        kind = kind if proposed else "mojibake_lost"
    elif choices := read_date(finding.original, date.max).choices:
        detail = " / ".join(day.isoformat() for day in choices)
        if decisions.date_habit:
            proposed = choices[decisions.date_habit == "day_first"].isoformat()
    return describe(
        kind,
        row=draft.row,
        column=finding.column,
        title=decisions.titles.get(finding.column, finding.column),
        original=finding.original,
        proposed=proposed,
        detail=detail,
    )


def _party_name(finding: Finding, draft: RowDraft, decisions: FileDecisions) -> str:
    """Return the known name that would be misread as this cell, or ""."""
    by_code = decisions.name_by_uscc
    text = visible(finding.original)
    if finding.column == "producer_name":
        own = by_code.get(draft.attributes.get("producer_uscc", ""), "")
        if own and misread(own) == text:
            return own
    return known_misread(text, set(by_code.values()))
