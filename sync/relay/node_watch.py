"""Notices disturbances of this node and their ends, to be told to the peer (CAICT annex 2, 13–18).

Three subjects: `node` (this process began, ended, or was found to have ended without notice),
`storage` (the database does not answer), `link` (no session for a while, noted by the relay).
What cannot be written while the database is away is written when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from node.errors import XibiaoError
from sync.relay.ledger import Ledger
from sync.relay.report_book import moment_text

_log = structlog.get_logger(__name__)
NODE, STORAGE, LINK = "node", "storage", "link"
PROBE_S, PROBE_TIMEOUT_S, STOP_TIMEOUT_S = 5.0, 5.0, 2.0


@dataclass(frozen=True, slots=True)
class NodeWatch:
    """Watches as long as the process does."""

    ledger: Ledger
    probe_s: float = PROBE_S

    async def run(self) -> None:
        """Note the start, probe the database for ever, note the end."""
        await _tried(self._started())
        try:
            await self._probe()
        finally:
            stopped = self.ledger.reports.begun(NODE, "other", "停机 / stopped")
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await _tried(stopped)

    async def _started(self) -> None:
        book = self.ledger.reports
        last = await book.last_event(NODE)
        heard_at = (await self.ledger.position()).heard_at
        if heard_at and (last is None or last.closes):
            # The last run wrote no end: it was killed, some time after it was heard last.
            detail = "未正常停机即中断 / ended without notice"
            await book.begun(NODE, "system", detail, at=max(heard_at, last.at if last else ""))
        await book.ended(NODE, "已启动 / started")

    async def _probe(self) -> None:
        since, reason = "", ""
        while True:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    await self.ledger.log_state()
                    if since:
                        book = self.ledger.reports
                        await book.begun(STORAGE, "system", reason, at=since)
                        await book.ended(STORAGE, "数据库已恢复 / the database is back")
                        since = ""
            except (XibiaoError, TimeoutError) as error:
                since = since or moment_text(self.ledger.reports.now())
                reason = f"数据库不可用 / the database does not answer: {error}"[:200]
            await asyncio.sleep(self.probe_s)


async def _tried(noting: Awaitable[None]) -> None:
    try:
        await noting
    except XibiaoError as error:
        _log.warning("event_not_noted", reason=str(error))
