"""Tells operators in time that a certificate of the link is about to end: log, metric and alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta

import structlog

from node.errors import XibiaoError
from node.telemetry import Metrics
from sync.link_credentials import LinkCredentials
from sync.relay.ledger import Alarm, Ledger

_log = structlog.get_logger(__name__)
LOOK_EVERY_S = 60.0
WARN_BEFORE_END = timedelta(days=14)
ENDS_SOON = {"own": "link_certificate_ends_soon", "peer": "peer_certificate_ends_soon"}
_WHOSE_ZH = {"own": "本节点", "peer": "二级节点"}
_WHOSE_EN = {"own": "This node's", "peer": "The secondary node's"}


class CertificateWatch:
    """Looks at our certificate and at the one the peer showed last."""

    def __init__(
        self,
        credentials: LinkCredentials,
        ledger: Ledger,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._warned: dict[str, date] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except XibiaoError as error:
                _log.warning("link_certificate_not_looked_at", code=error.code, reason=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Compare both ends of validity with the clock; raise InvalidInput without our files."""
        await self._look_at("peer", self._credentials.peer_expires_at)
        await self._look_at("own", self._credentials.own_expires_at())

    async def _look_at(self, side: str, expires_at: datetime | None) -> None:
        if expires_at is None:
            return
        self._metrics.sync_certificate_expires.labels(side).set(expires_at.timestamp())
        now = self._clock()
        if now < expires_at - WARN_BEFORE_END:
            await self._ledger.clear_alarms(ENDS_SOON[side])
            return
        if self._warned.get(side) != now.date():
            self._warned[side] = now.date()
            _log.warning("link_certificate_ends_soon", side=side, expires_at=str(expires_at))
        end = f"{expires_at:%Y-%m-%d %H:%M} UTC"
        await self._ledger.raise_alarm(
            Alarm(
                ENDS_SOON[side],
                f"{_WHOSE_ZH[side]}的同步证书将于 {end} 到期",
                f"{_WHOSE_EN[side]} link certificate ends at {end}",
            )
        )
