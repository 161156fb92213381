"""What the importer noticed about a row, what follows, and the row as it would be registered.

Invariants: a finding never changes silently: `original` is the text of the file, `proposed` the
text that replaces it (fix: already in the draft; confirm: only after a person agreed to the kind).
All values here are immutable, picklable and msgspec-serialisable, so drafts may be spooled.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import msgspec


class Action(StrEnum):
    """What a finding asks for, mildest first."""

    ACCEPT = "accept"  # legal though odd; the row is taken as it is
    FIX = "fix"  # repaired in the draft, original kept in the finding
    CONFIRM = "confirm"  # a person agrees once per kind and file; until then the row is held
    DEDUPE = "dedupe"  # the row repeats an earlier one and is dropped
    REJECT = "reject"  # the row is refused; the others go on


class Outcome(StrEnum):
    """What happens to a row when the file is imported now."""

    REGISTER = "register"
    HOLD = "hold"
    DUPLICATE = "duplicate"
    REJECT = "reject"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One remark about one cell, or about the row when `column` is "".

    `kind` is stable; `column` is an attribute name, "handle" or "parents"; `zh` and `en` are whole
    sentences for people. In a confirm, `proposed` "" means: accept as written.
    """

    kind: str
    action: Action
    column: str
    original: str
    proposed: str
    zh: str
    en: str


class RowDraft(msgspec.Struct, frozen=True, gc=False):
    """A row after repairs. `row` is the number Excel shows; `parents` are (identifier, kg text).

    `attributes` holds no empty texts, neither the identifier nor the parents; `identifier` is ""
    when none could be read.
    """

    row: int
    identifier: str
    attributes: dict[str, str]
    parents: list[tuple[str, str]]
    findings: list[Finding]


# The row is registered with an open edge although its finding says confirm.
PENDING_EDGE = "broken_parent"
# Kinds whose cell cannot be taken as written: without a proposal the row stays held.
_NEEDS_PROPOSAL = frozenset({"ambiguous_date", "mojibake", "unknown_unit", "missing_unit"})
# Findings the enterprise's compliance officer must see (稀土管理条例 art. 11).
COMPLIANCE_KINDS = frozenset({"ore_to_recycler"})


def outcome(findings: Collection[Finding], confirmed: Collection[str] = ()) -> Outcome:
    """Return what the findings of a row lead to, given the kinds confirmed for the file."""
    if not findings:
        return Outcome.REGISTER
    actions = {f.action for f in findings if f.kind not in confirmed or f.action != Action.CONFIRM}
    if Action.REJECT in actions:
        return Outcome.REJECT
    if Action.DEDUPE in actions:
        return Outcome.DUPLICATE
    held = any(f.action == Action.CONFIRM and not _answered(f, confirmed) for f in findings)
    return Outcome.HOLD if held else Outcome.REGISTER


def _answered(finding: Finding, confirmed: Collection[str]) -> bool:
    if finding.kind == PENDING_EDGE:
        return True
    return finding.kind in confirmed and is_confirmable(finding)


def is_confirmable(finding: Finding) -> bool:
    """Tell whether a row held for this finding goes on once a person confirms its kind."""
    has_answer = bool(finding.proposed) or finding.kind not in _NEEDS_PROPOSAL
    return finding.action == Action.CONFIRM and finding.kind != PENDING_EDGE and has_answer


def confirm_kinds(draft: RowDraft, confirmed: Collection[str]) -> RowDraft:
    """Return the draft with the proposals of the confirmed kinds put in; the findings stay."""
    accepted = {
        f.column: f.proposed
        for f in draft.findings
        if f.action == Action.CONFIRM and f.kind in confirmed and f.proposed
    }
    accepted.pop("parents", None)
    if not accepted:
        return draft
    return msgspec.structs.replace(draft, attributes={**draft.attributes, **accepted})


def with_findings(draft: RowDraft, more: Collection[Finding]) -> RowDraft:
    """Return the draft with further findings added at the end."""
    return msgspec.structs.replace(draft, findings=[*draft.findings, *more]) if more else draft
