"""Dials the secondary node, runs a session until it ends, waits and dials again.

Invariants: a peer that is away costs nothing but its own backlog; pauses double with jitter up to a
limit (`SessionSettings`) and start over once a session moved something. One process has the role.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from node.domain.signed_note import Verifier, parse_verifier_key
from node.domain.template import Template
from node.errors import AccessDenied, IntegrityFailure, XibiaoError
from node.storage.position_queries import PeerPosition
from node.telemetry import Metrics
from sync import link_handshake
from sync.peer import Hello, ItemCode, Link, Peer
from sync.relay.announcements import Announcements, Particulars
from sync.relay.day_reports import DayReports, Figures
from sync.relay.directives import Directives, Obedience
from sync.relay.ledger import Alarm, Ledger
from sync.relay.node_watch import LINK
from sync.relay.opening import settle_position
from sync.relay.receipts import LogIdentity, Receipts
from sync.relay.reconcile import Reconciler
from sync.relay.report_book import moment_text
from sync.relay.session import Session, SessionSettings
from sync.relay.waiting_items import WaitingItems, put_templates

_log = structlog.get_logger(__name__)
LOOK_AT_CERTIFICATES_S = 60.0
LOOK_AT_PREFIXES_S = 1.0
NOT_ADMITTED = "peer_refuses_session"
RENEWED = "renewed"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the relay asks of the node it is part of: who we are now, and what orders do.

    `credentials_replaced` waits until a session would show other certificates than the last one
    tried. `particulars`: routes and the company's data; `figures` None: no day reports.
    """

    hello: Callable[[], Hello]
    templates: Callable[[], list[Template]]
    obedience: Obedience
    credentials_replaced: Callable[[], Awaitable[object]] = field(
        default_factory=lambda: asyncio.Event().wait
    )
    particulars: Callable[[], Sequence[Particulars]] = tuple
    figures: Figures | None = None


