"""The lag of synchronisation, change by change, from leaves and acknowledgements.

Invariants: pure; a change's lag runs from the time in its own leaf to the acknowledgement of the
batch it was in, by this node's clock; percentiles are values that occur (nearest rank), so equal
inputs give equal figures. A change whose wait touches a time in which the link was known to be down
stands apart, in `offline`: it is never counted as good. Only outages noted when they happened
count; a long wait alone makes none, else the maximum could never be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from admin.acceptance.beijing import beijing_hour, time_ms
from admin.acceptance.report import Lag, Outage, Synchronisation
from admin.acceptance.shares import percent

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The leaves first … end - 1 were acknowledged at `acked_at`."""

    first: int
    end: int
    acked_at: str


@dataclass(frozen=True, slots=True)
class Down:
    """The link was down from `begins` to `ends`."""

    begins: str
    ends: str


def in_order(batches: Iterable[Acknowledged], size: int) -> list[Acknowledged]:
    """Return batches without overlap, ascending, within a log of `size` leaves.

    Where two cover a leaf, the later acknowledgement counts: it errs against the node.
    """
    latest: dict[int, str] = {}
    for batch in batches:
        for index in range(batch.first, min(batch.end, size)):
            if batch.acked_at > latest.get(index, ""):
                latest[index] = batch.acked_at
    found: list[Acknowledged] = []
    for index in sorted(latest):
        last = found[-1] if found else None
        if last is not None and last.end == index and last.acked_at == latest[index]:
            found[-1] = Acknowledged(last.first, index + 1, last.acked_at)
        else:
            found.append(Acknowledged(index, index + 1, latest[index]))
    return found


def synchronisation(
    times: Sequence[tuple[int, int]], batches: Sequence[Acknowledged], outages: Sequence[Down]
) -> Synchronisation:
    """Return the figures of changes `times`, (leaf index, Unix ms) in order of the log.

    `batches` as `in_order` returns them; `outages` ascending.
    """
    downs = [(time_ms(down.begins), time_ms(down.ends)) for down in outages]
    online: list[int] = []
    offline: list[int] = []
    by_day: dict[str, list[int]] = {}
    touched = [0] * len(downs)
    place = 0
    for index, at_ms in times:
        while place < len(batches) and batches[place].end <= index:
            place += 1
        if place == len(batches) or index < batches[place].first:
            continue
        acked_ms = time_ms(batches[place].acked_at)
        waited = [n for n, (down, up) in enumerate(downs) if down < acked_ms and at_ms < up]
        lag = max(0, acked_ms - at_ms)
        for n in waited:
            touched[n] += 1
        if waited:
            offline.append(lag)
        else:
            online.append(lag)
            by_day.setdefault(beijing_hour(at_ms)[:10], []).append(lag)
    acknowledged = len(online) + len(offline)
    return Synchronisation(
        online=lag_of("online", online),
        offline=lag_of("offline", offline),
        by_day=tuple(lag_of(day, by_day[day]) for day in sorted(by_day)),
        outages=tuple(
            Outage(down.begins, down.ends, -(-(up_ms - down_ms) // MINUTE_MS), count)
            for down, (down_ms, up_ms), count in zip(outages, downs, touched, strict=True)
        ),
        acknowledged=acknowledged,
        unacknowledged=len(times) - acknowledged,
        acknowledged_share=percent(acknowledged, len(times)) if times else "",
    )


def longest_wait_ms(
    times: Sequence[tuple[int, int]], batches: Sequence[Acknowledged], now_ms: int
) -> int:
    """Return the age of the oldest change that was not acknowledged, 0 when all were."""
    place = 0
    for index, at_ms in times:
        while place < len(batches) and batches[place].end <= index:
            place += 1
        if place == len(batches) or index < batches[place].first:
            return max(0, now_ms - at_ms)
    return 0


def lag_of(key: str, lags: Sequence[int]) -> Lag:
    """Return a row of percentiles by nearest rank; -1 where there is no lag."""
    ordered = sorted(lags)

    def rank(share: int) -> int:
        return ordered[(len(ordered) * share + 99) // 100 - 1] if ordered else -1

    return Lag(key, len(ordered), rank(50), rank(95), rank(99), rank(100))
