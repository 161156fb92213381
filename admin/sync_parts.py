"""Composition of the link to the secondary node: the relay, what it tells and what orders do."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import structlog

from admin.day_figures import DayFigures
from admin.node_particulars import Particulars, report_prefix
from admin.parts import Clock, Register, tally_folder
from admin.snms_parts import build_snms_peer, speaks_snms
from node.config import Config, Sync
from node.domain.prefix import PrefixState
from node.domain.record import Action
from node.errors import InvalidInput, WrongState
from node.registration.prefix_states import move_prefix
from node.registration.requests import Actor, IdempotencyKey, Role, StatusRequest
from sync.certificate_watch import CertificateWatch
from sync.grpc_link import GrpcPeer
from sync.link_credentials import LinkCredentials
from sync.link_identity import LinkFiles
from sync.peer import Hello, Peer
from sync.relay.ledger import Ledger
from sync.relay.node_watch import NodeWatch
from sync.relay.relay import Relay, Surroundings
from sync.relay.session import SessionSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LinkParts:
    """The node's end of the link; `watch` is there when it uses certificates."""

    relay: Relay
    node_watch: NodeWatch
    watch: CertificateWatch | None

    def loops(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        """Return what runs as long as the node does, by name."""
        loops = [("relay", self.relay.run()), ("node_watch", self.node_watch.run())]
        if self.watch is not None:
            loops.append(("link_certificates", self.watch.run()))
        return loops


def build_link(config: Config, register: Register, clock: Clock, version: str) -> LinkParts | None:
    """Build the link of this process; None without the role or without a secondary node."""
    settings = config.sync
    if "relay" not in config.roles or not settings.secondary:
        return None

    def hello() -> Hello:
        return Hello(
            node_id=settings.node_id or register.signer.name,
            prefixes=tuple(sorted(register.directory.now.prefixes)),
            software=f"xibiao {version}",
            log_key=register.signer.verifier_key(),
        )

    ledger = Ledger(register.database, settings.name, clock)
    around = Surroundings(
        hello=hello,
        templates=lambda: register.directory.now.templates.templates(),
        obedience=RegisterObedience(register, clock),
        particulars=Particulars(config, register.directory).now,
        figures=DayFigures(
            register.database,
            tally_folder(config),
            clock,
            partial(report_prefix, settings, register.directory),
            counts=config.tally.enabled,
        ),
    )
    is_snms = speaks_snms(config)
    credentials = None if is_snms else _credentials(settings, clock)
    watch = None
    if credentials is not None:
        around = replace(around, credentials_replaced=credentials.replaced)
        watch = CertificateWatch(credentials, ledger, register.metrics, clock)
    pace = SessionSettings(
        batch=settings.batch,
        poll_s=settings.poll.total_seconds(),
        answer_timeout_s=settings.answer_timeout.total_seconds(),
        heartbeat_s=settings.heartbeat.total_seconds(),
        redial_s=settings.redial.total_seconds(),
        longest_redial_s=settings.longest_redial.total_seconds(),
    )
    peer = build_snms_peer(config, clock) if is_snms else _peer(settings, credentials)
    relay = Relay(peer, ledger, around, register.metrics, pace)
    return LinkParts(relay, NodeWatch(ledger), watch)


def _credentials(settings: Sync, clock: Clock) -> LinkCredentials | None:
    if not settings.certificate:
        return None
    return LinkCredentials(link_files(settings), pins_of(settings), clock)


def _peer(settings: Sync, credentials: LinkCredentials | None) -> Peer:
    return GrpcPeer(
        settings.name,
        settings.secondary.removeprefix("grpc://"),
        None if credentials is None else credentials.for_channel,
    )


def link_files(settings: Sync) -> LinkFiles:
    """Return where the node's certificate, key and authority of the link lie."""
    return LinkFiles(
        Path(settings.certificate), Path(settings.private_key), Path(settings.authority)
    )


def pins_of(settings: Sync) -> tuple[str, ...]:
    """Return the public keys that the secondary node may have."""
    return tuple(filter(None, settings.peer_key.split(",")))


def certificate_expires_at(settings: Sync) -> str:
    """Return when the node's certificate of the link ends (RFC 3339); "" without a usable one."""
    if not settings.certificate:
        return ""
    try:
        return f"{link_files(settings).read().expires_at:%Y-%m-%dT%H:%M:%SZ}"
    except InvalidInput:
        return ""


class RegisterObedience:
    """What orders of the secondary node do to the register, by its own use cases."""

    def __init__(self, register: Register, clock: Clock) -> None:
        self._register = register
        self._clock = clock
        self._actor = Actor("peer:secondary", Role.ADMINISTRATOR)

    async def suspend_prefix(self, prefix: str, reason: str) -> None:
        """Suspend a prefix; a suspended one stays so."""
        await self._move(prefix, PrefixState.SUSPENDED, reason)

    async def resume_prefix(self, prefix: str, reason: str) -> None:
        """Resume a prefix; an active one stays so."""
        await self._move(prefix, PrefixState.ACTIVE, reason)

    async def _move(self, prefix: str, state: PrefixState, reason: str) -> None:
        known = self._register.directory.now.prefixes.get(prefix)
        if known is None or known.state is not state:
            await move_prefix(self._register.database, prefix, state, self._clock)
            await self._register.directory.refresh()
        _log.warning("prefix_ordered", prefix=prefix, state=state.value, reason=reason)

    async def freeze(self, identifiers: Sequence[str], reason: str) -> None:
        """Suspend records; one that is suspended stays so, and a repeated order does nothing."""
        for identifier in identifiers:
            text = f"freeze\n{identifier}\n{reason}"
            digest = sha256(text.encode()).digest()
            try:
                await self._register.life_cycle.set_status(
                    identifier,
                    Action.SUSPEND,
                    StatusRequest(reason),
                    actor=self._actor,
                    key=IdempotencyKey(digest.hex(), digest),
                )
            except WrongState:
                _log.info("frozen_already", reason=reason)
