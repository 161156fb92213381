"""Sections 0 to 2: what is claimed, by whom, and under which rules.

Invariant: 达标 is written only for a verdict whose state is `met`; when a comparison differs, the
difference stands before everything else.
"""

from __future__ import annotations

from admin.acceptance.documents import notation
from admin.acceptance.documents.arithmetic import contradictions
from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.names import (
    CLASS_RULES,
    CLASSES,
    STATES,
    SUBJECTS,
    name_of,
)
from admin.acceptance.documents.paper import (
    Block,
    Column,
    Facts,
    Heading,
    Judged,
    Paragraph,
    Row,
    Section,
    Table,
    Tone,
    Verdicts,
)
from admin.acceptance.report import Report, Verdict

_TONES: dict[str, Tone] = {"met": "ok", "missed": "bad", "undecided": "warn"}


def summary(report: Report, say: Say) -> Section:
    """Write section 0: the three verdicts, and what they rest on."""
    blocks: list[Block] = []
    different = contradictions(report)
    if report.state == "undecided":
        blocks.append(Paragraph(_withdrawn(report, len(different), say), "bad"))
    blocks.append(Verdicts(tuple(_judged(report, verdict, say) for verdict in report.verdicts)))
    blocks += [Paragraph(text, "warn") for text in _reasons(report, say)]
    blocks.append(Paragraph(_basis(report, say), "ok" if report.state == "met" else "plain"))
    return Section(0, say("摘要", "Summary"), tuple(blocks))


def _reasons(report: Report, say: Say) -> list[str]:
    """Return each reason once, after the subjects that it is given for."""
    subjects: dict[str, list[str]] = {}
    for verdict in report.verdicts:
        if verdict.state == "missed" and verdict.subject != "sync":
            # The shortfall stands beside the figure.
            continue
        for reason in verdict.reasons:
            of_reason = subjects.setdefault(said(reason, say), [])
            of_reason.append(name_of(SUBJECTS, verdict.subject, say))
    return [
        f"{say('、', ', ').join(names)}{say('：', ': ')}{reason}"
        for reason, names in subjects.items()
    ]


def _withdrawn(report: Report, differences: int, say: Say) -> str:
    if not differences:
        return say(
            "无法判定：有结论不能作出，原因见下。",
            "Undecided: not every verdict can be given; the reasons follow.",
        )
    return say(
        f"无法判定：重新计算的结果与对照不一致（{differences} 项，见第 6 节），三项结论全部撤回。",
        f"Undecided: recomputed figures differ from what they are compared with ({differences}, "
        "see section 6). All three verdicts are withdrawn.",
    )


def _judged(report: Report, verdict: Verdict, say: Say) -> Judged:
    is_lag = verdict.subject == "sync"
    value = (
        notation.plain_seconds(verdict.value)
        if is_lag and verdict.value >= 0
        else say("无", "none")
        if is_lag
        else notation.count(verdict.value)
    )
    unit = {
        "registrations": say("个，R3", "identifiers, R3"),
        "resolutions": say("次，N", "look-ups, N"),
        "sync": say("秒，P95", "s, P95"),
    }[verdict.subject]
    return Judged(
        subject=name_of(SUBJECTS, verdict.subject, say),
        state=name_of(STATES, verdict.state, say),
        tone=_TONES[verdict.state],
        value=value,
        unit=unit,
        remark=_margin(verdict, say),
    )


def _margin(verdict: Verdict, say: Say) -> str:
    """Say the target and by how much it is passed or missed."""
    amount = abs(verdict.margin)
    if verdict.subject == "sync":
        target = f"{say('限值', 'limit')} {notation.seconds(verdict.target, say)}"
        if verdict.value < 0:
            return target
        written = notation.seconds(amount, say)
        passed, short = say("裕度", "margin"), say("超出", "exceeded by")
    else:
        target = f"{say('目标', 'target')} {notation.count(verdict.target)}"
        written = notation.count(amount)
        passed, short = say("裕度", "margin"), say("差", "short by")
    if verdict.state == "undecided":
        return target
    if verdict.margin < 0:
        return f"{target}{say('，', ', ')}{short} {written}"
    percent = notation.share(verdict.margin_percent)
    return f"{target}{say('，', ', ')}{passed} {written}{say('（', ' (')}{percent}{say('）', ')')}"


def _basis(report: Report, say: Say) -> str:
    log = report.log
    size, root = notation.count(log.size), notation.short_digest(log.root)
    cosigners = say("、", ", ").join(notation.or_none(name, say) for name in log.cosigners)
    signed = say(
        f"由本节点签名{f'，{cosigners} 联署' if cosigners else '，没有联署'}。",
        f"is signed by this node{f' and cosigned by {cosigners}' if cosigners else ' alone'}.",
    )
    compared = _compared(report, say)
    return say(
        f"以上数字由日志 {size} 条重新计算得出{compared}。检查点根 {root} {signed}"
        "自行核验的方法见第 10 节。",
        f"These figures are recomputed from {size} log entries{compared}. The checkpoint, root "
        f"{root}, {signed} Section 10 tells how to check it yourself.",
    )


