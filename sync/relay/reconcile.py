"""Compares the records of both sides of the link and mends what differs.

The sender is paused until every answer is in, so both sides are compared at one log size. First
the digests of some thousand buckets travel, then the records of the buckets that differ; a full
comparison lists every record. What is missing or different at the peer is sent again, what only
the peer has is withdrawn, and the buckets concerned are compared once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import structlog

from node.errors import XibiaoError
from node.storage.reconciliation_queries import Reconciliation
from sync.digests import Buckets, bucket_name, differences
from sync.peer import Bucket, Link
from sync.relay.ledger import Ledger
from sync.relay.opening import ROLLED_BACK
from sync.relay.session import Session

_log = structlog.get_logger(__name__)
LOOK_S = 0.5
DIGITS = 3
LISTED_AT_ONCE = 64  # buckets of some seventy records each, for 300,000 records
SENT_AT_ONCE = 500
SHOWN = 100
CANNOT_COMPARE = msgspec.json.encode(
    {"failed": "peer_cannot_compare", "reason": "二级节点不能比对 / The peer cannot compare"}
).decode()


@dataclass(frozen=True, slots=True)
class _Found:
    missing: list[str]
    extra: list[str]
    different: list[str]

    @property
    def count(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.different)


class Reconciler:
    """Runs the comparisons that operators ask for, on one open link."""

    def __init__(self, link: Link, ledger: Ledger, session: Session) -> None:
        self._link = link
        self._ledger = ledger
        self._session = session

    async def run(self) -> None:
        """Look for comparisons to run, for ever."""
        while True:
            asked = await self._ledger.asked_comparison()
            if asked is None:
                await asyncio.sleep(LOOK_S)
            elif self._link.capabilities.can_reconcile:
                await self._run_one(asked)
            else:
                await self._ledger.finish_comparison(replace(asked, details=CANNOT_COMPARE))

    async def _run_one(self, asked: Reconciliation) -> None:
        try:
            result = await self.compare(asked)
        except XibiaoError as error:
            failure = msgspec.json.encode({"failed": error.code, "reason": str(error)}).decode()
            await self._ledger.finish_comparison(replace(asked, details=failure))
            raise
        if result.differences == result.mended:
            # Before it is finished: whoever waits for that finds no alarm about what is mended.
            await self._ledger.clear_alarms(ROLLED_BACK)
        await self._ledger.finish_comparison(result)

    async def compare(self, asked: Reconciliation) -> Reconciliation:
        """Compare and mend; return the result."""
        size = await self._session.pause()
        try:
            ours = await self._ledger.record_digests(size)
            buckets = _buckets(ours)
            names = await self._differing(size, buckets, full=asked.kind == "full")
            found = await self._differences(ours, size, names)
            if found.count:
                await self._mend(ours, found)
            left = await self._differences(ours, size, _names_of(found))
        finally:
            self._session.resume()
        _log.info("reconciled", size=size, records=len(ours), differences=found.count)
        shown = {
            "missing": found.missing[:SHOWN],
            "extra": found.extra[:SHOWN],
            "different": found.different[:SHOWN],
            "left": (left.missing + left.extra + left.different)[:SHOWN],
        }
        return replace(
            asked,
            size=size,
            total=len(ours),
            differences=found.count,
            mended=found.count - left.count,
            details=msgspec.json.encode(shown).decode(),
        )

    async def _differing(self, size: int, buckets: Sequence[Bucket], *, full: bool) -> list[str]:
        """Return the names of the buckets to look into."""
        answer = await self._link.compare("", size, DIGITS, buckets, ())
        if full:
            return [f"{number:0{DIGITS}x}" for number in range(16**DIGITS)]
        return sorted(answer.differing)

    async def _differences(
        self, ours: dict[str, tuple[bytes, int]], size: int, names: Sequence[str]
    ) -> _Found:
        wanted = set(names)
        here = [
            (key, digest) for key, (digest, _) in ours.items() if bucket_name(key, DIGITS) in wanted
        ]
        there: list[tuple[str, bytes]] = []
        for start in range(0, len(names), LISTED_AT_ONCE):
            chunk = names[start : start + LISTED_AT_ONCE]
            answer = await self._link.compare("", size, DIGITS, (), chunk)
            there += [(key, digest) for key, digest, _ in answer.records]
        return _Found(*differences(here, there))

    async def _mend(self, ours: dict[str, tuple[bytes, int]], found: _Found) -> None:
        for start in range(0, len(found.extra), SENT_AT_ONCE):
            chunk = found.extra[start : start + SENT_AT_ONCE]
            await self._link.withdraw(chunk, "比对:企业节点日志中没有 / not in the node's log")
        indexes = sorted(ours[key][1] for key in (*found.missing, *found.different))
        for start in range(0, len(indexes), SENT_AT_ONCE):
            items = await self._ledger.items_at(indexes[start : start + SENT_AT_ONCE])
            await self._ledger.write_retried(items, await self._link.retry(items))


def _buckets(ours: dict[str, tuple[bytes, int]]) -> list[Bucket]:
    buckets = Buckets(DIGITS)
    for key, (digest, _) in ours.items():
        buckets.add(key, digest)
    return buckets.all()


def _names_of(found: _Found) -> list[str]:
    keys = (*found.missing, *found.extra, *found.different)
    return sorted({bucket_name(key, DIGITS) for key in keys})
