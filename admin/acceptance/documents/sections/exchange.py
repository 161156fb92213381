"""Sections 5 and 6: how soon the secondary node has what is registered, and whether it has all."""

from __future__ import annotations

from admin.acceptance.documents import figures, notation
from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.names import COMPARED, COMPARED_WITH, name_of
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
from admin.acceptance.report import Comparison, Lag, Outage, Report


def synchronisation(report: Report, say: Say) -> Section:
    """Write section 5."""
    found = report.sync
    blocks: list[Block] = [figures.lag_by_day(report, say)] if found.online.count else []
    blocks.append(_lags(report, say))
    done, waiting = notation.count(found.acknowledged), notation.count(found.unacknowledged)
    ratio = notation.share(found.acknowledged_share)
    blocks.append(
        Paragraph(
            say(
                f"已回执的变更 {done} 条{f'（{ratio}）' if ratio else ''}，待回执 {waiting} 条。"
                "对端离线期间的变更另列，不计入时延。",
                f"{done} changes are acknowledged{f' ({ratio})' if ratio else ''}, {waiting} are "
                "not yet. Changes that waited for the end of an outage are shown apart and are "
                "not in the lag.",
            ),
            "quiet",
        )
    )
    blocks.append(Heading(say("二级节点离线的时段", "Outages of the secondary node")))
    blocks.append(outages(found.outages, say("等待的变更（条）", "Changes that waited"), say))
    return Section(5, say("实时同步", "Real-time synchronisation"), tuple(blocks))


def _lags(report: Report, say: Say) -> Table:
    limits = report.project.thresholds
    titles = ("P50", "P95", "P99", say("最大", "Maximum"), say("变更（条）", "Changes"))
    columns = (
        Column(say("受理到回执", "Acceptance to acknowledgement")),
        *(Column(title, "right") for title in titles),
    )
    limit = (
        notation.seconds(number, say)
        for number in (-1, limits.lag_p95_ms, limits.lag_p99_ms, limits.lag_max_ms)
    )
    rows = (
        _lag(say("对端在线期间", "peer online"), report.sync.online, say),
        _lag(say("对端离线期间，另列", "peer offline, shown apart"), report.sync.offline, say),
        Row((say("限值", "limit"), *limit, "")),
    )
    return Table(columns, rows)


def _lag(name: str, lag: Lag, say: Say) -> Row:
    values = (lag.p50_ms, lag.p95_ms, lag.p99_ms, lag.max_ms)
    return Row(
        (name, *(notation.seconds(value, say) for value in values), notation.count(lag.count))
    )


def outages(rows: tuple[Outage, ...], amount: str, say: Say) -> Block:
    """Return a table of interruptions, or the sentence that there was none."""
    if not rows:
        return Paragraph(say("没有。", "None."))
    return Table(
        (
            Column(say("开始", "From")),
            Column(say("结束", "Until")),
            Column(say("分钟", "Minutes"), "right"),
            Column(amount, "right"),
        ),
        tuple(
            Row(
                (
                    notation.moment(row.begins),
                    notation.moment(row.ends),
                    notation.count(row.minutes),
                    notation.count(row.changes),
                )
            )
            for row in rows
        ),
    )


def reconciliation(report: Report, say: Say) -> Section:
    """Write section 6."""
    blocks: list[Block] = [_comparisons(report.comparisons, say)]
    receipt = report.receipt
    if receipt.signer:
        blocks.append(Heading(say("二级节点的签名回执", "The secondary node's signed receipt")))
        blocks.append(
            Facts(
                (
                    (say("签名人", "Signer"), notation.or_none(receipt.signer, say)),
                    (say("已持有的日志条目", "Log entries held"), notation.count(receipt.size)),
                    (
                        say("其中未应用的变更", "Changes not applied"),
                        notation.count(receipt.unapplied),
                    ),
                    (say("回执中的日志根", "Log root in the receipt"), receipt.root),
                )
            )
        )
    else:
        missing = say(
            "没有二级节点的签名回执：R3 只能为零。",
            "There is no signed receipt of the secondary node: R3 can only be zero.",
        )
        blocks.append(Paragraph(missing, "warn"))
    return Section(6, say("与二级节点对账", "Reconciliation"), tuple(blocks))


def _comparisons(found: tuple[Comparison, ...], say: Say) -> Block:
    if not found:
        return Paragraph(say("没有对照。", "Nothing was compared."), "warn")
    # What differs comes first.
    ordered = sorted(found, key=lambda one: one.difference == 0)
    rows = tuple(
        Row(
            (
                name_of(COMPARED, one.key, say),
                name_of(COMPARED_WITH, one.other, say),
                _value(one.node_value),
                _value(one.other_value),
                notation.count(one.difference),
                said(one.remark, say),
            )
        )
        for one in ordered
    )
    return Table(
        (
            Column(say("项目", "What")),
            Column(say("对照方", "Compared with")),
            Column(say("本节点", "This node"), "right"),
            Column(say("对照值", "The other"), "right"),
            Column(say("差异", "Difference"), "right"),
            Column(say("说明", "Remark")),
        ),
        rows,
    )


def _value(text: str) -> str:
    is_number = text.isascii() and text.isdigit() and len(text) < 16
    return notation.count(int(text)) if is_number else notation.short_digest(text)
