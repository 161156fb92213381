"""The figures of counting as status shows them: what is sealed, and what is durable beside it."""

from __future__ import annotations

from collections.abc import Mapping

from node.counting.live_totals import LiveTotals, read_live
from node.counting.tally_folder import TallyFolder
from node.domain.counting.period_count import merged
from node.domain.counting.rule_set import CLASSES, RuleSet, parse_rules
from node.domain.counting.rules import shipped_rules
from node.domain.counting.statement import CHANNELS, decode_rule_change
from node.storage import statement_queries, tally_queries
from node.storage.engine import ReadScope

Counts = Mapping[str, Mapping[str, int]]


async def resolution_report(scope: ReadScope, folder: TallyFolder) -> dict[str, object]:
    """Return gross - deductions = net by class and channel, with and without what is not sealed.

    `gross`, `deductions`, `net` and `by_channel` are of all that is durable, as far as the counting
    process has read it; `live` is the part of it that is not sealed, None while that is not known.
    """
    state = await tally_queries.state(scope)
    rules = await rules_in_force(scope)
    counted = frozenset(rules.rules.counted)
    sealed = tally_queries.decode_counts(state.counts)
    live = read_live(folder, state.head)
    together = merged(sealed, live.counts if live else {})
    return {
        **_figures(together, counted),
        "by_channel": {
            channel: _channel(together, channel, counted)
            for channel in CHANNELS
            if any(channel in by for by in together.values())
        },
        "settled_until": state.sealed_until,
        "settled": {**_sums(sealed, counted), "statements": state.statements},
        "live": _live(live, counted),
        "dropped": state.dropped + (live.dropped if live else 0),
        "rules": {"version": rules.version, "digest": rules.digest},
    }


async def rules_in_force(scope: ReadScope) -> RuleSet:
    """Return the rules that the newest statement was made by; those shipped before the first."""
    last = await statement_queries.last(scope, statement_queries.RULE_CHANGE)
    if last is not None:
        wanted = decode_rule_change(last.leaf)
        for version, _, body in await statement_queries.rules(scope):
            if version == wanted.version:
                return parse_rules(body)
    return shipped_rules()[-1]


def _figures(counts: Counts, counted: frozenset[str]) -> dict[str, object]:
    by_class = {name: sum(by.values()) for name, by in counts.items()}
    return {
        "gross": sum(by_class.values()),
        "deductions": {n: by_class.get(n, 0) for n in CLASSES if n not in counted},
        "counted": {name: by_class.get(name, 0) for name in CLASSES if name in counted},
        "net": sum(by_class.get(name, 0) for name in counted),
    }


def _sums(counts: Counts, counted: frozenset[str]) -> dict[str, int]:
    by_class = {name: sum(by.values()) for name, by in counts.items()}
    net = sum(by_class.get(name, 0) for name in counted)
    return {"gross": sum(by_class.values()), "net": net}


def _channel(counts: Counts, channel: str, counted: frozenset[str]) -> dict[str, int]:
    return _sums({n: {channel: by[channel]} for n, by in counts.items() if channel in by}, counted)


def _live(live: LiveTotals | None, counted: frozenset[str]) -> dict[str, object] | None:
    if live is None:
        return None
    return {
        **_sums(live.counts, counted),
        "dropped": live.dropped,
        "late": live.late,
        "at": live.at,
    }
