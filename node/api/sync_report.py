"""The link to the secondary node as `status` shows it.

`acked_index` is the number of leaves the secondary node holds: equal to the log's size when both
are in step. Lag runs from the acceptance of the oldest change of a batch to the acknowledgement of
that batch here, over the newest batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from node.storage import (
    alarm_queries,
    directive_queries,
    filing_queries,
    position_queries,
    receipt_queries,
    reconciliation_queries,
    sync_queries,
)
from node.storage.engine import ReadScope
from node.storage.sync_queries import BatchEvidence

MEASURED_BATCHES = 1_000


async def sync_report(
    scope: ReadScope, peer: str, log_size: int, now: datetime
) -> dict[str, object]:
    """Return the state of the link; `peer` "" when no secondary node is configured."""
    if not peer:
        return {
            "configured": False,
            "acked_index": 0,
            "backlog": log_size,
            "lag_ms": lag_percentiles(()),
        }
    position = await position_queries.position(scope, peer)
    evidence = await sync_queries.recent_evidence(scope, peer, MEASURED_BATCHES)
    oldest = await sync_queries.oldest_unacknowledged(scope, position.acked_size)
    size, cosigned_at = await sync_queries.last_cosignature(scope, peer)
    compared = await reconciliation_queries.last(scope)
    return {
        "configured": True,
        "peer": peer,
        "acked_index": position.acked_size,
        "backlog": max(0, log_size - position.acked_size),
        "oldest_unacked_s": _age_s(oldest, now),
        "heard_at": position.heard_at,
        "lag_ms": lag_percentiles(evidence),
        "items": await sync_queries.item_counts(scope, peer),
        "cosigned": {"size": size, "at": cosigned_at, "by": position.cosigner_key},
        "receipt": await _receipt(scope, peer, log_size),
        "day_report": await _day_report(scope, peer),
        "reconciled": None
        if compared is None
        else {
            "at": compared.finished_at,
            "size": compared.size,
            "differences": compared.differences,
            "mended": compared.mended,
        },
        "directives_waiting": len(await directive_queries.undecided(scope, peer)),
        "alarms": [
            {"kind": alarm.kind, "zh": alarm.zh, "en": alarm.en, "raised_at": alarm.raised_at}
            for alarm in await alarm_queries.standing(scope)
        ],
    }


async def _receipt(scope: ReadScope, peer: str, log_size: int) -> dict[str, object]:
    """Return the newest receipt; `refused`: why there is none, or none since, "" for no refusal."""
    newest = await receipt_queries.newest_receipt(scope, peer, log_size)
    refusal = await filing_queries.last_filing(scope, peer, receipt_queries.RECEIPT, "")
    at = newest.at if newest else ""
    return {
        "size": newest.size if newest else 0,
        "at": at,
        "refused": refusal.code if refusal and refusal.sent_at > at else "",
    }


async def _day_report(scope: ReadScope, peer: str) -> dict[str, object]:
    """Return the last day that was reported, and what the secondary node said of it."""
    last = await filing_queries.newest_filing(scope, peer, receipt_queries.DAY_REPORT)
    if last is None:
        return {"day": "", "sent_at": "", "accepted": False, "code": ""}
    return {
        "day": last.name,
        "revision": last.revision,
        "sent_at": last.sent_at,
        "accepted": last.accepted,
        "code": last.code,
    }


def lag_percentiles(evidence: Sequence[BatchEvidence]) -> dict[str, int | None]:
    """Return p50, p95, p99 and the greatest lag in ms, each batch counting for all its changes."""
    lags = sorted((_lag_ms(batch), batch.end_index - batch.first_index) for batch in evidence)
    total = sum(count for _, count in lags)
    shown: dict[str, int | None] = {}
    for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
        passed, value = 0, None
        for lag, count in lags:
            passed, value = passed + count, lag
            if passed >= share * total:
                break
        shown[name] = value
    return shown


def _lag_ms(batch: BatchEvidence) -> int:
    lag = datetime.fromisoformat(batch.acked_at) - datetime.fromisoformat(batch.oldest_at)
    return max(0, round(lag.total_seconds() * 1000))


def _age_s(at: str, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(at)).total_seconds()) if at else 0.0
