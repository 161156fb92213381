"""What must hold of what was observed during a soak (pure); each function names what does not.

I1 what was acknowledged is there; I2 nothing is registered twice; I3 the log is contiguous and only
grows; I4 the secondary node holds the same tree; I5 it has everything within a minute of calm; I7
what is counted was asked, and no more is missing than killed resolvers may lose; I8 no stack trace
and no key in what processes write; I9 look-ups are answered, rightly and in time. I6, each change
once at the secondary node, is looked at in the end (`loadtest.soak.closing`).

A bound that depends on calm is judged only when it was calm for long enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadtest.soak.calm import CALM_S, Troubles
from loadtest.soak.ledger_tail import Late, Noted
from loadtest.soak.plan import BATCHERS, LARGEST_BATCH, SINGLES

# Registrations that may be done and not yet noted: those under way.
UNDER_WAY = SINGLES + BATCHERS * LARGEST_BATCH
ASKED_UNDER_WAY = 200
# A killed resolver loses what it noted in `tally.flush` (100 ms), at most 8,192 look-ups. Both
# resolvers answer, and a flush may be as late again on a busy machine: all answers of 200 ms.
FLUSH_S, MOST_LOST_A_KILL = 0.2, 8_192
# How late an answer may be when nothing was broken; the product's own bound is one second, the
# rest is for a machine that carries node, databases, secondary node and load on two cores.
LATE_IN_CALM_S = 5.0
ANSWERED_IN_CALM = 0.99
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RegisterSeen:
    """The node's database: `revisions` of the records asked for, and counts."""

    at_ms: int
    revisions: Mapping[str, int]
    records: int
    leaves: int
    last_index: int
    pending: int
    acked: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Where everybody stood at a moment."""

    at_ms: int
    size: int
    acked: int
    effects: int
    answered: int


def lost_records(least: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    """I1: say which records are missing or older than what was acknowledged."""
    for identifier, revision in least.items():
        there = found.get(identifier, 0)
        if there < revision:
            yield f"I1 {identifier}: 已确认版本 {revision},只有 {there} acknowledged, but there is"


def wrong_counts(before: Noted, seen: RegisterSeen, after: Noted) -> Iterator[str]:
    """I1–I3: say what the counts show; the ledger was read before and after the database."""
    most = after.registered + after.unknown + UNDER_WAY
    if seen.records < before.registered:
        yield f"I1 {before.registered} 条已确认登记,只有 {seen.records} acknowledged, there are"
    if seen.records > most:
        yield f"I2 {seen.records} 条记录,至多 {most} records where at most so many were asked for"
    if seen.leaves != seen.last_index + 1:
        yield f"I3 {seen.leaves} 叶,最后序号 {seen.last_index} leaves, last index: not contiguous"


def behind(history: Sequence[Moment], now: Moment, troubles: Troubles) -> Iterator[str]:
    """I5: after a minute of calm the log and the secondary node have what there was before it."""
    if not troubles.is_calm(now.at_ms):
        return
    old = [m for m in history if m.at_ms <= now.at_ms - 1_000 * CALM_S]
    if not old:
        return
    then = old[-1]
    if now.acked < then.size:
        yield f"I5 平静一分钟后二级节点 {now.acked} < {then.size} after a minute of calm"
    if now.size < then.effects:
        yield f"I5 平静一分钟后日志 {now.size} < {then.effects} 条已确认 acknowledged before it"


def gone_back(history: Sequence[Moment], now: Moment) -> Iterator[str]:
    """I3, I5: neither the log nor what the secondary node has acknowledged ever shrinks."""
    if history and now.size < history[-1].size:
        yield f"I3 日志缩短 the log shrank: {history[-1].size} → {now.size}"
    if history and now.acked < history[-1].acked:
        yield f"I5 已确认序号倒退 the acknowledged index fell: {history[-1].acked} → {now.acked}"


def lost_bound(noted: Noted, killed_ms: Iterable[int]) -> int:
    """Return how many look-ups may be missing from the count after resolvers were killed."""
    bound = 0
    for at_ms in killed_ms:
        around = range(at_ms // 1_000 - 2, at_ms // 1_000 + 2)
        busiest = max(
            noted.answered_each[second] + noted.unanswered_each[second] for second in around
        )
        bound += min(MOST_LOST_A_KILL, int(FLUSH_S * busiest) + 1)
    return bound


def asked_until(noted: Noted, at_ms: int) -> int:
    """Return how many look-ups a count of that moment may have, at most.

    The load notes them by the second in which they ended, some time after that.
    """
    last = at_ms // 1_000 + 1
    each = noted.answered_each + noted.unanswered_each
    return sum(n for second, n in each.items() if second <= last) + ASKED_UNDER_WAY


def overcounted(gross: int, at_most: int) -> Iterator[str]:
    """I7: what is counted was asked."""
    if gross > at_most:
        yield f"I7 计数 {gross} 多于请求 {at_most} more counted than asked"


def undercounted(gross: int, at_least: int, *, lost: int) -> Iterator[str]:
    """I7: what is missing is within the bound."""
    if gross < at_least - lost:
        yield (
            f"I7 计数 {gross} 少于应答 {at_least},短缺超过上限 {lost}"
            f" {at_least - gross} are missing, more than the bound"
        )


def too_late(late: Iterable[Late], troubles: Troubles) -> Iterator[str]:
    """I9: say which answers were late although nothing was broken."""
    for one in late:
        first_ms = one.at_ms - int(1_000 * one.seconds)
        if one.seconds > LATE_IN_CALM_S and troubles.was_calm_between(first_ms, one.at_ms):
            yield f"I9 迟于 late by more than {one.seconds - 1:.0f} s: {one.identifier} {one.what}"


def unavailable(noted: Noted, first_ms: int, last_ms: int, troubles: Troubles) -> Iterator[str]:
    """I9: say when too many look-ups went unanswered although nothing was broken."""
    answered, share = availability(noted, first_ms, last_ms)
    if answered and share < ANSWERED_IN_CALM and troubles.was_calm_between(first_ms, last_ms):
        yield f"I9 平静时解析成功率 {share:.2%} look-ups answered in calm"


def availability(noted: Noted, first_ms: int, last_ms: int) -> tuple[int, float]:
    """Return how many look-ups were answered in a stretch of time, and their share of all."""
    seconds = range(first_ms // 1_000 + 1, last_ms // 1_000 + 1)
    answered = sum(noted.answered_each[second] for second in seconds)
    failed = sum(noted.unanswered_each[second] for second in seconds)
    return answered, answered / (answered + failed) if answered + failed else 1.0


def shown(violations: Sequence[str]) -> list[str]:
    """Return the first of each invariant, and how many more there are."""
    lines: list[str] = []
    for name in dict.fromkeys(violation[:2] for violation in violations):
        of_one = [violation for violation in violations if violation.startswith(name)]
        lines += of_one[:_SHOWN]
        if len(of_one) > _SHOWN:
            lines.append(f"{name} … 另有 and {len(of_one) - _SHOWN} more")
    return lines
