"""Turn the figures of a report into the charts of its papers, with the words that explain them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from admin.acceptance.documents import charts, notation
from admin.acceptance.documents.charts import Bar, Goal
from admin.acceptance.documents.language import Say, said
from admin.acceptance.documents.names import CLASSES, WEEKDAYS, name_of
from admin.acceptance.documents.paper import Figure
from admin.acceptance.documents.svg import Drawing
from admin.acceptance.report import ClassCount, Report


def _twice(draw: Callable[[int], Drawing], caption: str = "") -> Figure:
    return Figure(draw(charts.WIDE), draw(charts.NARROW), caption)


def is_reached(report: Report, subject: str) -> bool:
    """Say whether the verdict on a subject is that its target is met."""
    return any(one.subject == subject and one.state == "met" for one in report.verdicts)


def _claim(report: Report, subject: str) -> str:
    return charts.REACHED if is_reached(report, subject) else charts.SHORT


def registration_levels(report: Report, say: Say) -> Figure:
    """Draw R0 to R3 against the target."""
    total = report.registrations.total
    pairs = (("R0", total.r0), ("R1", total.r1), ("R2", total.r2), ("R3", total.r3))
    bars = [Bar(name, number, notation.count(number)) for name, number in pairs]
    goal = _goal(report.project.thresholds.registrations, say)
    listed = say("，", ", ").join(f"{bar.name} {bar.written}" for bar in bars)
    sentence = f"{listed}{say('，', ', ')}{goal.words}"
    return _twice(
        lambda width: charts.nested_bars(
            bars, goal, sentence=sentence, width=width, claim=_claim(report, "registrations")
        )
    )


def resolution_parts(report: Report, say: Say) -> Figure:
    """Draw N and each deduction as parts of G."""
    found = report.resolutions
    kept = Bar(say("净解析", "net"), found.net, notation.count(found.net))
    parts = [
        Bar(name_of(CLASSES, one.key, say), one.count, notation.count(one.count))
        for one in deductions(report)
    ]
    gross, deducted = notation.count(found.gross), notation.count(found.deducted)
    sentence = say(
        f"全部 {gross} 次中，净解析 {kept.written} 次，扣除 {deducted} 次",
        f"Of all {gross} look-ups, {kept.written} are net and {deducted} deducted",
    )
    captions = (
        say(f"净解析 {kept.written}", f"net {kept.written}"),
        say(f"扣除 {deducted}", f"deducted {deducted}"),
    )
    goal = _goal(report.project.thresholds.resolutions, say)
    return _twice(
        lambda width: charts.parts_bar(
            kept,
            parts,
            goal=goal,
            captions=captions,
            sentence=sentence,
            width=width,
            claim=_claim(report, "resolutions"),
        )
    )


def deductions(report: Report) -> list[ClassCount]:
    """Return the classes that are not counted, largest first: their order in chart and ledger."""
    deducted = [one for one in report.resolutions.by_class if not one.is_counted]
    return sorted(deducted, key=lambda one: (-one.count, one.key))


def _goal(target: int, say: Say) -> Goal:
    return Goal(target, f"{say('目标', 'target')} {notation.count(target)}")


def registrations_by_day(report: Report, say: Say) -> Figure:
    """Draw the distinct identifiers registered each day."""
    days = {day.key: day.r1 for day in report.registrations.by_day}
    most = notation.count(max(days.values(), default=0))
    sentence = say(
        f"每日登记的去重标识，最多一天 {most} 个",
        f"Distinct identifiers registered each day, {most} on the busiest",
    )
    caption = say(
        "逐日登记的去重标识（R1）。远高于其他日子的柱截断，上方写明数量。",
        "Distinct identifiers (R1) by day. A bar far above the others is broken and carries its "
        "number.",
    )
    return _by_day(days, sentence, caption)


def resolutions_by_day(report: Report, say: Say) -> Figure:
    """Draw the net resolutions of each day."""
    days = {day.key: day.net for day in report.resolutions.by_day}
    most = notation.count(max(days.values(), default=0))
    sentence = say(
        f"每日净解析量，最多一天 {most} 次", f"Net resolutions each day, {most} on the busiest"
    )
    return _by_day(days, sentence, say("逐日净解析量（N）。", "Net resolutions (N) by day."))


def _by_day(days: dict[str, int], sentence: str, caption: str) -> Figure:
    counts = [(day, days.get(day, 0)) for day in _every_day(list(days))]
    bars = [Bar(notation.short_date(day), n, notation.count(n)) for day, n in counts]
    return _twice(lambda width: charts.day_bars(bars, sentence=sentence, width=width), caption)


def _every_day(days: list[str]) -> list[str]:
    """Return all days from the first to the last: a day on which nothing happened is a gap."""
    if not days:
        return []
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    return [str(first + timedelta(n)) for n in range((last - first).days + 1)]


def lag_by_day(report: Report, say: Say) -> Figure:
    """Draw the P95 of the lag of each day below its limit."""
    lags = {lag.key: lag.p95_ms for lag in report.sync.by_day if lag.p95_ms >= 0}
    names = _every_day(list(lags))
    days = [
        Bar(day, lags[day] / 1000, notation.seconds(lags[day], say)) if day in lags else None
        for day in names
    ]
    limit_ms = report.project.thresholds.lag_p95_ms
    limit = Goal(limit_ms / 1000, f"{say('限值', 'limit')} {notation.seconds(limit_ms, say)}")
    sentence = say(
        f"每日同步时延 P95，{limit.words}", f"P95 of the synchronisation lag by day, {limit.words}"
    )
    caption = say(
        "二级节点在线期间，从受理到回执的时延 P95，逐日。",
        "P95 of the lag from acceptance to acknowledgement by day, secondary node online.",
    )
    short = [notation.short_date(name) for name in names]
    return _twice(
        lambda width: charts.lag_line(days, short, limit=limit, sentence=sentence, width=width),
        caption,
    )


def week(report: Report, say: Say) -> Figure:
    """Draw when in the week resolutions are asked for."""
    counts = report.resolutions.weekday_hours
    weekdays = [said(name, say) for name in WEEKDAYS]
    highest = notation.count(max(max(row) for row in counts))
    sentence = say(
        f"净解析量按星期与小时，最多一格 {highest} 次",
        f"Net resolutions by weekday and hour, {highest} in the fullest square",
    )
    caption = say(
        "净解析量按星期与小时（北京时间），颜色越深次数越多。",
        "Net resolutions by weekday and hour (Beijing time); darker is more.",
    )
    hours = say("时", ":00")
    return _twice(
        lambda width: charts.week_squares(
            counts, weekdays, hours=hours, sentence=sentence, width=width
        ),
        caption,
    )
