"""Sections 3 and 4: registrations R0 to R3, and resolutions G less deductions = N."""

from __future__ import annotations

from collections.abc import Iterable

from admin.acceptance.documents import figures, notation
from admin.acceptance.documents.language import Say
from admin.acceptance.documents.names import (
    CHANNELS,
    CLASSES,
    OBJECT_CLASSES,
    OUTCOMES,
    SOURCES,
    name_of,
)
from admin.acceptance.documents.paper import (
    Block,
    Column,
    Facts,
    Heading,
    Paragraph,
    Row,
    RowKind,
    Section,
    Table,
)
from admin.acceptance.report import Registered, Report


def registrations(report: Report, say: Say) -> Section:
    """Write section 3."""
    found = report.registrations
    blocks: list[Block] = [figures.registration_levels(report, say), _ledger(report, say)]
    if found.total.r0:
        by_day = ((day.key, day) for day in found.by_day)
        classes = ((name_of(OBJECT_CLASSES, one.key, say), one) for one in found.by_class)
        sources = ((name_of(SOURCES, one.key, say), one) for one in found.by_source)
        blocks += [
            Heading(say("按日", "By day")),
            figures.registrations_by_day(report, say),
            Paragraph(_busiest(report, say), "quiet"),
            _levels(say("日期", "Date"), by_day, say("逐日数字", "Figures by day")),
            Heading(say("按对象类别", "By class of object")),
            _levels(say("类别", "Class"), classes),
            Heading(say("按来源", "By source")),
            _levels(say("来源", "Source"), sources),
        ]
    blocks.append(Paragraph(_apart(report, say), "quiet"))
    return Section(3, say("标识注册", "Registrations"), tuple(blocks))


def _ledger(report: Report, say: Say) -> Table:
    total, less = report.registrations.total, report.registrations.deductions
    rows = (
        _sum(say("R0 全部登记事件", "R0 registration events"), total.r0),
        _minus(
            say("同一标识的重复登记事件", "repeated registrations of one identifier"),
            less.duplicates,
        ),
        _sum(say("R1 去重标识", "R1 distinct identifiers"), total.r1),
        _minus(say("测试前缀", "test prefix"), less.test),
        _minus(say("作废", "revoked"), less.revoked),
        _minus(say("空白或占位记录", "empty or placeholder records"), less.placeholder),
        _minus(say("内容重复过多", "content repeated too often"), less.repeated_content),
        _sum(say("R2 有效标识", "R2 valid identifiers"), total.r2),
        _minus(
            say("被二级节点拒收，待处理", "refused by the secondary node"), less.refused_by_peer
        ),
        _minus(say("待回执", "not yet acknowledged"), less.unacknowledged),
        Row(
            (
                say("R3 已同步有效标识（申报数）", "R3 synchronised valid identifiers (the claim)"),
                notation.count(total.r3),
            ),
            *_claim_style(report, "registrations"),
        ),
    )
    return Table(
        (Column(say("口径", "Figure")), Column(say("数量（个）", "Number"), "right")), rows
    )


def _claim_style(report: Report, subject: str) -> tuple[RowKind, str]:
    return ("claim", "qn") if figures.is_reached(report, subject) else ("sum", "qx")


def _sum(name: str, number: int) -> Row:
    return Row((name, notation.count(number)), "sum")


def _minus(name: str, number: int, mark: str = "") -> Row:
    return Row((name, notation.minus(number)), "minus", mark)


def _busiest(report: Report, say: Say) -> str:
    found = report.registrations
    portion = notation.share(found.busiest_day_share)
    return say(
        f"登记最多的一天是 {found.busiest_day}，占去重标识的 {portion}。全部逐日数字见 data.xlsx。",
        f"The busiest day is {found.busiest_day} with {portion} of the distinct identifiers. "
        "data.xlsx holds all days.",
    )


def _levels(title: str, rows: Iterable[tuple[str, Registered]], folded: str = "") -> Table:
    columns = (Column(title), *(Column(name, "right") for name in ("R0", "R1", "R2", "R3")))
    return Table(
        columns,
        tuple(
            Row((name, *(notation.count(number) for number in (r.r0, r.r1, r.r2, r.r3))))
            for name, r in rows
        ),
        folded,
    )


def _apart(report: Report, say: Say) -> str:
    found = report.registrations
    suspended, changes = notation.count(found.suspended), notation.count(found.changes)
    return say(
        f"暂停中的标识 {suspended} 个，仍计入；更正等变更 {changes} 次，不计为登记。"
        "只预留而未登记的标识不在任何数字之内。",
        f"{suspended} identifiers are suspended and still counted; {changes} changes are not "
        "registrations. Identifiers that are only reserved are in no figure.",
    )


