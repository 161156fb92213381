"""Campaigns and the node's availability, as the leaves of the log tell them.

Invariants: pure; a campaign is shown with its first leaf and its last state; an hour whose
statement was made more than ten minutes late was not served from its beginning on, and until the
statement was made. That errs against the node: a crash within an hour costs the whole of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from admin.acceptance.beijing import time_ms
from admin.acceptance.report import Availability, Campaign, Outage
from admin.acceptance.shares import percent, percent_rounded_up
from node.domain.counting.campaign import CampaignLeaf
from node.domain.counting.statement import HOUR_STAT, Statement

LATE_MS = 600_000
MINUTE_MS = 60_000


def campaigns(
    leaves: Sequence[tuple[int, CampaignLeaf]], counts: Mapping[str, int]
) -> tuple[Campaign, ...]:
    """Return the campaigns of (leaf index, leaf) in order; `counts`: look-ups of each, by id."""
    first: dict[str, tuple[int, CampaignLeaf]] = {}
    state: dict[str, str] = {}
    for index, leaf in leaves:
        first.setdefault(leaf.id, (index, leaf))
        state[leaf.id] = leaf.state
    return tuple(
        Campaign(
            id=leaf.id,
            declared=leaf.declared,
            operator=leaf.operator,
            reason=leaf.reason,
            begins=leaf.begins,
            ends=leaf.ends,
            logged_at=leaf.at,
            index=index,
            state=state[leaf.id],
            count=counts.get(leaf.id, 0),
        )
        for index, leaf in first.values()
    )


def availability(statements: Sequence[Statement], failed: int) -> Availability:
    """Return the share of minutes in which hours were sealed in time."""
    hours = [statement for statement in statements if statement.kind == HOUR_STAT]
    gaps: list[tuple[str, str]] = []
    for hour in hours:
        if time_ms(hour.at) - time_ms(hour.ends) <= LATE_MS:
            continue
        if gaps and hour.begins <= gaps[-1][1]:
            gaps[-1] = gaps[-1][0], max(gaps[-1][1], hour.at)
        else:
            gaps.append((hour.begins, hour.at))
    minutes = 0
    if hours:
        minutes = _minutes(hours[0].begins, max(hours[-1].ends, *(end for _, end in gaps[-1:]), ""))
    away = sum(_minutes(*gap) for gap in gaps)
    return Availability(
        minutes=minutes,
        unavailable_minutes=away,
        share=percent(minutes - away, minutes),
        failed_lookups=failed,
        failure_share=percent_rounded_up(away, minutes),
        interruptions=tuple(Outage(*gap, _minutes(*gap), 0) for gap in gaps),
    )


def _minutes(begins: str, ends: str) -> int:
    return -(-(time_ms(ends) - time_ms(begins)) // MINUTE_MS)
