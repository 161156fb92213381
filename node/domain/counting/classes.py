"""Which class an event is of: the first that fits, in the order of `rule_set.CLASSES`.

Invariants: the class follows from the facts of the event, the rules, what was counted within
`repeat_ms` before or after, and nothing else; so whoever has journal and rules can repeat it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import NamedTuple

from node.domain.counting.rule_set import Burst


class Standing(NamedTuple):
    """What an event's client is, whatever it asks: a class, or "" when it depends on the event."""

    excluded: str
    counted_as: str


def standing(near: str, role: str, agent_kind: str) -> Standing:
    """Return the class of a client's events, as far as the client alone decides it.

    `agent_kind` is `health`, `crawler` or "". A robot is one that names itself so and shows no key:
    a partner's program authenticates itself and is a system, whatever library it uses.
    """
    counted_as = "ext_system" if role == "partner" else "ext_user"
    if role == "monitor" or agent_kind == "health":
        return Standing("health", counted_as)
    if near == "self" or role == "self":
        return Standing("self", counted_as)
    if role == "internal" or (near == "own" and role != "partner"):
        return Standing("int_business", counted_as)
    if agent_kind == "crawler" and role == "none":
        return Standing("crawler", counted_as)
    return Standing("", counted_as)


class CountedTimes:
    """When each pair of client and identifier was counted: the memory of the repeat rule.

    Of a pair that was counted, another event is a repeat when it is at most `window_ms` earlier or
    later. Periods go by in order, so an event of the open period is measured from the last counted
    one; a late event is judged with what was counted on both sides of it (`add` that first).
    """

    def __init__(self, window_ms: int) -> None:
        self.window_ms = window_ms
        self._times: dict[tuple[str, str], list[int]] = {}

    def __len__(self) -> int:
        return len(self._times)

    def add(self, client: str, identifier: str, at_ms: int) -> None:
        """Note that an event was counted."""
        times = self._times.setdefault((client, identifier), [])
        if times and at_ms < times[-1]:
            insort(times, at_ms)
        else:
            times.append(at_ms)

    def is_repeat(self, client: str, identifier: str, at_ms: int) -> bool:
        """Say whether the same was counted within the window."""
        times = self._times.get((client, identifier))
        if times is None:
            return False
        next_at = bisect_left(times, at_ms - self.window_ms)
        return next_at < len(times) and times[next_at] <= at_ms + self.window_ms

    def forget_before(self, at_ms: int) -> None:
        """Forget what lies earlier, once nothing will be asked that it could decide."""
        kept = {pair: [t for t in times if t >= at_ms] for pair, times in self._times.items()}
        self._times = {pair: times for pair, times in kept.items() if times}


def class_of(
    standing_of_client: Standing,
    *,
    is_loadtest: bool,
    is_found: bool,
    pair: tuple[str, str],
    at_ms: int,
    counted: CountedTimes,
) -> str:
    """Return the class of an event and note it in `counted` if it is not a deduction."""
    if is_loadtest:
        return "loadtest"
    if standing_of_client.excluded:
        return standing_of_client.excluded
    if not is_found:
        return "miss"
    if counted.is_repeat(*pair, at_ms):
        return "repeat"
    counted.add(*pair, at_ms)
    return standing_of_client.counted_as


def bursts(
    candidates: Counter[str], history: Mapping[str, Sequence[int]], rule: Burst
) -> list[str]:
    """Return the client tags whose events of a period are a load test nobody declared, sorted.

    `candidates`: events a client of the period that no declared campaign, test prefix or standing
    excludes, misses and repeats among them; shares are shares of their sum. `history`: the same
    numbers of the client's earlier statements (not corrections) that begin at most
    `history_days` before; of an even number the lower median counts, of none 0.
    """
    total = candidates.total()
    return sorted(
        tag
        for tag, count in candidates.items()
        if count >= rule.least_events
        and 100 * count > rule.share_percent * total
        and count > rule.times_median * median_low(history.get(tag) or (0,))
    )


def suspects(candidates: Counter[str], rule: Burst) -> list[str]:
    """Return the client tags that may be bursts, so that only their history need be read."""
    return bursts(candidates, {}, rule)
