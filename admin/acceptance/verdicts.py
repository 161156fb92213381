"""Verdicts and notes: what the figures say of the targets, and what the applicant must explain.

Invariants: "met" is said only when the target is reached, to the last one, and no comparison that
withdraws shows a difference; a limit of the lag counts for P95, P99 and maximum alike, and for what
has waited longer than the maximum already; without a secondary node nothing was synchronised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from admin.acceptance.report import (
    Campaign,
    Comparison,
    Note,
    Registrations,
    Resolutions,
    Synchronisation,
    Text,
    Thresholds,
    Verdict,
    VerdictState,
)
from admin.acceptance.shares import percent

ONE_DAY_PERCENT, TOP_CLIENT_PERCENT = 50, 25
_WEAKEST_FIRST: tuple[VerdictState, ...] = ("undecided", "missed", "met")


def verdicts(
    limits: Thresholds,
    registered: Registrations,
    resolved: Resolutions,
    sync: Synchronisation,
    comparisons: Sequence[Comparison],
    *,
    longest_waiting_ms: int,
) -> tuple[Verdict, ...]:
    """Return the three verdicts; `longest_waiting_ms`: age of the oldest unacknowledged change."""
    doubts = tuple(
        Text(f"比对有差异:{row.key}({row.other})", f"A comparison differs: {row.key} ({row.other})")
        for row in comparisons
        if row.withdraws and row.difference
    )
    late = tuple(_late(limits, sync, longest_waiting_ms))
    p95 = sync.online.p95_ms
    margin = limits.lag_p95_ms - p95 if p95 >= 0 else -limits.lag_p95_ms
    return (
        _at_least("registrations", registered.total.r3, limits.registrations, doubts),
        _at_least("resolutions", resolved.net, limits.resolutions, doubts),
        Verdict(
            "sync",
            p95,
            limits.lag_p95_ms,
            margin,
            percent(margin, limits.lag_p95_ms),
            "undecided" if doubts else "missed" if late else "met",
            doubts + late,
        ),
    )


def weakest(found: Sequence[Verdict]) -> VerdictState:
    """Return the state of the weakest verdict."""
    states = {verdict.state for verdict in found}
    return next(state for state in _WEAKEST_FIRST if state in states)


def _at_least(subject: str, value: int, target: int, doubts: tuple[Text, ...]) -> Verdict:
    margin = value - target
    state: VerdictState = "undecided" if doubts else "met" if margin >= 0 else "missed"
    short = () if margin >= 0 else (Text(f"差 {-margin}", f"{-margin} short"),)
    return Verdict(
        subject,  # type: ignore[arg-type]
        value,
        target,
        margin,
        percent(margin, target),
        state,
        doubts + short,
    )


def _late(limits: Thresholds, sync: Synchronisation, longest_waiting_ms: int) -> Iterator[Text]:
    online = sync.online
    if not online.count:
        yield Text("没有已确认的变更", "No change has been acknowledged")
    for name, value, limit in (
        ("P95", online.p95_ms, limits.lag_p95_ms),
        ("P99", online.p99_ms, limits.lag_p99_ms),
        ("max", online.max_ms, limits.lag_max_ms),
    ):
        if value > limit:
            yield Text(f"{name} 为 {value} 毫秒,限值 {limit}", f"{name} is {value} ms of {limit}")
    if longest_waiting_ms > limits.lag_max_ms:
        yield Text(
            f"有变更已等待 {longest_waiting_ms} 毫秒",
            f"A change has waited for {longest_waiting_ms} ms",
        )


def notes(
    registered: Registrations,
    resolved: Resolutions,
    sync: Synchronisation,
    campaigns: Sequence[Campaign],
) -> tuple[Note, ...]:
    """Return what must be explained, found by rule."""
    return tuple(
        (
            *_notes_on_registrations(registered),
            *_notes_on_resolutions(resolved, campaigns),
            *_notes_on_outages(sync),
        )
    )


def _notes_on_registrations(registered: Registrations) -> Iterator[Note]:
    total = registered.total
    if total.r1 and _exceeds(registered.busiest_day_share, ONE_DAY_PERCENT):
        day = registered.busiest_day
        zh = f"注册集中在一天:{day}"
        yield _note("one_day", registered.busiest_day_share, zh, f"Most fell on one day: {day}")
    imported = sum(row.r1 for row in registered.by_source if row.key == "import")
    if imported:
        zh = "文件导入的标识,逐件附来源单据"
        yield _note("imports", str(imported), zh, "Identifiers imported from files")
    repeated = registered.deductions.repeated_content
    if repeated:
        zh = "内容重复过多的标识,已全部扣除"
        yield _note("repeated", str(repeated), zh, "Identifiers of one content, all deducted")


def _notes_on_resolutions(resolved: Resolutions, campaigns: Sequence[Campaign]) -> Iterator[Note]:
    if resolved.net and _exceeds(resolved.top_client_share, TOP_CLIENT_PERCENT):
        zh = "最大解析来源占比偏高"
        yield _note("top_client", resolved.top_client_share, zh, "One client has a large share")
    for code, declared, zh, en in (
        ("campaigns", True, "申报的压测已全部扣除", "Declared load tests, all deducted"),
        (
            "undeclared_burst",
            False,
            "未申报的突发访问,按规则扣除",
            "Bursts found by rule",
        ),
    ):
        of_kind = [campaign for campaign in campaigns if campaign.declared is declared]
        if of_kind:
            yield _note(code, str(sum(campaign.count for campaign in of_kind)), zh, en)
    if resolved.dropped:
        zh = "未能记录的解析请求,不计入任何数字"
        yield _note("dropped", str(resolved.dropped), zh, "Look-ups not recorded, in no figure")


def _notes_on_outages(sync: Synchronisation) -> Iterator[Note]:
    if sync.outages:
        minutes = sum(outage.minutes for outage in sync.outages)
        zh = "二级节点不可达的时间(分钟),单列,不计为合格"
        yield _note("outage", str(minutes), zh, "Minutes without the secondary node, set apart")


def _note(code: str, value: str, zh: str, en: str) -> Note:
    return Note(code, value, Text(zh, en))


def _exceeds(share: str, limit_percent: int) -> bool:
    """Say whether a share ("50.01") is above a limit."""
    units, _, hundredths = share.partition(".")
    return int(units) * 100 + int(hundredths) > limit_percent * 100
