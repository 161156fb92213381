"""Sections 7, 8 and 10: the spot check, availability, and how anybody checks the whole."""

from __future__ import annotations

from admin.acceptance.documents import notation
from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.names import RESULTS, name_of
from admin.acceptance.documents.paper import (
    Block,
    Column,
    Facts,
    Heading,
    Paragraph,
    Row,
    Section,
    Table,
)
from admin.acceptance.documents.sections.exchange import outages
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Report, SampledItem, SpotCheck

_PRINTED_SAMPLES = 20


def spot_check(report: Report, say: Say) -> Section:
    """Write section 7."""
    found = report.spot_check
    title = say("抽样核查", "Spot check")
    method = Paragraph(
        say(
            "验收人自选口令，样本由口令与日志根共同决定，双方都不能挑选。"
            "299 个全部正确时，不合格率低于 1% 的把握为 95%；"
            "2,995 个全部正确时，低于 0.1%。",
            "The officer chooses the words; they and the log's root draw the sample, so neither "
            "side can choose. When all of 299 are right, one is 95% sure that less than 1% are "
            "bad; with 2,995, less than 0.1%.",
        ),
        "quiet",
    )
    if found is None:
        waiting = Paragraph(
            say(
                "尚未抽查。命令：xibiao acceptance sample，附验收人的口令。",
                "No sample has been drawn. Command: xibiao acceptance sample, with the officer's "
                "words.",
            )
        )
        return Section(7, title, (waiting, method))
    return Section(7, title, (_drawn(found, say), *_items(found, say), method))


def _drawn(found: SpotCheck, say: Say) -> Facts:
    return Facts(
        (
            (say("口令", "The officer's words"), printable(found.nonce)),
            (say("总体（个）", "Population"), notation.count(found.population)),
            (say("抽取（个）", "Drawn"), notation.count(found.count)),
            (say("正确（个）", "As they should be"), notation.count(found.passed)),
        )
    )


def _items(found: SpotCheck, say: Say) -> list[Block]:
    failed = [item for item in found.items if item.result == "failed"]
    rest = [item for item in found.items if item.result != "failed"]
    shown = [*failed, *rest[: max(_PRINTED_SAMPLES - len(failed), 0)]]
    blocks: list[Block] = [_samples(shown, say)]
    if len(shown) < len(found.items):
        more = say(
            "此处只列失败的和前若干个，全部样本见 data.xlsx 的“抽样”表。",
            "Only failures and the first ones are listed; sheet 抽样 of data.xlsx holds all.",
        )
        blocks.append(Paragraph(more, "quiet"))
    return blocks


def _samples(items: list[SampledItem], say: Say) -> Table:
    return Table(
        (
            Column(say("标识", "Identifier"), "mono"),
            Column(say("序号", "No."), "right"),
            Column(say("来源单据", "Source document")),
            Column(say("登记时间", "Registered")),
            Column(say("结果", "Result")),
            Column(say("解析时间", "Resolved")),
        ),
        tuple(
            Row(
                (
                    printable(item.identifier),
                    notation.count(item.number),
                    printable(item.document) or say("无", "none"),
                    notation.moment(item.registered_at),
                    name_of(RESULTS, item.result, say),
                    notation.moment(item.resolved_at),
                )
            )
            for item in items
        ),
    )


def availability(report: Report, say: Say) -> Section:
    """Write section 8."""
    found = report.availability
    portion = notation.share(found.share) if found.minutes else say("无", "none")
    facts = Facts(
        (
            (say("统计时长（分钟）", "Minutes observed"), notation.count(found.minutes)),
            (
                say("不可用（分钟）", "Minutes not available"),
                notation.count(found.unavailable_minutes),
            ),
            (say("可用率", "Availability"), portion),
            (
                say("因节点故障失败的解析（次）", "Look-ups that failed at the node"),
                notation.count(found.failed_lookups),
            ),
        )
    )
    blocks: list[Block] = [
        facts,
        Paragraph(
            say(
                "可用率只由日志推算：小时结算单迟到，从该小时开始计为不可用，宁可少算。",
                "Availability is told by the log alone: an hour sealed late counts as not "
                "available from its beginning, which errs against the applicant.",
            ),
            "quiet",
        ),
        Heading(say("中断", "Interruptions")),
        outages(found.interruptions, say("受影响的变更（条）", "Changes affected"), say),
        Heading(say("恢复演练", "Recovery drills")),
        Paragraph(_entered(report, "drills", say)),
    ]
    title = say("可用率、故障与恢复演练", "Availability, failures and drills")
    return Section(8, title, tuple(blocks))


def _entered(report: Report, name: str, say: Say) -> str:
    text = printable(report.project.forms.get(name, "")).strip()
    return text or say("申报单位没有填写。", "The applicant has entered nothing.")


def verification(report: Report, say: Say) -> Section:
    """Write section 10."""
    log = report.log
    cosigners = say("、", ", ").join(printable(name) for name in log.cosigners)
    blocks: list[Block] = [
        Facts(
            (
                (say("日志", "Log"), printable(log.origin)),
                (say("条目数", "Entries"), notation.count(log.size)),
                (say("根（SHA-256）", "Root (SHA-256)"), log.root),
                (say("签名公钥", "Signing key"), printable(log.key)),
                (say("联署", "Cosigned by"), cosigners or say("无", "nobody")),
            )
        ),
        Paragraph(
            say(
                "自行核验：把证据包复制到任何装有 Python 的电脑，在该目录执行 "
                "python3 verify.py，或者 python3 verify.py 证据包.zip。"
                "程序只用标准库，重新计算日志根、小时结算单、各项数字和签名，不符时指出文件。步骤见《验证说明.md》。",
                "To check it yourself, copy the bundle to any computer with Python and run "
                "python3 verify.py in its folder, or python3 verify.py with the zip file's name. "
                "The program needs the standard library only; "
                "it recomputes the log's root, the statements, all figures and signatures, and "
                "names the file that does not fit. 验证说明.md tells the steps.",
            )
        ),
        _files(report, say),
    ]
    return Section(10, say("存证与验证", "Proof and verification"), tuple(blocks))


def _files(report: Report, say: Say) -> Table:
    return Table(
        (
            Column(say("证据文件", "File")),
            Column(say("内容", "Content")),
            Column(say("字节", "Bytes"), "right"),
            Column("SHA-256", "mono"),
        ),
        tuple(
            Row(
                (
                    printable(file.path),
                    said(file.content, say),
                    notation.count(file.size_bytes),
                    notation.short_digest(file.sha256),
                )
            )
            for file in report.files
        ),
    )
