"""The names under which the project file may enter texts and rows, and which texts are limited.

What a person enters under another name would stand in no paper: the project file refuses it.
"""

from __future__ import annotations

from admin.acceptance.documents.form_rows import GOAL_SUFFIX, indicator_names

LONGEST = 200
# 附件10 gives these fields 200 characters each; the labels are the form's.
LIMITED = {
    "plan": "申报时的主要内容及实施进度计划",
    "plan_done": "项目主要内容及实施情况：完成情况",
    "goals": "申报时的目标及预计经济效益分析",
    "goals_done": "项目目标和效益：完成情况",
}
FORM_TEXTS = (*LIMITED, "planned_investment", "actual_investment", "audit_report", "vouchers")
_REPORT_TEXTS = (
    "drills",
    "security_level",
    "security_access",
    "security_data",
    "security_code",
    "security_application",
    "security_rights",
)


def known_texts() -> frozenset[str]:
    """Return the names that `[forms]` of the project file may have."""
    return frozenset((*FORM_TEXTS, *_REPORT_TEXTS))


def known_indicators() -> frozenset[str]:
    """Return the names that `[indicators]` may have: rows of 附件9, and their targets."""
    names = indicator_names()
    return frozenset((*names, *(name + GOAL_SUFFIX for name in names)))
