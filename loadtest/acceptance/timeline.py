"""What happened in every second of a run: registered, resolved, latency, errors, lag.

Rates, latency and errors are what Locust's processes wrote down; the lag is that of the relay's
own evidence: for each acknowledged batch the time of its oldest change and of its acknowledgement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAGS = """
SELECT (1000 * extract(epoch FROM acked_at::timestamptz))::bigint,
       greatest(0, 1000 * extract(epoch FROM acked_at::timestamptz - oldest_at::timestamptz))::int,
       end_index - first_index
FROM sync_batch ORDER BY 1;
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """One acknowledged batch: when, how late its oldest change was, how many changes."""

    at_ms: int
    lag_ms: int
    changes: int


@dataclass(slots=True)
class Second:
    """One second of the run, `at` seconds from its beginning. Latencies are in ms.

    `resolving_ms`, `registering_ms`: (p50, p99) of what ended in it; `lag_ms`: the greatest.
    """

    at: int
    registered: int = 0
    resolved: int = 0
    errors: int = 0
    lag_ms: int = 0
    resolving_ms: tuple[float, float] = (0.0, 0.0)
    registering_ms: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All seconds of a run, without gaps, and the lags."""

    began_ms: int
    seconds: tuple[Second, ...]
    lags: tuple[Lag, ...] = field(repr=False, default=())

    def lag_percentiles(self) -> dict[str, int]:
        """Return p50, p95, p99 and the greatest lag in ms, each batch counting for its changes."""
        return percentiles(self.lags)


def percentiles(lags: Iterable[Lag]) -> dict[str, int]:
    """Return p50, p95, p99 and the greatest lag in ms; all 0 without any."""
    ordered = sorted((lag.lag_ms, lag.changes) for lag in lags)
    total = sum(changes for _, changes in ordered)
    shown: dict[str, int] = {}
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
        passed, value = 0, 0
        for lag_ms, changes in ordered:
            passed, value = passed + changes, lag_ms
            if passed >= share * total:
                break
        shown[name] = value
    return shown


def read_timeline(ledger: Path, lags: Sequence[Lag]) -> Timeline:
    """Put together what the processes of a run wrote into their files of seconds."""
    by_second: dict[int, Second] = {}
    for path in sorted(ledger.glob("seconds-*.ndjson")):
        before = (0, 0)
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            at = line["t"] // 1000
            second = by_second.setdefault(at, Second(at))
            _add(second, line, before)
            before = line["registered"], line["resolved"]
    if not by_second:
        return Timeline(0, (), tuple(lags))
    for lag in lags:
        if (second_of := by_second.get(lag.at_ms // 1000)) is not None:
            second_of.lag_ms = max(second_of.lag_ms, lag.lag_ms)
    first, last = min(by_second), max(by_second)
    seconds = [by_second.get(at, Second(at)) for at in range(first, last + 1)]
    for number, second in enumerate(seconds):
        second.at = number
    return Timeline(first * 1000, tuple(seconds), tuple(lags))


def _add(second: Second, line: dict[str, object], before: tuple[int, int]) -> None:
    registered, resolved = line["registered"], line["resolved"]
    assert isinstance(registered, int)
    assert isinstance(resolved, int)
    second.registered += registered - before[0]
    second.resolved += resolved - before[1]
    names = line["names"]
    assert isinstance(names, dict)
    for name, (_, failures, p50, p99, _) in names.items():
        second.errors += failures
        if name.startswith("解析"):
            second.resolving_ms = _worse(second.resolving_ms, p50, p99)
        elif name.startswith(("登记", "批量")):
            second.registering_ms = _worse(second.registering_ms, p50, p99)


def _worse(known: tuple[float, float], p50: float, p99: float) -> tuple[float, float]:
    return max(known[0], p50), max(known[1], p99)