def resolutions(report: Report, say: Say) -> Section:
    """Write section 4."""
    found = report.resolutions
    blocks: list[Block] = [
        figures.resolution_parts(report, say),
        _deductions(report, say),
        Paragraph(_equation(report, say), "bad" if found.difference else "plain"),
    ]
    if found.gross:
        blocks += _details(report, say)
    else:
        blocks.append(Paragraph(say("没有解析事件。", "There are no look-ups."), "quiet"))
    return Section(4, say("标识解析", "Resolutions"), tuple(blocks))


def _details(report: Report, say: Say) -> list[Block]:
    found = report.resolutions
    both = (Column("G", "right"), Column("N", "right"))
    by_day = tuple(Row((day.key, *_both(day.gross, day.net))) for day in found.by_day)
    outcomes = tuple(
        Row((name_of(OUTCOMES, one.key, say), *_both(one.gross, one.net)))
        for one in found.by_outcome
    )
    return [
        Heading(say("按渠道", "By channel")),
        _channels(report, say),
        Heading(say("来源与分布", "Clients and spread")),
        _spread(report, say),
        figures.week(report, say),
        figures.resolutions_by_day(report, say),
        Table((Column(say("日期", "Date")), *both), by_day, say("逐日数字", "Figures by day")),
        Heading(say("按结果", "By outcome")),
        Table((Column(say("结果", "Outcome")), *both), outcomes),
    ]


def _both(gross: int, net: int) -> tuple[str, str]:
    return notation.count(gross), notation.count(net)


def _deductions(report: Report, say: Say) -> Table:
    found = report.resolutions
    rows = [_sum(say("G 全部解析请求", "G all look-ups"), found.gross)]
    rows += [
        _minus(name_of(CLASSES, one.key, say), one.count, f"q{place % 7 + 1}")
        for place, one in enumerate(figures.deductions(report))
    ]
    claim = say("N 净解析量（申报数）", "N net resolutions (the claim)")
    rows.append(Row((claim, notation.count(found.net)), *_claim_style(report, "resolutions")))
    rows += [
        Row((say("其中 ", "of these ") + name_of(CLASSES, one.key, say), notation.count(one.count)))
        for one in found.by_class
        if one.is_counted
    ]
    return Table(
        (Column(say("类别", "Class")), Column(say("次数", "Number"), "right")), tuple(rows)
    )


def _equation(report: Report, say: Say) -> str:
    found = report.resolutions
    gross, deducted, net = (
        notation.count(number) for number in (found.gross, found.deducted, found.net)
    )
    left = notation.count(found.difference)
    return f"{gross} − {deducted} = {net}{say('，差额 ', ', difference ')}{left}"


def _channels(report: Report, say: Say) -> Table:
    found = report.resolutions
    most = max((one.net for one in found.by_channel), default=0) or 1
    ordered = sorted(found.by_channel, key=lambda one: (-one.net, one.key))
    rows = tuple(
        Row((name_of(CHANNELS, one.key, say), f"{one.net / most:.4f}", *_both(one.gross, one.net)))
        for one in ordered
    )
    return Table(
        (
            Column(say("渠道", "Channel")),
            Column("", "bar"),
            Column("G", "right"),
            Column("N", "right"),
        ),
        rows,
    )


def _spread(report: Report, say: Say) -> Facts:
    found = report.resolutions
    top = notation.count(found.top_client_count)
    ten = notation.count(found.top_ten_count)
    rows = (
        (say("不同来源（N）", "Distinct clients (N)"), notation.count(found.clients)),
        (
            say("最大来源", "Largest client"),
            f"{top}{say('，占 ', ', ')}{notation.share(found.top_client_share)}",
        ),
        (
            say("最大十个来源", "Ten largest clients"),
            f"{ten}{say('，占 ', ', ')}{notation.share(found.top_ten_share)}",
        ),
        (
            say("被解析的不同标识（N）", "Distinct identifiers resolved (N)"),
            notation.count(found.identifiers),
        ),
        (say("有净解析的天数", "Days with any"), notation.count(found.days_with_any)),
        (say("解析成功率", "Share answered"), notation.share(found.success_share)),
        (
            say("小时结算单与更正", "Statements and corrections"),
            f"{notation.count(found.statements)} + {notation.count(found.corrections)}",
        ),
        (
            say("结算至", "Settled until"),
            notation.beijing(found.settled_until, say),
        ),
    )
    return Facts(tuple((name, value or say("无", "none")) for name, value in rows))
