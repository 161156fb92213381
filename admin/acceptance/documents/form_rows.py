"""Fill the rows of 附件9 项目建设绩效目标表: what a person entered, else a figure, else evidence.

The rows, in the form's own wording and order, and what fills them are data: `form_rows.json`.
Invariants: a value that a person entered is never replaced; a row that nothing fills says 「无」; a
figure is taken whole from the report; nothing is graded here.
"""

from __future__ import annotations

from importlib.resources import files
from string import Formatter

import msgspec

from admin.acceptance.documents import notation
from admin.acceptance.documents.arithmetic import contradictions
from admin.acceptance.documents.language import chinese
from admin.acceptance.documents.names import SOURCES, name_of
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Report

NONE = "无"
GOAL_SUFFIX = "/目标"


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one row is filled: `target` and `done` write a bare number with its sign and unit."""

    group: tuple[str, str]
    label: str
    target: str
    done: str
    goal: str = ""
    figure: str = ""
    evidence: str = ""


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    rows: tuple[_Rule, ...]


class FormRow(msgspec.Struct, frozen=True):
    """One filled row: 一级指标, 二级指标, 三级指标, 预期指标目标值, 指标完成情况."""

    first: str
    second: str
    third: str
    target: str
    done: str


def form_title() -> str:
    """Return the heading of 附件9."""
    return _rules().title


def indicator_names() -> tuple[str, ...]:
    """Return the names under which the project file may enter values, in the form's order.

    `name` enters 指标完成情况, `name` + GOAL_SUFFIX enters 预期指标目标值.
    """
    return tuple(_name(rule) for rule in _rules().rows)


def fill_rows(report: Report) -> tuple[FormRow, ...]:
    """Return all rows of 附件9 with both columns filled."""
    entered, figures = report.project.indicators, _figures(report)
    return tuple(
        FormRow(
            first=rule.group[0],
            second=rule.group[1],
            third=rule.label,
            target=_first(
                _with_unit(entered.get(_name(rule) + GOAL_SUFFIX, ""), rule.target),
                _with_unit(_filled(rule.goal, figures), rule.target),
            ),
            done=_first(
                _with_unit(entered.get(_name(rule), ""), rule.done),
                _with_unit(_filled(rule.figure, figures), rule.done),
                _filled(rule.evidence, figures),
            ),
        )
        for rule in _rules().rows
    )


def _rules() -> _Rules:
    data = files("admin.acceptance.documents").joinpath("form_rows.json").read_bytes()
    return msgspec.json.decode(data, type=_Rules)


def _name(rule: _Rule) -> str:
    """Return the label without 指标n: and the full stop that one row of the form has."""
    return rule.label.rpartition(":")[2].rstrip("。")


def _first(*texts: str) -> str:
    return next((text for text in texts if text), NONE)


def _with_unit(text: str, form: str) -> str:
    """Write a bare number with the sign and unit of its column; any other text stays."""
    text = printable(text).strip()
    is_number = text.replace(".", "", 1).replace(",", "").isdecimal()
    return form.format(text) if is_number else text


def _filled(template: str, figures: dict[str, str]) -> str:
    """Fill a template; "" when a figure that it names does not exist."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    return template.format(**figures) if all(figures[name] for name in names) else ""


def _figures(report: Report) -> dict[str, str]:
    """Return every figure that a template may name, as it is written; "" for one not there."""
    registered, sync = report.registrations, report.sync
    limits, forms = report.project.thresholds, report.project.forms
    equipment = [one.r3 for one in registered.by_class if one.key == "equipment"]
    days = [day.key for day in registered.by_day]
    sources = [name_of(SOURCES, one.key, chinese) for one in registered.by_source]
    return {
        "equipment": notation.count(equipment[0]) if equipment else "",
        "sources": "、".join(sources),
        "planned_investment": printable(forms.get("planned_investment", "")),
        "actual_investment": printable(forms.get("actual_investment", "")),
        "failure_share": report.availability.failure_share,
        "availability_share": report.availability.share if report.availability.minutes else "",
        "first_day": min(days, default=""),
        "as_of": notation.moment(report.log.as_of)[:10],
        "registrations_goal": notation.ten_thousands(limits.registrations),
        "registrations": notation.ten_thousands(registered.total.r3),
        "resolutions_goal": notation.ten_thousands(limits.resolutions),
        "resolutions": notation.ten_thousands(report.resolutions.net),
        "lag_goal": notation.plain_seconds(limits.lag_p95_ms),
        "lag": notation.plain_seconds(sync.online.p95_ms) if sync.online.p95_ms >= 0 else "",
        "acknowledged_share": sync.acknowledged_share,
        "success_share": report.resolutions.success_share,
        "integrity": "未通过" if contradictions(report) else "通过" if report.comparisons else "",
        "secondary_difference": _difference_from_peer(report),
    }


def _difference_from_peer(report: Report) -> str:
    """Return how many records differ; without a comparison one by one, the largest difference."""
    rows = {one.key: one.difference for one in report.comparisons if one.other == "secondary"}
    if not rows:
        return ""
    return notation.count(rows.get("reconciled", max(abs(number) for number in rows.values())))
