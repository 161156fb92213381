"""Put the thirteen sections together into one paper."""

from __future__ import annotations

from typing import Literal

from admin.acceptance.documents import notation
from admin.acceptance.documents.language import Say, chinese, english
from admin.acceptance.documents.paper import Paper
from admin.acceptance.documents.sections.claims import project, rules, summary
from admin.acceptance.documents.sections.counts import registrations, resolutions
from admin.acceptance.documents.sections.disclosures import forms, shortcomings
from admin.acceptance.documents.sections.evidence import availability, spot_check, verification
from admin.acceptance.documents.sections.exchange import reconciliation, synchronisation
from admin.acceptance.documents.sections.safeguards import security
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Report

_SECTIONS = (
    summary,
    project,
    rules,
    registrations,
    resolutions,
    synchronisation,
    reconciliation,
    spot_check,
    availability,
    security,
    verification,
    forms,
    shortcomings,
)


def chinese_paper(report: Report) -> Paper:
    """Return the report in Chinese."""
    return _paper(report, "zh-CN", chinese)


def english_paper(report: Report) -> Paper:
    """Return the report in English."""
    return _paper(report, "en", english)


def _paper(report: Report, language: Literal["zh-CN", "en"], say: Say) -> Paper:
    one, stop = report.project, say("；", "; ")
    prefixes = say("、", ", ").join(one.prefixes)
    identity = (
        (say("前缀", "Prefix"), prefixes),
        (say("二级节点", "secondary node"), one.sln),
        (say("许可证", "licence"), one.licence),
        (say("合同", "contract"), one.contract),
    )
    as_of = notation.beijing(report.log.as_of, say)
    return Paper(
        language=language,
        title=say("项目验收报告", "Project acceptance report"),
        subtitle=(
            notation.or_none(one.name, say),
            notation.or_none(one.category, say),
            notation.or_none(one.applicant, say),
            say(f"截至 {as_of}", f"As of {as_of}"),
        ),
        heading=stop.join(f"{name} {notation.or_none(value, say)}" for name, value in identity),
        foot=f"{say('日志根', 'Log root')} {notation.short_digest(printable(report.log.root))}",
        digest_label=say("证据清单 SHA-256", "SHA-256 of the evidence's manifest"),
        signing=(
            say("申报单位（盖章）：", "Applicant (stamp):"),
            say("单位负责人（签字）：", "Signed for the applicant:"),
            say("日期：", "Date:"),
        ),
        contents=say("目录", "Contents"),
        sections=tuple(write(report, say) for write in _SECTIONS),
    )
