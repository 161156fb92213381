"""Write `data.xlsx`: the report's tables in ten sheets, for checking and counting again.

Invariants: counts are numbers, everything else is text and never a formula; rows are written once,
in order, so memory stays constant; the same report gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import xlsxwriter

from admin.acceptance.documents import figures, notation
from admin.acceptance.documents.language import chinese
from admin.acceptance.documents.names import (
    CHANNELS,
    CLASS_RULES,
    CLASSES,
    COMPARED,
    COMPARED_WITH,
    OBJECT_CLASSES,
    OUTCOMES,
    RESULTS,
    SOURCES,
    STATES,
    SUBJECTS,
    name_of,
)
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Lag, Outage, Registered, Report
from node.importing.result_file import formula_safe

Cell = str | int
_LONGEST_CELL = 32_767
_ROW_POINTS = 18
_COMPARED_HEADS = (
    "项目 Item", "对照方 With", "本节点 Node", "对照值 Other", "差异 Difference", "说明 Remark",
)  # fmt: skip
_SAMPLE_HEADS = (
    "序号 No.", "日志序号 Index", "标识 Identifier", "来源单据 Document",
    "登记时间 Registered", "结果 Result", "解析时间 Resolved", "应答 SHA-256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One sheet: heads, the widths of its columns in characters, rows."""

    name: str
    heads: tuple[str, ...]
    widths: tuple[int, ...]
    rows: Iterable[tuple[Cell, ...]]


