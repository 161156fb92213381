"""Sections 11 and 12: the forms' own rows, what must be explained, what was left out."""

from __future__ import annotations

from admin.acceptance.documents import notation
from admin.acceptance.documents.form_rows import fill_rows
from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.paper import (
    Block,
    Column,
    Heading,
    Paragraph,
    Point,
    Points,
    Row,
    Section,
    Table,
)
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Campaign, Note, Report

_SHARES = {"one_day", "top_client"}


def forms(report: Report, say: Say) -> Section:
    """Write section 11: the rows of 附件9 as they are filled in."""
    columns = (
        Column(say("一级指标", "一级指标 level 1")),
        Column(say("二级指标", "二级指标 level 2")),
        Column(say("三级指标", "三级指标 level 3")),
        Column(say("预期指标目标值", "预期指标目标值 target")),
        Column(say("指标完成情况", "指标完成情况 achieved")),
    )
    rows = tuple(
        Row((row.first, row.second, row.third, row.target, row.done)) for row in fill_rows(report)
    )
    how = say(
        "附件9、附件10 另附文件，签章处留空。系统只填写由日志得出的数字，并列出证据；"
        "等级、金额和总结由申报单位填写，没有内容的写“无”。",
        "附件9 and 附件10 are files of their own, in Chinese as the guideline prescribes; "
        "signature "
        "and stamp stay empty. The system fills in what the log tells and names evidence; grades, "
        "money and the summary are the applicant's; what nobody filled says 无 (none).",
    )
    title = say("附件9、附件10 草稿", "Drafts of 附件9 and 附件10")
    return Section(11, title, (Paragraph(how), Table(columns, rows)))


def shortcomings(report: Report, say: Say) -> Section:
    """Write section 12: what an auditor would find anyway, said first by us."""
    blocks: list[Block] = [Heading(say("需要说明的事项", "What needs an explanation"))]
    if report.notes:
        blocks.append(
            Points(tuple(Point(said(note.text, say), _amount(note, say)) for note in report.notes))
        )
    else:
        blocks.append(Paragraph(say("按规则没有发现。", "The rules have found nothing.")))
    blocks.append(Heading(say("压测", "Load tests")))
    blocks.append(_campaigns(report.campaigns, say))
    blocks.append(Heading(say("不计入的数据与已知不足", "Data left out, and known shortcomings")))
    blocks += [Paragraph(text) for text in _left_out(report, say)]
    title = say("已知不足与排除数据", "Shortcomings and excluded data")
    return Section(12, title, tuple(blocks))


def _amount(note: Note, say: Say) -> str:
    value = printable(note.value)
    if note.code in _SHARES:
        return f"{value}%"
    return notation.count(int(value)) if value.isascii() and value.isdigit() else value


def _campaigns(found: tuple[Campaign, ...], say: Say) -> Block:
    if not found:
        return Paragraph(say("没有申报，也没有认定。", "None was declared and none was found."))
    return Table(
        (
            Column(say("编号", "Id")),
            Column(say("性质", "Kind")),
            Column(say("窗口（北京时间）", "Window (Beijing time)")),
            Column(say("操作人", "Operator")),
            Column(say("事由", "Reason")),
            Column(say("日志序号", "Log index"), "right"),
            Column(say("扣除（次）", "Deducted"), "right"),
        ),
        tuple(
            Row(
                (
                    printable(one.id),
                    say("事先申报", "declared before")
                    if one.declared
                    else say("事后认定", "found by rule"),
                    f"{notation.moment(one.begins)} – {notation.moment(one.ends)}",
                    printable(one.operator),
                    printable(one.reason),
                    notation.count(one.index),
                    notation.count(one.count),
                )
            )
            for one in found
        ),
    )


def _left_out(report: Report, say: Say) -> list[str]:
    registered, resolved = report.registrations.deductions, report.resolutions
    test, revoked = notation.count(registered.test), notation.count(registered.revoked)
    empty = notation.count(registered.placeholder)
    repeated = notation.count(registered.repeated_content)
    dropped, corrections = notation.count(resolved.dropped), notation.count(resolved.corrections)
    offline = notation.count(report.sync.offline.count)
    return [
        say(
            f"注册：测试 {test} 个，作废 {revoked} 个，"
            f"空白或占位 {empty} 个，内容重复过多 {repeated} 个，"
            "均已扣除，仍留在日志中。",
            f"Registrations: {test} test, {revoked} revoked, {empty} empty or placeholder and "
            f"{repeated} repeated records are deducted and stay in the log.",
        ),
        say(
            f"解析：未能记录而放弃的事件 {dropped} 次，不在任何数字之内；"
            f"迟到事件更正 {corrections} 次。"
            "进程被强行终止时，缓冲中尚未落盘的事件会丢失，只会少计，不会多计。",
            f"Resolutions: {dropped} events could not be recorded and are in no figure; late "
            f"events made {corrections} corrections. When a process is killed, events in its "
            "buffer are lost: figures can only be too low.",
        ),
        say(
            f"同步：二级节点离线期间的 {offline} 条变更不计入时延。",
            f"Synchronisation: {offline} changes made while the peer was offline are not in the "
            "lag.",
        ),
    ]
