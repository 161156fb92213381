"""The Handle service of a process, built from its configuration and its site's keys."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import structlog

from node.config import Config
from node.config import Handle as HandleSettings
from node.domain.handle_value import HandleReference
from node.registration.handle_keys import HandleKeys, site_serial
from resolver.handle.codes import InterfaceKind, Transport
from resolver.handle.referrals import parse_referrals
from resolver.handle.register_port import HandleRegister
from resolver.handle.service import HandleService, ServiceSettings, create_service
from resolver.handle.session_relay import SessionRelay
from resolver.handle.site import Interface, Site
from resolver.handle.site_info import describe_site
from resolver.lookup import Lookup

_log = structlog.get_logger(__name__)

_UNKNOWN_ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class FaceAddresses:
    """Where a process listens, each `host:port`, "" for nowhere."""

    handle: str = ""
    http: str = ""
    https: str = ""


def build_handle_service(
    config: Config,
    lookup: Lookup,
    register: HandleRegister,
    keys: HandleKeys,
    *,
    folder: Path,
    addresses: FaceAddresses,
    relay: SessionRelay | None = None,
) -> HandleService:
    """Build the service inside a running event loop.

    `register` is `parts.build_handle_register`, `keys` lie in `folder`; `addresses` are those that
    the process listens on, `relay` joins it to the others that listen there too.
    """
    settings = config.handle
    site = _site(settings, keys, folder, addresses)
    return create_service(
        lookup,
        register,
        site=site,
        site_key=keys.site,
        site_dated=int((folder / "handle_site.pem").stat().st_mtime),
        settings=_service_settings(settings, relay.process if relay is not None else 0),
        clock=time.time,
        monotonic=time.monotonic,
        random_bytes=secrets.token_bytes,
        relay=relay,
    )


def _site(
    settings: HandleSettings, keys: HandleKeys, folder: Path, addresses: FaceAddresses
) -> Site:
    """Return what this node says of itself; its serial grows whenever that changes."""
    host = addresses.handle.rpartition(":")[0]

    def describe(serial: int) -> Site:
        return describe_site(
            settings.public_address or _announced(host),
            _interfaces(addresses),
            serial=serial,
            key=keys.site.public_key(),
            description=settings.description,
        )

    return describe(site_serial(folder, describe(0).encode()))


def _interfaces(addresses: FaceAddresses) -> tuple[Interface, ...]:
    """Return the ports of the address that is announced: HTTP counts where it shares that."""
    announced = addresses.handle.rpartition(":")[0]
    offered = (
        (InterfaceKind.BOTH, Transport.TCP, addresses.handle),
        (InterfaceKind.RESOLUTION, Transport.UDP, addresses.handle),
        (InterfaceKind.BOTH, Transport.HTTP, addresses.http),
        (InterfaceKind.BOTH, Transport.HTTPS, addresses.https),
    )
    places = [(kind, transport, *at.rpartition(":")[::2]) for kind, transport, at in offered if at]
    return tuple(
        Interface(kind, transport, int(port))
        for kind, transport, host, port in places
        if host == announced
    )


def _announced(host: str) -> str:
    address = ip_address(host.strip("[]") or _UNKNOWN_ADDRESS)
    if not address.is_unspecified:
        return str(address)
    _log.warning("handle_public_address_unknown", announced=_UNKNOWN_ADDRESS)
    return _UNKNOWN_ADDRESS


def _service_settings(settings: HandleSettings, process: int) -> ServiceSettings:
    return ServiceSettings(
        challenge_s=settings.challenge_time.total_seconds(),
        challenges=settings.challenges,
        source_challenges=settings.source_challenges,
        session_s=settings.session_time.total_seconds(),
        sessions=settings.sessions,
        source_sessions=settings.source_sessions,
        server_admins=tuple(map(_reference, settings.server_admins)),
        server_admin_full_access=settings.server_admin_full_access,
        allows_listing=settings.list_handles,
        referrals=parse_referrals(settings.referrals),
        process=process,
    )


def _reference(text: str) -> HandleReference:
    index, _, handle = text.partition(":")
    return HandleReference(handle, int(index))
