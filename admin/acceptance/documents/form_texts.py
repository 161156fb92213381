"""Write the two 完成情况 of 附件10 from the figures, and hold every text of it to 200 characters.

Invariants: what the applicant has written is taken as it is; a draft says 达标 only where the
verdict does; a text that is too long stops the form, it is never cut.
"""

from __future__ import annotations

from admin.acceptance.documents import notation
from admin.acceptance.documents.entries import FORM_TEXTS, LIMITED, LONGEST
from admin.acceptance.documents.form_rows import NONE
from admin.acceptance.documents.language import chinese
from admin.acceptance.documents.names import STATES, name_of
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Report, Verdict
from node.errors import InvalidInput, Problem


def form_texts(report: Report) -> dict[str, str]:
    """Return every text of 附件10 by its name in the project file; 「无」 where there is none.

    Raises InvalidInput naming each text of more than 200 characters.
    """
    entered = {name: printable(text).strip() for name, text in report.project.forms.items()}
    drafts = {"plan_done": _plan_done(report), "goals_done": _goals_done(report)}
    texts = {name: entered.get(name) or drafts.get(name) or NONE for name in FORM_TEXTS}
    problems = [
        Problem(
            f"forms.{name}",
            "too_long",
            f"{label}有 {len(texts[name])} 字，最多 {LONGEST} 字",
            f"{len(texts[name])} characters, at most {LONGEST} are allowed",
        )
        for name, label in LIMITED.items()
        if len(texts[name]) > LONGEST
    ]
    if problems:
        raise InvalidInput("附件10 的文字过长", "Texts of 附件10 are too long", problems=problems)
    return texts


def _plan_done(report: Report) -> str:
    project = report.project
    peer = printable(project.sln).strip() or "二级节点"
    available = report.availability
    share = f"；平台可用率{available.share}%" if available.minutes else ""
    return (
        f"企业节点已建成，与{peer}互联互通，具备标识注册、查询、解析和实时同步能力。"
        f"截至{notation.moment(report.log.as_of)[:10]}，"
        f"登记去重标识{notation.count(report.registrations.total.r1)}个，"
        f"其中有效并已同步{notation.count(report.registrations.total.r3)}个；"
        f"净解析{notation.count(report.resolutions.net)}次{share}。"
    )


def _goals_done(report: Report) -> str:
    return "；".join(_judged(verdict) for verdict in report.verdicts) + "。"


def _judged(verdict: Verdict) -> str:
    state = name_of(STATES, verdict.state, chinese)
    if verdict.subject == "sync":
        value = notation.seconds(verdict.value, chinese)
        return f"同步时延P95 {value}（限值{notation.plain_seconds(verdict.target)}秒，{state}）"
    name, unit = ("标识注册量", "个") if verdict.subject == "registrations" else ("净解析量", "次")
    value, target = notation.count(verdict.value), notation.count(verdict.target)
    return f"{name}{value}{unit}（目标{target}{unit}，{state}）"
