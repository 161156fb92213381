"""What the secondary node is told of this node: where prefixes are resolved, whose they are."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from node.config import Config, Sync
from node.domain.prefix import Prefix, PrefixState
from node.registration.directory import Directory
from sync.reports import Endpoint, Profile, Route

_log = structlog.get_logger(__name__)
OFF = "off"
MAX_FIELDS, MAX_TEXT = 100, 1_000


@dataclass(frozen=True, slots=True)
class Particulars:
    """Routes and the company's data, as they are now."""

    config: Config
    directory: Directory

    def now(self) -> Sequence[Route | Profile]:
        """Return the route of every prefix in service, and the company's data if there are any.

        A route is told only when the configuration names the address by which the world reaches
        the node (`handle.public_address`): an address nobody reaches would be worse than none.
        """
        told: list[Route | Profile] = []
        endpoints = self._endpoints()
        if endpoints:
            told += [Route(prefix=p.name, endpoints=endpoints) for p in real(self.directory)]
        fields = profile_fields(self.config.sync.profile)
        return [*told, Profile(fields=fields)] if fields else told

    def _endpoints(self) -> tuple[Endpoint, ...]:
        address, found = self.config.handle.public_address, list[Endpoint]()
        if not address:
            return ()
        if handle := _port(self.config.handle.listen or "127.0.0.1:2641"):
            found += [Endpoint(address, "tcp", handle), Endpoint(address, "udp", handle)]
        if http := _port(self.config.http.listen):
            found.append(Endpoint(address, "http", http))
        return tuple(found)


def real(directory: Directory) -> list[Prefix]:
    """Return the prefixes in service that are not for tests, by name."""
    prefixes = sorted(directory.now.prefixes.values(), key=lambda prefix: prefix.name)
    return [p for p in prefixes if not p.is_test and p.state is PrefixState.ACTIVE]


def report_prefix(settings: Sync, directory: Directory) -> str:
    """Return the prefix under which days are reported; "" while there is none."""
    if settings.report_prefix:
        return settings.report_prefix
    return next((prefix.name for prefix in real(directory)), "")


def profile_fields(path: str) -> dict[str, str]:
    """Return the company's data, names to texts; nothing without a file that can be read."""
    if not path:
        return {}
    try:
        fields = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        _log.error("profile_unreadable", path=path, reason=str(error))
        return {}
    texts = {name: str(value)[:MAX_TEXT] for name, value in fields.items()}
    return dict(sorted(texts.items())[:MAX_FIELDS])


def _port(listen: str) -> int:
    """Return the port the world is to use: 0 for none, and for one that is chosen at the start."""
    host, _, port = listen.rpartition(":")
    if listen == OFF or not port.isdecimal():
        return 0
    try:
        # A face on this machine alone is no endpoint.
        is_local = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_local = host == "localhost"
    return 0 if is_local else int(port)
