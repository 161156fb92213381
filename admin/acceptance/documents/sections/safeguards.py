"""Section 9: security, under the six headings that comparable programmes ask for.

Invariant: what is written here is true of every node of this version; what depends on the plant is
entered in the project file (`security_level`, `security_access` …) and shown as the applicant's
own statement.
"""

from __future__ import annotations

from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.paper import Block, Facts, Paragraph, Section
from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Report, Text

_HEADINGS: tuple[tuple[str, Text, Text], ...] = (
    (
        "security_level",
        Text("安全保护等级", "Protection level"),
        Text("", ""),
    ),
    (
        "security_access",
        Text("设备和数据接入安全", "Access of devices and data"),
        Text(
            "与二级节点双向 TLS 并固定对端密钥；登记接口须持密钥；Handle 管理须签名或质询应答。",
            "Mutual TLS with pinned keys to the secondary node; registering needs a key; Handle "
            "administration needs a signature or a challenge answered.",
        ),
    ),
    (
        "security_data",
        Text("数据安全", "Data"),
        Text(
            "日志只含带盐承诺，未公开字段不进入日志、缓存和应答；解析来源只以带密钥的假名保存。",
            "The log holds salted commitments only; non-public attributes enter no log, cache or "
            "answer; clients are kept as keyed pseudonyms.",
        ),
    ),
    (
        "security_code",
        Text("代码安全", "Code"),
        Text(
            "全部依赖按散列锁定；每次提交执行静态检查、类型检查和测试。",
            "All dependencies are locked by hash; each commit is linted, type-checked and tested.",
        ),
    ),
    (
        "security_application",
        Text("应用安全", "Application"),
        Text(
            "输入先限大小再解析；缓存条目带校验码，伪造即弃；UDP 应答按来源限速。",
            "Input is limited before it is parsed; cache entries carry a MAC and forged ones are "
            "dropped; UDP answers are limited by source.",
        ),
    ),
    (
        "security_rights",
        Text("访问安全", "Rights"),
        Text(
            "每次变更连同操作人成为一条日志；数据库被直接改动时，xibiao audit 指出被改的行。",
            "Each change is a log entry with its actor; when the database is edited directly, "
            "xibiao audit names the edited row.",
        ),
    ),
)


def security(report: Report, say: Say) -> Section:
    """Write section 9."""
    rows = tuple(
        (said(heading, say), _measure(report, name, said(built_in, say), say))
        for name, heading, built_in in _HEADINGS
    )
    origin = Paragraph(
        say(
            "各项先列系统自身的措施，其后为申报单位填写的内容；等级以备案证明和测评报告为准。",
            "Each row states what the system does, then what the applicant has entered; the "
            "protection level is proven by its filing and assessment.",
        ),
        "quiet",
    )
    blocks: tuple[Block, ...] = (Facts(rows), origin)
    return Section(9, say("安全措施", "Security"), blocks)


def _measure(report: Report, name: str, built_in: str, say: Say) -> str:
    entered = printable(report.project.forms.get(name, "")).strip()
    return " ".join(filter(None, (built_in, entered))) or say("未填写", "not given")
