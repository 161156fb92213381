"""Mutual TLS of the link: no wrong certificate is taken, and replacing one drops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from admin.link_certificate_files import (
    LOOPBACK,
    NODE,
    SECONDARY,
    clients_list,
    create_authority,
    issue_link,
    keep_local_pair,
    link_files,
    renew_link,
)
from admin.link_certificates import LIFETIME
from node.errors import AccessDenied, InvalidInput, XibiaoError
from sync.certificate_watch import CertificateWatch
from sync.link_credentials import LinkCredentials
from sync.link_identity import LinkFiles
from sync.peer import Health
from sync.relay.session import SessionSettings
from sync.security_files import SecurityFiles, keep_in_force
from tests.builders import register_at
from tests.link import Pair, until, utc_now

TRIES = 3
LOOK_EVERY_S = 0.02
DAY = timedelta(days=1)


@asynccontextmanager
async def secured(tmp_path: Path) -> AsyncIterator[Pair]:
    """Open a register with a secondary node that demands certificates; no relay runs yet."""
    folder = tmp_path / "link"
    create_authority(folder, "test", utc_now() - 365 * DAY)
    keep_local_pair(folder, utc_now())
    async with register_at(f"sqlite:///{tmp_path}/xibiao.db", clock=utc_now) as register:
        pair = Pair(register, tmp_path / "peer", SessionSettings(poll_s=0.01, heartbeat_s=0.05))
        pair.security = security(folder).read()
        pair.credentials = credentials(folder)
        try:
            await pair.start_secondary()
            yield pair
        finally:
            await pair.stop_relay()
            await pair.stop_secondary()


def security(folder: Path) -> SecurityFiles:
    return SecurityFiles(link_files(folder, SECONDARY), clients_list(folder))


def credentials(
    folder: Path, name: str = NODE, pins: Sequence[str] | None = None
) -> LinkCredentials:
    files = link_files(folder, name)
    known = pins if pins is not None else [link_files(folder, SECONDARY).read().pin]
    return LinkCredentials(files, known, utc_now, look_every_s=LOOK_EVERY_S)


def shows(pair: Pair, files: LinkFiles) -> None:
    """Have the secondary node show another certificate from now on."""
    assert pair.secondary is not None
    assert pair.security is not None
    identity = files.read()
    pair.security = replace(
        pair.security,
        certificate_chain=identity.certificate_chain,
        private_key=identity.private_key,
    )
    pair.secondary.secure(pair.security)


def wrong_server(folder: Path, kind: str) -> LinkFiles:
    """Make a certificate no node may take for the secondary node's."""
    now = utc_now()
    match kind:
        case "expired":
            renew_link(folder, folder, SECONDARY, (), now - LIFETIME - DAY)
        case "not_yet_valid":
            renew_link(folder, folder, SECONDARY, (), now + DAY)
        case "other_name":
            renew_link(folder, folder, SECONDARY, ("sln.example.cn", "192.0.2.9"), now)
        case "not_pinned":
            issue_link(folder, folder, "intruder", LOOPBACK, now)
            return link_files(folder, "intruder")
        case "other_authority":
            create_authority(folder / "other", "other", now - DAY)
            issue_link(folder / "other", folder / "other", SECONDARY, LOOPBACK, now)
            return link_files(folder / "other", SECONDARY)
    return link_files(folder, SECONDARY)


@pytest.mark.parametrize(
    "kind", ["expired", "not_yet_valid", "other_name", "not_pinned", "other_authority"]
)
async def test_a_peer_with_a_wrong_certificate_is_told_nothing(tmp_path: Path, kind: str) -> None:
    async with secured(tmp_path) as pair:
        # `sync.authority` and the pin stay those of the right peer.
        pins = () if kind == "other_authority" else None
        pair.credentials = credentials(tmp_path / "link", pins=pins)
        shows(pair, wrong_server(tmp_path / "link", kind))
        for _ in range(TRIES):
            with pytest.raises(XibiaoError) as refused:
                async with pair.link():
                    pytest.fail("a session was opened")
            assert refused.value.code == f"link_certificate_{kind}"
            assert pair.address in refused.value.zh
        pair.start_relay()

        async def is_known() -> bool:
            return await pair.alarms() == [f"link_certificate_{kind}"]

        await until(is_known)


