"""The three cells 状态, 原因 and 建议 for what became of a row."""

from __future__ import annotations

from node.importing.findings import Action
from node.importing.prepare import RowOutcome
from node.importing.result_file import RowResult

STATES = {
    "registered": "已登记",
    "pending_parents": "已登记(待上级批次)",
    "duplicate": "重复",
    "hold": "待确认",
    "reject": "退回",
}


def row_result(outcome: RowOutcome) -> RowResult:
    """Return the cells to add to a row of the result file."""
    reasons = [finding.zh for finding in outcome.findings]
    if outcome.zh:
        reasons.append(outcome.zh)
    elif outcome.code == "already_registered":
        reasons.append("该标识此前已登记,内容相同")
    proposals = [
        f"{finding.original} → {finding.proposed}"
        for finding in outcome.findings
        if finding.proposed and finding.action in (Action.CONFIRM, Action.FIX, Action.REJECT)
    ]
    return RowResult(outcome.row, STATES[outcome.state], ";".join(reasons), ";".join(proposals))
