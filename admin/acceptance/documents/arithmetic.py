"""Check that a report's sums close before any paper shows them.

The papers print sums with their parts beside them; a report that contradicts itself makes none.
"""

from __future__ import annotations

from admin.acceptance.report import Comparison, Report, Verdict
from node.errors import IntegrityFailure


def check_sums(report: Report) -> None:
    """Raise IntegrityFailure when a sum does not close or a verdict does not follow."""
    for verdict in report.verdicts:
        _check_verdict(verdict)
    states = {verdict.state for verdict in report.verdicts}
    if report.state == "met" and states != {"met"}:
        raise _contradiction("state")
    total, less = report.registrations.total, report.registrations.deductions
    invalid = less.test + less.revoked + less.placeholder + less.repeated_content
    steps = (
        ("R1", total.r0 - less.duplicates, total.r1),
        ("R2", total.r1 - invalid, total.r2),
        ("R3", total.r2 - less.refused_by_peer - less.unacknowledged, total.r3),
    )
    for name, worked_out, stated in steps:
        if worked_out != stated:
            raise _contradiction(name)
    found = report.resolutions
    classes = sum(one.count for one in found.by_class)
    counted = sum(one.count for one in found.by_class if one.is_counted)
    left = (found.gross - classes) or (found.net - counted)
    if found.gross - found.deducted != found.net or (left and not found.difference):
        raise _contradiction("N")


def contradictions(report: Report) -> list[Comparison]:
    """Return the comparisons that differ in a way which withdraws the verdicts."""
    return [one for one in report.comparisons if one.difference and one.withdraws]


def _check_verdict(verdict: Verdict) -> None:
    is_ceiling = verdict.subject == "sync"
    margin = verdict.target - verdict.value if is_ceiling else verdict.value - verdict.target
    if is_ceiling and verdict.value < 0:
        margin = -verdict.target  # Nothing was measured: as far from the target as can be.
    if verdict.margin != margin or (verdict.state == "met" and margin < 0):
        raise _contradiction(verdict.subject)
    if verdict.state == "met" and is_ceiling and verdict.value < 0:
        raise _contradiction(verdict.subject)


def _contradiction(what: str) -> IntegrityFailure:
    return IntegrityFailure(
        f"报告自相矛盾：{what} 与其组成不符", f"The report contradicts itself: {what}"
    )
