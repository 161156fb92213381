"""Judge the rows of one file against each other and against the register.

Two passes in file order: `survey` every chunk's analysis, look up `unknown_parents()` in the
register, `conclude`, then `judge` every draft again (spooled or analysed anew: the same result).

Invariants: the order of rows does not decide what is accepted, except that the first of two
contradicting rows is kept; a confirmed kind only lifts findings of that kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from node.domain.lot_facts import LotFacts, facts_of
from node.importing.chunk_analysis import ChunkAnalysis
from node.importing.column_evidence import ColumnEvidence, FileDecisions, decide, settle
from node.importing.duplicates import Duplicates, difference
from node.importing.finding_texts import describe
from node.importing.findings import (
    Finding,
    Outcome,
    RowDraft,
    confirm_kinds,
    outcome,
    with_findings,
)
from node.importing.genealogy import Genealogy, Verdict
from node.importing.row_notes import titles_of
from node.importing.table_shape import TableShape

_STATES = {Outcome.REGISTER: "stands", Outcome.HOLD: "held", Outcome.REJECT: "refused"}


class FileReview:
    """The state of one file between the two passes: about 600 bytes for each lot."""

    def __init__(self, shape: TableShape, *, confirmed: Collection[str] = ()) -> None:
        """Start a review; `confirmed`: finding kinds a person agreed to for this file."""
        self._titles = titles_of(shape.columns)
        self._confirmed = frozenset(confirmed)
        self._evidence = ColumnEvidence()
        self._decisions: FileDecisions = decide((), self._titles)
        self._duplicates = Duplicates()
        self._genealogy = Genealogy()
        self._verdicts: dict[str, list[Verdict]] = {}
        self._undecided: list[RowDraft] = []
        self._kept: dict[int, RowDraft] = {}

    def survey(self, analysis: ChunkAnalysis) -> None:
        """Take in one chunk's analysis (first pass)."""
        self._evidence = self._evidence.merge(analysis.evidence)
        for draft, facts in zip(analysis.drafts, analysis.facts, strict=True):
            if not draft.identifier:
                continue
            if not draft.findings:
                if self._duplicates.claim(draft):
                    self._genealogy.add(draft.identifier, facts, draft.parents, state="stands")
                continue
            self._survey_odd(draft, facts)

    def _survey_odd(self, draft: RowDraft, facts: LotFacts) -> None:
        agreed = confirm_kinds(draft, self._confirmed)
        state = _STATES[outcome(draft.findings, self._confirmed)]
        if agreed is not draft and state == "stands":
            facts = facts_of(agreed.attributes)
        if state == "refused":
            self._duplicates.compare(agreed)
        elif not self._duplicates.claim(agreed):
            return
        if state == "held" and self._confirmed:
            self._undecided.append(draft)
        self._genealogy.add(draft.identifier, facts, draft.parents, state=state)

    def unknown_parents(self) -> list[str]:
        """Return the parents no row of the file provides, to be looked up in the register."""
        return self._genealogy.unknown_parents()

    def conclude(
        self,
        registered: Mapping[str, LotFacts],
        taken_kg: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """End the first pass.

        `registered`: facts of the unknown parents the register knows; `taken_kg`: what their
        registered children took of them, where known.
        """
        self._decisions = decide([self._evidence], self._titles)
        self._lift_decided()
        self._verdicts = self._genealogy.judge(registered, taken_kg)

    def _lift_decided(self) -> None:
        """Let lots stand whose confirmed proposal only the whole file could make."""
        for draft in self._undecided:
            agreed = confirm_kinds(settle(draft, self._decisions), self._confirmed)
            if self.outcome(agreed) is Outcome.REGISTER:
                facts = facts_of(agreed.attributes)
                # Its edges are there since the first pass.
                self._genealogy.add(agreed.identifier, facts, (), state="stands")

    def open_parents(self) -> dict[str, tuple[str, ...]]:
        """Return, after `conclude`, the open edges of each lot that may be registered now."""
        return self._genealogy.open_parents()

    def adds_nothing(self, row: int, identifier: str) -> bool:
        """Tell whether `judge` would return a draft without findings of its own unchanged."""
        return identifier not in self._verdicts and not self._duplicates.concerns(row)

    def judge(self, draft: RowDraft) -> RowDraft:
        """Return the draft with every finding and confirmed proposals put in (second pass)."""
        if draft.findings:
            draft = confirm_kinds(settle(draft, self._decisions), self._confirmed)
        findings = self._about_duplicates(draft)
        repeated = any(f.kind != "dup_conflict_first" for f in findings)
        refused = outcome(draft.findings, self._confirmed) == Outcome.REJECT
        if not (repeated or refused):
            findings += [
                self._describe(draft, v.kind, "parents", v.detail)
                for v in self._verdicts.get(draft.identifier, ())
            ]
        return with_findings(draft, findings)

    def outcome(self, judged: RowDraft) -> Outcome:
        """Return what happens to a judged row."""
        return outcome(judged.findings, self._confirmed)

    def _about_duplicates(self, draft: RowDraft) -> list[Finding]:
        row = draft.row
        if (later := self._duplicates.contradicted_by(row)) is not None:
            self._kept[row] = draft
            return [self._describe(draft, "dup_conflict_first", "handle", str(later))]
        if (first := self._duplicates.repeats(row)) is not None:
            return [self._describe(draft, "dup_exact", "handle", str(first))]
        if (first := self._duplicates.contradicts(row)) is not None:
            kept = self._kept.get(first)
            shown = f" ({difference(kept, draft)})" if kept else ""
            return [self._describe(draft, "dup_conflict", "handle", f"{first}{shown}")]
        return []

    def _describe(self, draft: RowDraft, kind: str, column: str, detail: str) -> Finding:
        return describe(
            kind,
            row=draft.row,
            column=column,
            title=self._titles.get(column, column),
            original=draft.identifier if column == "handle" else "",
            detail=detail,
        )