class Relay:
    """The node's end of the link; `run` for ever, `wake` when the log grew."""

    def __init__(
        self,
        peer: Peer,
        ledger: Ledger,
        surroundings: Surroundings,
        metrics: Metrics,
        settings: SessionSettings,
    ) -> None:
        self._peer = peer
        self._ledger = ledger
        self._around = surroundings
        self._metrics = metrics
        self._settings = settings
        self._session: Session | None = None
        self._down_since = ""

    def wake(self) -> None:
        """Say that the log grew."""
        if self._session is not None:
            self._session.wake()

    async def run(self) -> None:
        """Keep the peer in step for ever."""
        first_s, longest_s = self._settings.redial_s, self._settings.longest_redial_s
        pause_s = first_s
        while True:
            began = await self._acked_size()
            end = await self._one_session()
            if end == RENEWED:
                continue
            await self._note_down(end)
            moved = await self._acked_size() > began
            pause_s = first_s if moved else min(2 * pause_s, longest_s)
            # Jitter, so that the nodes of a region do not dial all at once after an outage.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _note_down(self, why: str) -> None:
        """Note that the link is down once it has been for a while: short pauses are nothing."""
        now = self._ledger.reports.now()
        self._down_since = self._down_since or moment_text(now)
        lasts = now - datetime.fromisoformat(self._down_since)
        if lasts.total_seconds() < self._settings.down_after_s:
            return
        detail = f"与二级节点的链路中断 / no session with the secondary node: {why}"
        with suppress(XibiaoError):
            await self._ledger.reports.begun(LINK, "network", detail, at=self._down_since)

    async def _acked_size(self) -> int:
        """Return how much of the log the peer holds; 0 while the database cannot tell."""
        try:
            return (await self._ledger.position()).acked_size
        except XibiaoError:
            return 0

    async def _one_session(self) -> str:
        """Run one session to its end; return how it ended."""
        end = RENEWED
        try:
            hello = self._around.hello()
            before = await self._ledger.position()
            async with self._peer.open(hello) as link:
                await self._ledger.clear_alarms(NOT_ADMITTED, *link_handshake.REFUSALS)
                await self._ledger.reports.ended(LINK, "链路已恢复 / the link is back")
                self._down_since = ""
                self._metrics.sync_connected.set(1)
                await self._run_on(link, hello, before)
        except XibiaoError as error:
            end = error.code
            await self._failed(error)
        except Exception:  # noqa: BLE001 - see below
            # The link must not take the node with it, whatever surprises it holds.
            end = "internal"
            _log.exception("sync_failed")
        finally:
            self._session = None
            self._metrics.sync_connected.set(0)
            self._metrics.sync_sessions.labels(end).inc()
        return end

    async def _run_on(self, link: Link, hello: Hello, before: PeerPosition) -> None:
        await put_templates(link, self._around.templates())
        # Whose a prefix is may have been told just now.
        await self._ledger.retry_refused(ItemCode.NOT_YOURS)
        log_key = parse_verifier_key(hello.log_key)
        position = await settle_position(link, self._ledger, log_key, before)
        session = Session(
            link,
            self._ledger,
            self._metrics,
            self._settings,
            acked_size=position.acked_size,
            cosigned_size=position.cosigned_size,
            kept_size=await self._ledger.kept_cosignature(),
        )
        self._session = session
        waiting = WaitingItems(link, self._ledger)
        orders = Directives(link, self._ledger, self._around.obedience, waiting)
        _log.info("sync_session", peer=self._peer.name, acknowledged=position.acked_size)
        beside = [waiting.run(), orders.receive(), orders.carry_out(), self._renew(session)]
        beside.append(self._follow_prefixes(session, hello))
        beside.append(Reconciler(link, self._ledger, session).run())
        identity = _identity(log_key, position.cosigner_key)
        beside.append(Receipts(link, self._ledger, identity).run())
        beside.append(self._announcements(link, waiting).run())
        if self._around.figures is not None:
            beside.append(DayReports(link, self._ledger.reports, self._around.figures).run())
        await session.run(*beside)

    def _announcements(self, link: Link, waiting: WaitingItems) -> Announcements:
        return Announcements(
            link,
            self._ledger.reports,
            waiting,
            templates=self._around.templates,
            particulars=self._around.particulars,
        )

    async def _renew(self, session: Session) -> None:
        """End the session in order once one with replaced certificates can be opened.

        As long as none can, this one goes on with the certificates that it was opened with.
        """
        await self._around.credentials_replaced()
        while True:
            try:
                async with self._peer.open(self._around.hello()):
                    break
            except XibiaoError as error:
                await self._failed(error)
                await asyncio.sleep(LOOK_AT_CERTIFICATES_S)
        _log.info("sync_certificates_replaced")
        await session.finish()

    async def _follow_prefixes(self, session: Session, told: Hello) -> None:
        """End the session in order once other prefixes are in service.

        A peer is told of them when a session begins, and refuses records below any other.
        """
        while True:
            await asyncio.sleep(LOOK_AT_PREFIXES_S)
            if self._around.hello().prefixes != told.prefixes:
                break
        _log.info("sync_prefixes_changed")
        await session.finish()

    async def _failed(self, error: XibiaoError) -> None:
        """Log why there is no session, and raise an alarm where waiting does not help."""
        if error.code in link_handshake.REFUSALS:
            _log.error("sync_refused", code=error.code, reason=str(error))
            await self._raise_alarm(Alarm(error.code, error.zh, error.en))
        elif isinstance(error, AccessDenied):
            _log.error("sync_refused", code=error.code, reason=str(error))
            await self._raise_alarm(
                Alarm(
                    NOT_ADMITTED,
                    f"二级节点拒绝本节点的会话:{error.zh}",
                    f"The secondary node refuses our session: {error.en}",
                )
            )
        elif isinstance(error, IntegrityFailure):
            _log.error("sync_stopped", code=error.code, reason=str(error))
        else:
            _log.warning("sync_interrupted", code=error.code, reason=str(error))

    async def _raise_alarm(self, alarm: Alarm) -> None:
        try:
            await self._ledger.raise_alarm(alarm)
        except XibiaoError as error:
            # The cause remains, so the next session raises it.
            _log.error("alarm_not_raised", alarm=alarm.kind, reason=str(error))


def _identity(log_key: Verifier, cosigner_key: str) -> LogIdentity | None:
    """Return whose receipts are to be trusted; None for a peer that holds no log."""
    return LogIdentity(log_key.name, parse_verifier_key(cosigner_key)) if cosigner_key else None
