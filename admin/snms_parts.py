"""Composition of the link to a secondary node that speaks the SNMS interface."""

from __future__ import annotations

from pathlib import Path

from admin.parts import Clock
from node.config import Config, Snms
from node.errors import InvalidInput
from sync.snms.calls import Route
from sync.snms.link import SnmsPeer, SnmsSettings
from sync.snms.login import Credentials
from sync.snms.template_form import Industry
from sync.snms.transport import SCHEME, TlsFiles


def speaks_snms(config: Config) -> bool:
    """Say whether the secondary node of a configuration speaks SNMS."""
    return config.sync.secondary.startswith(SCHEME)


def build_snms_peer(config: Config, clock: Clock) -> SnmsPeer:
    """Return the secondary node; raises InvalidInput for settings that cannot be."""
    sync, snms = config.sync, config.sync.snms
    return SnmsPeer(
        sync.name,
        SnmsSettings(
            address=sync.secondary,
            credentials=lambda: read_credentials(snms),
            evidence=config.data_dir / "snms",
            tls=TlsFiles(
                authority=snms.authority,
                certificate=snms.certificate,
                private_key=snms.private_key,
                pins=frozenset(filter(None, snms.peer_key.split(","))),
            ),
            form=snms.login,
            industry=Industry(*snms.industry.split("/")),
            route=_route(snms),
            timeout_s=sync.answer_timeout.total_seconds(),
        ),
        clock,
    )


def read_credentials(snms: Snms) -> Credentials:
    """Read the password, without the newline at its end; raises InvalidInput."""
    try:
        password = Path(snms.password_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"无法读取 sync.snms.password_file:{snms.password_file}",
            f"sync.snms.password_file cannot be read: {snms.password_file}",
            code="snms_credentials",
        ) from error
    return Credentials(snms.user, password.removesuffix("\n").removesuffix("\r"))


def _route(snms: Snms) -> Route | None:
    if not snms.route_ip and not snms.route_host:
        return None
    return Route(
        ip=snms.route_ip,
        tcp_port=snms.route_tcp_port,
        udp_port=snms.route_udp_port,
        http_port=snms.route_http_port,
        host_server=snms.route_host,
    )
