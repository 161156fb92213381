"""A gRPC server's certificates and its list of clients, in files that may change while it serves.

The list has a line for each client: the pin of its public key, and the node id it may use (none:
any); `#` begins a comment. Taking a line out refuses that client from its next call on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from node.errors import InvalidInput
from sync.link_identity import LOOK_EVERY_S, LinkFiles, LinkIdentity, replacement
from sync.transport_security import ANY_NODE, TransportSecurity

_log = structlog.get_logger(__name__)
_PIN = re.compile(r"[0-9a-f]{64}")
MAX_LIST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SecurityFiles:
    """Where a server's identity and its list of clients lie."""

    identity: LinkFiles
    clients: Path

    def read(self) -> TransportSecurity:
        """Return what lies there; raise InvalidInput when it cannot be used."""
        identity = self.identity.read()
        try:
            if self.clients.stat().st_size > MAX_LIST_BYTES:
                raise InvalidInput(
                    f"客户端清单 {self.clients} 过大", f"The list {self.clients} is too long"
                )
            listed = self.clients.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                f"无法读取客户端清单 {self.clients}:{error}",
                f"Cannot read the list of clients {self.clients}: {error}",
            ) from error
        return secured(identity, parse_clients(listed))


def secured(identity: LinkIdentity, pins: Mapping[str, str]) -> TransportSecurity:
    """Return the security of a server that shows `identity` and lets `pins` in."""
    return TransportSecurity(
        certificate_chain=identity.certificate_chain,
        private_key=identity.private_key,
        client_ca=identity.authority,
        pins=pins,
    )


def parse_clients(text: str) -> Mapping[str, str]:
    """Return pin -> node id of a list of clients; raise InvalidInput naming the first bad line."""
    pins: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if _PIN.fullmatch(words[0]) is None or len(words) > 2:
            raise InvalidInput(
                f"客户端清单第 {number} 行有误:须为 64 位小写十六进制公钥指纹,后可跟节点编号",
                f"Line {number} of the list of clients: a pin of 64 lower-case hex digits is"
                " needed, and a node id may follow",
                code="client_list",
            )
        pins[words[0]] = words[1] if len(words) == 2 else ANY_NODE
    return pins


async def keep_in_force(
    read: Callable[[], TransportSecurity],
    known: TransportSecurity,
    secure: Callable[[TransportSecurity], None],
    *,
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """Hand what `read` returns to `secure` whenever it changes, for ever."""
    while True:
        known = await replacement(read, known, look_every_s)
        secure(known)
        _log.info("link_security_changed", clients=len(known.pins))