def write_workbook(report: Report, path: Path, made: datetime) -> None:
    """Write the workbook; `made` is its date."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        author = printable(report.project.applicant)
        book.set_properties({"title": "验收数据", "author": author, "created": made})
        look = {"bold": True, "bottom": 1, "bg_color": "#F5F6F7"}
        head, number_head = book.add_format(look), book.add_format({**look, "align": "right"})
        whole = book.add_format({"num_format": "#,##0"})
        for one in _sheets(report):
            sheet = book.add_worksheet(one.name)
            sheet.set_default_row(_ROW_POINTS)
            sheet.freeze_panes(1, 0)
            for column, width in enumerate(one.widths):
                sheet.set_column(column, column, width)
            rows = iter(one.rows)
            first = next(rows, ())
            for column, title in enumerate(one.heads):
                is_number = column < len(first) and isinstance(first[column], int)
                sheet.write_string(0, column, title, number_head if is_number else head)
            for row, cells in enumerate(chain([first], rows), start=1):
                for column, cell in enumerate(cells):
                    if isinstance(cell, int):
                        sheet.write_number(row, column, cell, whole)
                    else:
                        sheet.write_string(row, column, _text(cell))
            sheet.set_paper(9)
            sheet.fit_to_pages(1, 0)
            sheet.repeat_rows(0)


def _text(text: str) -> str:
    return formula_safe(printable(text))[:_LONGEST_CELL]


def _sheets(report: Report) -> Iterator[_Sheet]:
    found = report.resolutions
    yield _Sheet("汇总", ("项目 Item", "数值 Value", "说明 Remark"), (34, 24, 60), _summary(report))
    levels = ("R0", "R1", "R2", "R3")
    yield _Sheet(
        "注册按日",
        ("日期 Date", *levels),
        (24, 12, 12, 12, 12),
        (_levels(day.key, day) for day in report.registrations.by_day),
    )
    yield _Sheet(
        "解析按小时",
        ("小时（北京时间） Hour", "G", "N"),
        (26, 12, 12),
        ((notation.hour(one.key), one.gross, one.net) for one in found.by_hour),
    )
    yield _Sheet("渠道", ("分组 Group", "名称 Name", "G", "N"), (16, 34, 12, 12), _channels(report))
    yield _Sheet(
        "客户端分布",
        ("来源假名 Client pseudonym", "G", "N"),
        (40, 12, 12),
        ((one.key, one.gross, one.net) for one in found.by_clients),
    )
    lags = ("条数 Changes", "P50（毫秒）", "P95（毫秒）", "P99（毫秒）", "最大（毫秒） Max")
    yield _Sheet("同步时延", ("日期 Date", *lags), (26, 14, 14, 14, 14, 18), _lags(report))
    yield _Sheet("对账", _COMPARED_HEADS, (24, 16, 34, 34, 16, 50), _comparisons(report))
    yield _Sheet("抽样", _SAMPLE_HEADS, (10, 14, 40, 26, 22, 12, 22, 66), _samples(report))
    heads = ("类型 Kind", "开始 From", "结束 Until", "分钟 Minutes", "变更 Changes")
    yield _Sheet("故障与可用率", heads, (30, 24, 24, 16, 16), _failures(report))
    yield _Sheet("规则", ("项目 Item", "内容 Content"), (34, 90), _rules(report))


def _levels(name: str, row: Registered) -> tuple[Cell, ...]:
    return name, row.r0, row.r1, row.r2, row.r3


def _summary(report: Report) -> Iterator[tuple[Cell, ...]]:
    one = report.project
    yield "项目名称 Project", one.name
    yield "申报单位 Applicant", one.applicant
    yield "前缀 Prefixes", "、".join(one.prefixes)
    yield "二级节点 Secondary node", one.sln
    yield "许可证号 Licence", one.licence
    yield "合同编号 Contract", one.contract
    yield "截至（北京时间） As of", notation.moment(report.log.as_of)
    yield "日志条目 Log entries", report.log.size
    yield "日志根 Log root", report.log.root
    for verdict in report.verdicts:
        name = name_of(SUBJECTS, verdict.subject, chinese)
        unit = "（P95，毫秒）" if verdict.subject == "sync" else ""
        yield name + unit, verdict.value, name_of(STATES, verdict.state, chinese)
        yield f"{name}目标{unit}", verdict.target
    total, less = report.registrations.total, report.registrations.deductions
    yield "R0 全部登记事件", total.r0
    yield "− 重复登记事件", less.duplicates
    yield "R1 去重标识", total.r1
    yield "− 测试前缀", less.test
    yield "− 作废", less.revoked
    yield "− 空白或占位记录", less.placeholder
    yield "− 内容重复过多", less.repeated_content
    yield "R2 有效标识", total.r2
    yield "− 被二级节点拒收", less.refused_by_peer
    yield "− 待回执", less.unacknowledged
    yield "R3 已同步有效标识（申报数）", total.r3
    for row in report.registrations.by_class:
        yield f"对象类别 {name_of(OBJECT_CLASSES, row.key, chinese)}，R3", row.r3
    for row in report.registrations.by_source:
        yield f"来源 {name_of(SOURCES, row.key, chinese)}，R3", row.r3
    found = report.resolutions
    yield "G 全部解析请求", found.gross
    for deducted in figures.deductions(report):
        yield f"− {name_of(CLASSES, deducted.key, chinese)}", deducted.count
    yield "N 净解析量（申报数）", found.net
    yield "差额 Difference", found.difference
    yield "不同来源 Clients", found.clients
    yield "最大来源占比 Top client", notation.share(found.top_client_share)
    yield "最大十个来源占比 Top ten", notation.share(found.top_ten_share)
    yield "不同标识 Identifiers", found.identifiers
    yield "结算单 Statements", found.statements
    yield "更正 Corrections", found.corrections
    yield "未能记录 Dropped", found.dropped


def _channels(report: Report) -> Iterator[tuple[Cell, ...]]:
    found = report.resolutions
    for one in found.by_channel:
        yield "渠道 Channel", name_of(CHANNELS, one.key, chinese), one.gross, one.net
    for outcome in found.by_outcome:
        yield "结果 Outcome", name_of(OUTCOMES, outcome.key, chinese), outcome.gross, outcome.net
    for kind in found.by_class:
        name = name_of(CLASSES, kind.key, chinese)
        yield "类别 Class", name, kind.count, kind.count if kind.is_counted else 0


def _lags(report: Report) -> Iterator[tuple[Cell, ...]]:
    sync, limits = report.sync, report.project.thresholds
    yield _lag("对端在线期间 online", sync.online)
    yield _lag("对端离线期间 offline", sync.offline)
    yield "限值 limit", "", "", limits.lag_p95_ms, limits.lag_p99_ms, limits.lag_max_ms
    for day in sync.by_day:
        yield _lag(day.key, day)


def _lag(name: str, lag: Lag) -> tuple[Cell, ...]:
    values = (lag.p50_ms, lag.p95_ms, lag.p99_ms, lag.max_ms)
    return name, lag.count, *(value if value >= 0 else "" for value in values)


def _comparisons(report: Report) -> Iterator[tuple[Cell, ...]]:
    for one in report.comparisons:
        yield (
            name_of(COMPARED, one.key, chinese),
            name_of(COMPARED_WITH, one.other, chinese),
            one.node_value,
            one.other_value,
            one.difference,
            one.remark.zh,
        )


def _samples(report: Report) -> Iterator[tuple[Cell, ...]]:
    if report.spot_check is None:
        return
    for item in report.spot_check.items:
        yield (
            item.number,
            item.index,
            item.identifier,
            item.document,
            notation.moment(item.registered_at),
            name_of(RESULTS, item.result, chinese),
            notation.moment(item.resolved_at),
            item.answer_sha256,
        )


def _failures(report: Report) -> Iterator[tuple[Cell, ...]]:
    found = report.availability
    yield "统计时长 observed", "", "", found.minutes
    yield "不可用 not available", "", "", found.unavailable_minutes
    yield "可用率 availability", notation.share(found.share)
    yield "失败的解析 failed look-ups", found.failed_lookups
    for one in found.interruptions:
        yield _outage("节点中断 interruption", one)
    for one in report.sync.outages:
        yield _outage("二级节点离线 peer offline", one)


def _outage(name: str, one: Outage) -> tuple[Cell, ...]:
    return name, notation.moment(one.begins), notation.moment(one.ends), one.minutes, one.changes


def _rules(report: Report) -> Iterator[tuple[Cell, ...]]:
    used = report.rules
    yield "规则版本 Version", used.version
    yield "规则文件 SHA-256", used.digest
    yield "结算单所用版本 Used", "、".join(str(version) for version in used.used)
    yield "重新计数 Recounted", "是 yes" if used.recounted else "否 no"
    for kind in report.resolutions.by_class:
        counted = "计入" if kind.is_counted else "不计"
        rule = name_of(CLASS_RULES, kind.key, chinese)
        yield name_of(CLASSES, kind.key, chinese), f"{counted}：{rule}"
