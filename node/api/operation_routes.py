"""Status, health, readiness and metrics: they tell the truth or say that they cannot.

`/healthz`: this process runs its loop. `/readyz`: each role of this process can do its work right
now; 503 with the reasons otherwise: `draining`, `lookup_blind` (the log cannot be followed),
`database_unavailable`, `log_behind` (a change waits for the sequencer, wherever that runs, for more
than `LOG_BEHIND_S`, or too many do).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from node.api.access_control import AccessControl
from node.api.exchange import json_response
from node.api.sync_report import sync_report
from node.domain import log_entry
from node.domain.record import Status
from node.errors import XibiaoError
from node.storage import edge_queries, log_queries, statistics_queries
from node.storage.engine import Database, ReadScope
from node.telemetry import METRICS_CONTENT_TYPE, Metrics

CHECK_TIMEOUT_S = 3.0
LOG_BEHIND_S = 5


class OperationRoutes:
    """The handlers operators and their tools read."""

    def __init__(
        self,
        access: AccessControl,
        database: Database,
        metrics: Metrics,
        clock: Callable[[], datetime],
        *,
        roles: tuple[str, ...],
        origin: str,
        pending_limit: int,
        needs_log: bool,
        resolutions: Callable[[ReadScope], Awaitable[Mapping[str, object]]],
        can_look_up: Callable[[], bool],
        peer: str = "",
        certificate_expires_at: Callable[[], str] = lambda: "",
    ) -> None:
        """Take what to report of.

        `needs_log`: this process is not ready while the log is late; `resolutions`: the figures of
        counted look-ups; `peer`: the secondary node's
        name, "" for none; `certificate_expires_at`: the end of our certificate towards it, or "".
        """
        self._access = access
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._roles = roles
        self._origin = origin
        self._pending_limit = pending_limit
        self._needs_log = needs_log
        self._resolutions = resolutions
        self._can_look_up = can_look_up
        self._peer = peer
        self._certificate_expires_at = certificate_expires_at
        self.draining = False

    async def health(self, _request: Request) -> Response:
        """Say that the process is alive."""
        return json_response({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Say whether the process can do its work, with every reason why not."""
        reasons = await self._reasons()
        body = {"status": "ready" if not reasons else "not_ready", "reasons": reasons}
        return json_response(body, 200 if not reasons else 503)

    async def _reasons(self) -> list[str]:
        reasons = ["draining"] if self.draining else []
        if not self._can_look_up():
            reasons.append("lookup_blind")
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S), self._database.read() as scope:
                is_behind = await self._is_behind(scope)
        except (XibiaoError, TimeoutError):
            return [*reasons, "database_unavailable"]
        return [*reasons, "log_behind"] if is_behind and self._needs_log else reasons

    async def _is_behind(self, scope: ReadScope) -> bool:
        if await log_queries.pending_count(scope, self._pending_limit + 1) > self._pending_limit:
            return True
        oldest = await statistics_queries.oldest_pending_leaf(scope)
        if oldest is None:
            return False
        made_at = datetime.fromisoformat(log_entry.time_of(oldest))
        return self._clock() - made_at > timedelta(seconds=LOG_BEHIND_S)

    async def status(self, request: Request) -> Response:
        """Return the figures of the node. Any key may read them, and whoever is on the machine."""
        self._access.require_reader(request)
        async with self._database.read() as scope:
            counts = await statistics_queries.records_by_status(scope)
            state = await log_queries.state(scope)
            pending = await log_queries.pending_count(scope, 1_000_000)
            edges = await edge_queries.count(scope)
            resolutions = await self._resolutions(scope)
            link = await sync_report(scope, self._peer, state.size, self._clock())
        real = {status: n for (status, is_test), n in counts.items() if not is_test}
        body = {
            "registered": {
                "live": real.get(Status.ACTIVE, 0),
                "reserved": real.get(Status.RESERVED, 0),
                "suspended": real.get(Status.SUSPENDED, 0),
                "revoked": real.get(Status.REVOKED, 0),
                "test": sum(n for (_, is_test), n in counts.items() if is_test),
                "open_edges": edges,
            },
            "log": {
                "origin": self._origin,
                "size": state.size,
                "root": state.root.hex(),
                "checkpoint": state.checkpoint.decode(),
                "pending": pending,
                "signed_at": state.signed_at,
            },
            "sync": {**link, "certificate_expires_at": self._certificate_expires_at()},
            "resolutions": resolutions,
            "health": "degraded" if link.get("alarms") or await self._reasons() else "ok",
            "roles": self._roles,
            "at": self._clock().astimezone(UTC).isoformat(timespec="seconds"),
        }
        return json_response(body)

    async def metrics(self, request: Request) -> Response:
        """Return the Prometheus metrics of this process."""
        self._access.require_reader(request)
        return Response(self._metrics.render(), media_type=METRICS_CONTENT_TYPE)
