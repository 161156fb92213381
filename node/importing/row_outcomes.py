"""What became of a row once the register has spoken, and how it is counted: pure."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from node.domain.record import decode_content, same_business_facts
from node.errors import AlreadyRegistered
from node.importing.findings import Finding, is_confirmable
from node.importing.job_state import Progress
from node.importing.prepare import RowOutcome
from node.registration.requests import ItemResult


def settled(outcome: RowOutcome, result: ItemResult, *, own: Container[str] = ()) -> RowOutcome:
    """Return a row's outcome after its record was stored, or met one that exists already.

    `own`: identifiers that an earlier run of this very file registered.
    """
    if result.outcome == "registered":
        return outcome
    if result.outcome == "duplicate":
        # The second run of a file meets its own rows: they are registered, not repeated.
        return outcome if outcome.identifier in own else _repeated(outcome)
    fields = [problem.field for problem in result.problems]
    return msgspec.structs.replace(
        outcome,
        state="reject",
        code=result.code,
        zh=result.zh + (":" + "、".join(fields) if fields else ""),
        en=result.en + (": " + ", ".join(fields) if fields else ""),
    )


def comes_from(content: bytes, file_ref: str) -> bool:
    """Tell whether a stored record was made of a row of the file with this reference."""
    return decode_content(content).source.ref.startswith(f"{file_ref}#")


def compared(outcome: RowOutcome, content: bytes, registered: bytes) -> RowOutcome:
    """Return what would become of a row whose identifier is registered (dry run)."""
    if same_business_facts(decode_content(content), decode_content(registered)):
        return _repeated(outcome)
    error = AlreadyRegistered()
    return msgspec.structs.replace(
        outcome, state="reject", code=error.code, zh=error.zh, en=error.en
    )


def _repeated(outcome: RowOutcome) -> RowOutcome:
    return msgspec.structs.replace(outcome, state="duplicate", code="already_registered")


def count_into(progress: Progress, outcomes: Iterable[RowOutcome]) -> None:
    """Add rows to the counts: rows = registered + duplicates + rejected + pending."""
    for outcome in outcomes:
        match outcome.state:
            case "registered":
                progress.registered += 1
            case "pending_parents":
                progress.registered += 1
                progress.pending_parents += 1
            case "duplicate":
                progress.duplicates += 1
            case "hold":
                progress.pending += 1
                _count_kinds(progress.confirmable, filter(is_confirmable, outcome.findings))
            case _:
                progress.rejected += 1
        _count_kinds(progress.findings, outcome.findings)
        progress.phase_done += 1


def _count_kinds(counts: dict[str, int], findings: Iterable[Finding]) -> None:
    for finding in findings:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