async def test_an_alarm_about_a_certificate_ends_with_its_cause(tmp_path: Path) -> None:
    async with secured(tmp_path) as pair:
        renew_link(tmp_path / "link", tmp_path / "link", NODE, (), utc_now() - LIFETIME - DAY)
        pair.start_relay()

        async def is_known() -> bool:
            return await pair.alarms() == ["link_certificate_own_expired"]

        await until(is_known)
        renew_link(tmp_path / "link", tmp_path / "link", NODE, (), utc_now())
        await pair.register_and_log(range(3))
        await pair.in_step()
        assert await pair.alarms() == []


def wrong_client(folder: Path, kind: str) -> LinkFiles:
    """Make a certificate the secondary node must not let in."""
    now = utc_now()
    if kind == "other_authority":
        create_authority(folder / "other", "other", now - DAY)
        issue_link(folder / "other", folder / "other", NODE, LOOPBACK, now)
        files = link_files(folder / "other", NODE)
        return replace(files, authority=folder / "authority.pem")
    moment = {"expired": now - LIFETIME - DAY, "not_yet_valid": now + DAY}.get(kind, now)
    issue_link(folder, folder, "client", LOOPBACK, moment)
    if kind != "not_pinned":
        with clients_list(folder).open("a") as listed:
            listed.write(f"{link_files(folder, 'client').read().pin}\n")
    return link_files(folder, "client")


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "not_pinned", "other_authority"])
async def test_a_client_with_a_wrong_certificate_gets_no_answer(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "link"
    async with secured(tmp_path) as pair:
        files = wrong_client(folder, kind)
        assert pair.secondary is not None
        pair.secondary.secure(security(folder).read())
        # A client of its own making: ours would not even show a certificate out of date.
        identity = files.read()
        for _ in range(TRIES):
            channel = grpc.aio.secure_channel(
                pair.address,
                grpc.ssl_channel_credentials(
                    (folder / "authority.pem").read_bytes(),
                    identity.private_key,
                    identity.certificate_chain,
                ),
            )
            async with channel:
                health = health_pb2_grpc.HealthStub(channel)
                with pytest.raises(grpc.aio.AioRpcError):
                    await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        pair.credentials = LinkCredentials(files, (), utc_now)
        with pytest.raises((AccessDenied, InvalidInput)):
            async with pair.link():
                pytest.fail("a session was opened")


async def test_without_a_certificate_nobody_is_answered(tmp_path: Path) -> None:
    async with secured(tmp_path) as pair:
        roots = (tmp_path / "link" / "authority.pem").read_bytes()
        for given in (grpc.ssl_channel_credentials(roots), None):
            open_channel = grpc.aio.insecure_channel
            channel = (
                open_channel(pair.address)
                if given is None
                else grpc.aio.secure_channel(pair.address, given)
            )
            async with channel:
                health = health_pb2_grpc.HealthStub(channel)
                with pytest.raises(grpc.aio.AioRpcError):
                    await health.Check(health_pb2.HealthCheckRequest(), timeout=10)


async def test_a_key_taken_from_the_list_is_refused_at_its_next_call(tmp_path: Path) -> None:
    async with secured(tmp_path) as pair:
        assert pair.secondary is not None
        assert pair.security is not None
        async with pair.link() as link:
            await link.heartbeat(Health("normal", 0, 0, 0))
            pair.secondary.secure(replace(pair.security, pins={}))
            for _ in range(TRIES):
                with pytest.raises(AccessDenied):
                    await link.heartbeat(Health("normal", 0, 0, 0))


async def test_both_sides_replace_certificates_while_requests_run_and_none_is_dropped(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "link"
    async with secured(tmp_path) as pair:
        assert pair.secondary is not None
        assert pair.security is not None
        watching = asyncio.create_task(
            keep_in_force(
                security(folder).read,
                pair.security,
                pair.secondary.secure,
                look_every_s=LOOK_EVERY_S,
            )
        )
        pair.start_relay()
        calls = Calls(pair)
        calling = asyncio.create_task(calls.go_on())
        for turn in range(3):
            await pair.register_and_log(range(100 * turn, 100 * turn + 100))
            # The clock of a certificate has seconds: each turn's differs from the last one's.
            moment = utc_now() + timedelta(seconds=turn - 60)
            renew_link(folder, folder, SECONDARY, (), moment)
            await served(pair, link_files(folder, SECONDARY))
            before = sessions(pair)
            renew_link(folder, folder, NODE, (), moment)
            await pair.register_and_log(range(100 * turn + 1_000, 100 * turn + 1_100))

            async def is_renewed(before: float = before) -> bool:
                return sessions(pair) > before

            await until(is_renewed)
        await pair.in_step()
        calling.cancel()
        watching.cancel()
        assert calls.answered > 0
        assert calls.failed == 0
        assert ends(pair) == {"renewed"}
        assert await pair.alarms() == []
        assert await pair.held_records() == await pair.own_records()


async def test_certificates_that_do_not_work_leave_the_session_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "link"
    async with secured(tmp_path) as pair:
        pair.start_relay()
        await pair.register_and_log(range(5))
        await pair.in_step()
        renew_link(folder, folder, NODE, (), utc_now() - LIFETIME - DAY)

        async def is_known() -> bool:
            return await pair.alarms() == ["link_certificate_own_expired"]

        await until(is_known)
        await pair.register_and_log(range(5, 10))
        await pair.in_step()
        assert ends(pair) == set()


class Calls:
    """Calls the secondary node again and again over a session of its own, counting what fails."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.answered = self.failed = 0

    async def go_on(self) -> None:
        async with self._pair.link() as link:
            while True:
                try:
                    await link.heartbeat(Health("normal", 0, 0, 0))
                    self.answered += 1
                except XibiaoError:
                    self.failed += 1


async def served(pair: Pair, files: LinkFiles) -> None:
    """Wait until the secondary node shows the certificate of these files."""
    wanted = files.read().expires_at

    async def is_shown() -> bool:
        assert pair.credentials is not None
        fresh = credentials(files.certificate.parent)
        await fresh.for_channel(pair.address)
        return fresh.peer_expires_at == wanted

    await until(is_shown)


def ends(pair: Pair) -> set[str]:
    """Return how sessions of the relay ended."""
    (family,) = pair.metrics.sync_sessions.collect()
    return {sample.labels["end"] for sample in family.samples if sample.name.endswith("_total")}


def sessions(pair: Pair) -> float:
    """Return how many sessions gave way to one with other certificates."""
    name = "xibiao_sync_sessions_total"
    return pair.metrics.registry.get_sample_value(name, {"end": "renewed"}) or 0.0


async def test_operators_are_warned_two_weeks_before_a_certificate_ends(tmp_path: Path) -> None:
    folder = tmp_path / "link"
    async with secured(tmp_path) as pair:
        assert pair.credentials is not None
        async with pair.link():
            pass
        now = utc_now()
        watch = CertificateWatch(pair.credentials, pair.ledger, pair.metrics, lambda: now)
        await watch.look()
        assert await pair.alarms() == []
        now += LIFETIME - timedelta(days=14)
        await watch.look()
        await watch.look()
        soon = ["link_certificate_ends_soon", "peer_certificate_ends_soon"]
        assert sorted(await pair.alarms()) == soon
        shown = pair.metrics.render().decode()
        assert 'xibiao_sync_certificate_expires{side="own"}' in shown
        assert 'xibiao_sync_certificate_expires{side="peer"}' in shown
        for name in (NODE, SECONDARY):
            renew_link(folder, folder, name, (), utc_now() + timedelta(minutes=30))
        shows(pair, link_files(folder, SECONDARY))
        async with pair.link():
            pass
        now -= timedelta(days=1)
        await watch.look()
        assert await pair.alarms() == []
