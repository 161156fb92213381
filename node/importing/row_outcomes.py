"""What became of a row once the register has spoken, and how it is counted: pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from node.domain.record import decode_content, same_business_facts
from node.errors import AlreadyRegistered
from node.importing.job_state import ImportOptions, Progress
from node.importing.prepare import RowOutcome
from node.registration.requests import ItemResult


def settled(outcome: RowOutcome, result: ItemResult, options: ImportOptions) -> RowOutcome:
    """Return a row's outcome after its record was stored, or met one that exists already."""
    if result.outcome == "registered":
        return outcome
    if result.outcome == "duplicate":
        # The second run of a file meets its own rows: they are registered, not repeated.
        return outcome if options.second_run else _repeated(outcome)
    fields = [problem.field for problem in result.problems]
    return msgspec.structs.replace(
        outcome,
        state="reject",
        code=result.code,
        zh=result.zh + (":" + "、".join(fields) if fields else ""),
        en=result.en + (": " + ", ".join(fields) if fields else ""),
    )


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
            case _:
                progress.rejected += 1
        for finding in outcome.findings:
            progress.findings[finding.kind] = progress.findings.get(finding.kind, 0) + 1
        progress.phase_done += 1