def _compared(report: Report, say: Say) -> str:
    if not report.comparisons:
        return ""
    if contradictions(report):
        return say("，与第 6 节的对照不一致", " and contradict what section 6 compares them with")
    if any(one.difference for one in report.comparisons):
        return say(
            "，与第 6 节的对照没有矛盾，差异已说明",
            " and do not contradict what section 6 compares them with; differences are explained",
        )
    return say(
        "，与第 6 节的各项对照一致", " and equal everything that section 6 compares them with"
    )


def project(report: Report, say: Say) -> Section:
    """Write section 1: the project and who stands behind it."""
    one = report.project
    days = [notation.or_none(day, say) for day in (one.began_on, one.ended_on)]
    period = say(" 至 ", " to ").join(days) if one.began_on or one.ended_on else ""
    rows = (
        (say("项目名称", "Project"), one.name),
        (say("申报单位", "Applicant"), one.applicant),
        (say("项目类别", "Category"), one.category),
        (say("申报日期", "Applied on"), one.applied_on),
        (say("建设期", "Built from"), period),
        (say("企业节点前缀", "Prefixes of the node"), say("、", ", ").join(one.prefixes)),
        (say("二级节点", "Secondary node"), one.sln),
        (say("二级节点许可证号", "Licence number of the secondary node"), one.licence),
        (say("接入合同编号", "Contract number"), one.contract),
    )
    facts = Facts(tuple((name, notation.or_none(value, say)) for name, value in rows))
    return Section(1, say("项目与主体", "The project and its parties"), (facts,))


def rules(report: Report, say: Say) -> Section:
    """Write section 2: what each figure means."""
    used = report.rules
    versions = say("、", ", ").join(str(version) for version in used.used)
    facts = Facts(
        (
            (say("规则版本", "Version of the rules"), str(used.version)),
            (say("规则文件摘要（SHA-256）", "SHA-256 of the rules file"), used.digest),
            (say("结算单所用版本", "Versions of the statements"), versions or say("无", "none")),
            (
                say("截至", "As of"),
                notation.beijing(report.log.as_of, say),
            ),
        )
    )
    blocks: list[Block] = [facts]
    if used.recounted:
        recounted = say(
            "本报告按与结算时不同的规则版本重新计数。",
            "This report counts anew under another version of the rules than the statements.",
        )
        blocks.append(Paragraph(recounted, "warn"))
    blocks += [
        Table(
            (Column(say("口径", "Figure")), Column(say("规则", "Rule"))),
            tuple(Row(cells) for cells in _definitions(report, say)),
        ),
        Heading(
            say("解析事件的类别，取最先符合的一类", "Classes of look-ups, the first that fits")
        ),
        _classes(report, say),
    ]
    return Section(2, say("统计口径", "Rules of counting"), tuple(blocks))


def _definitions(report: Report, say: Say) -> list[tuple[str, str]]:
    return [
        (
            say("R0 全部登记事件", "R0 registration events"),
            say("日志中每一条登记", "each registration in the log"),
        ),
        (
            say("R1 去重标识", "R1 distinct identifiers"),
            say("不同的规范形式标识", "distinct identifiers in canonical form"),
        ),
        (
            say("R2 有效标识", "R2 valid identifiers"),
            say(
                "R1 减去测试前缀、作废、空白或占位、内容重复过多的",
                "R1 less test, revoked, placeholder and too often repeated records",
            ),
        ),
        (
            say("R3 已同步有效标识（申报数）", "R3 synchronised valid identifiers (the claim)"),
            say("R2 中二级节点已签名回执的", "those of R2 in the secondary node's signed receipt"),
        ),
        (
            say("G 全部解析", "G all look-ups"),
            say("已落盘的每一次解析请求", "every look-up that is on disk"),
        ),
        (
            say("N 净解析量（申报数）", "N net resolutions (the claim)"),
            say("G 减去下表中不计入的各类", "G less the classes below that are not counted"),
        ),
        (
            say("同步时延", "synchronisation lag"),
            say(
                "从本节点受理到收到二级节点回执；对端离线期间另列，不计入",
                "from acceptance here to the secondary node's acknowledgement; time offline is "
                "shown apart and never counted as good",
            ),
        ),
    ]


def _classes(report: Report, say: Say) -> Table:
    rows = tuple(
        Row(
            (
                name_of(CLASSES, one.key, say),
                say("计入", "yes") if one.is_counted else say("不计", "no"),
                name_of(CLASS_RULES, one.key, say),
            )
        )
        for one in report.resolutions.by_class
    )
    return Table(
        (
            Column(say("类别", "Class")),
            Column(say("计入 N", "In N")),
            Column(say("如何认定", "How it is recognised")),
        ),
        rows,
    )
