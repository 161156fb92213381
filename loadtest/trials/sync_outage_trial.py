"""F14, F15: a secondary node that is away for long, and one behind a late and thin line.

Registration must not notice either. After the outage the backlog is drained in the log's order,
which `link_books` sees in the peer's own receipts and chains of revisions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from loadtest.trials.findings import Finding
from loadtest.trials.link_proxy import Shape
from loadtest.trials.link_site import LinkSite
from loadtest.trials.sync_limits import Limits

THIN_BYTES_PER_S = 64_000
SINGLES_PER_S = 50.0
# Larger than 64 kB/s carry within the time that an answer may take.
BACKLOG = 1_500
_PATIENCE_S = 1_800.0
_DRAIN = """
SELECT min(sent_at), max(acked_at), max(end_index) - min(first_index), count(*)
FROM sync_batch WHERE first_index >= {first}
"""


def f14(site: LinkSite, size: int, limits: Limits) -> Iterator[Finding]:
    """Stop the peer, register `size` records, start it again."""
    before = max(size // 5, 1)
    before_per_s = before / site.load.register(before)
    site.wait_in_step(_PATIENCE_S)
    first = site.state().log_size
    site.secondary.stop()
    began = time.monotonic()
    during_per_s = size / site.load.register(size)
    time.sleep(max(0.0, limits.outage_s - (time.monotonic() - began)))
    outage_s = time.monotonic() - began
    share = during_per_s / before_per_s
    yield Finding(
        "F14",
        "registration goes on as before while the peer is away",
        share >= limits.local_share and not site.load.refused,
        {
            "before_per_s": round(before_per_s),
            "during_per_s": round(during_per_s),
            "share": round(share, 2),
            "outage_s": round(outage_s),
            "registered": size,
        },
    )
    site.secondary.start()
    restarted = time.monotonic()
    site.wait_in_step(_PATIENCE_S)
    yield _drained(site, first, limits, after_s=time.monotonic() - restarted)
    yield from site.agreement("F14")


def _drained(site: LinkSite, first: int, limits: Limits, *, after_s: float) -> Finding:
    (row,) = site.query(_DRAIN.format(first=first))
    sent, acked = datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])
    seconds = max((acked - sent).total_seconds(), 0.001)
    per_s = int(row[2]) / seconds
    return Finding(
        "F14",
        "the backlog is drained in time",
        per_s >= limits.drain_per_s,
        {
            "leaves": int(row[2]),
            "batches": int(row[3]),
            "drain_per_s": round(per_s),
            "seconds": round(seconds, 1),
            "in_step_after_s": round(after_s, 1),
        },
    )


def f15(site: LinkSite, size: int, limits: Limits) -> Iterator[Finding]:
    """Register `size` records singly over a good and over a late and thin line, by turns.

    By turns, so that whatever else the machine does troubles both alike.
    """
    good, thin = Shape(), Shape(limits.line_delay_s, THIN_BYTES_PER_S)
    taken_s: dict[Shape, list[float]] = {good: [], thin: []}
    for turn in range(2 * limits.turns):
        shape = (good, thin)[turn % 2]
        site.wait_in_step(_PATIENCE_S)
        _lay(site, shape)
        taken_s[shape] += site.load.register_singly(size // (2 * limits.turns), SINGLES_PER_S)
        _lay(site, good)
    good_s, thin_s = _p95(taken_s[good]), _p95(taken_s[thin])
    yield Finding(
        "F15",
        "a late and thin line does not slow registration",
        thin_s <= limits.p95_growth * good_s and not site.load.refused,
        {
            "p95_ms": round(1_000 * good_s, 2),
            "p95_thin_ms": round(1_000 * thin_s, 2),
            "growth": round(thin_s / good_s, 2),
            "delay_s": thin.delay_s,
            "bytes_per_s": thin.bytes_per_s,
        },
    )
    yield _gets_on(site, thin)
    _lay(site, good)
    yield from site.agreement("F15")


def _lay(site: LinkSite, shape: Shape) -> None:
    site.proxy.shape = shape
    site.proxy.break_connections()


def _gets_on(site: LinkSite, thin: Shape) -> Finding:
    """A backlog larger than the line takes at once still arrives over it."""
    site.wait_in_step(_PATIENCE_S)
    _lay(site, thin)
    before = site.state().acked_size
    site.load.register(BACKLOG)
    seconds = site.wait_in_step(_PATIENCE_S)
    leaves = site.state().acked_size - before
    figures = {"leaves": leaves, "seconds": round(seconds), "per_s": round(leaves / seconds, 1)}
    return Finding("F15", "a backlog arrives over the thin line", True, figures)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]
