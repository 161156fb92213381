"""The lag of synchronisation: from each leaf's own time to the acknowledgement of its batch."""

from __future__ import annotations

from typing import Any

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Faults, require, strict_json
from admin.acceptance.verifier.registrations import Registered, beijing_hour, share, unix_ms

SYNC = "sync.ndjson"


def count_lag(
    files: BundleFiles, found: Registered, faults: Faults
) -> tuple[dict[str, Any], int | None]:
    """Return the report's part `sync`, and since when the oldest change waits; raises Broken."""
    faults.reading = SYNC
    batches, outages, texts = _read(files.read(SYNC))
    acked: dict[int, int] = {}
    for first, end, at_ms in batches:
        for index in range(first, end):
            acked[index] = at_ms
    online: list[int] = []
    offline: list[int] = []
    by_day: dict[str, list[int]] = {}
    waiting, oldest = 0, None
    hit = [0] * len(outages)
    for index, at_ms in found.leaf_times:
        if index not in acked:
            waiting += 1
            oldest = at_ms if oldest is None else min(oldest, at_ms)
            continue
        lag = max(0, acked[index] - at_ms)
        touched = [n for n, (down, up) in enumerate(outages) if down < acked[index] and at_ms < up]
        for n in touched:
            hit[n] += 1
        if touched:
            offline.append(lag)
        else:
            online.append(lag)
            by_day.setdefault(beijing_hour(at_ms)[:10], []).append(lag)
    part = {
        "online": lag_row("online", online),
        "offline": lag_row("offline", offline),
        "by_day": [lag_row(day, by_day[day]) for day in sorted(by_day)],
        "outages": [
            {**texts[n], "minutes": -(-(up - down) // 60_000), "changes": hit[n]}
            for n, (down, up) in enumerate(outages)
        ],
        "acknowledged": len(online) + len(offline),
        "unacknowledged": waiting,
        "acknowledged_share": "",
    }
    if found.leaf_times:
        whole = len(found.leaf_times)
        part["acknowledged_share"] = share(len(online) + len(offline), whole)
    return part, oldest


def lag_row(key: str, lags: list[int]) -> dict[str, Any]:
    """Return one row of lags; percentiles are the smallest lag that so many do not pass."""
    row: dict[str, Any] = {"key": key, "count": len(lags)}
    ordered = sorted(lags)
    for name, rank in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99), ("max_ms", 100)):
        row[name] = ordered[(len(ordered) * rank + 99) // 100 - 1] if ordered else -1
    return row


def _read(
    data: bytes,
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]], list[dict[str, str]]]:
    batches, outages, texts = [], [], []
    covered, after = 0, 0
    for line in data.splitlines():
        row = strict_json(line, SYNC)
        if "down" in row:
            down, up = unix_ms(row["down"]), unix_ms(row["up"])
            good = after <= down <= up
            after = up
            outages.append((down, up))
            texts.append({"begins": row["down"], "ends": row["up"]})
        else:
            first, end = row["first"], row["end"]
            good = covered <= first < end
            covered = end
            batches.append((first, end, unix_ms(row["acked_at"])))
        require(good, SYNC, "次序有误", "the lines are out of order")
    return batches, outages, texts
