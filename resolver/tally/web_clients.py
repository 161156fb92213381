"""HTTP clients as bytes of events: address, actor and the number of their program.

Programs (`User-Agent`) have numbers of one spool file. While clients come back nothing is computed:
one dictionary get for each request.

Invariants: a number given out is named in `names` before any event refers to it; after `forget` no
bytes made before it are given again; what is remembered is bounded, whatever clients send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from node.domain.resolution_event import (
    MAX_AGENT_BYTES,
    MAX_AGENTS,
    NO_AGENT,
    OTHER_AGENT,
    agent_part,
    client_part,
)
from node.domain.trusted_proxies import TrustedProxies, read_address

CLIENTS_REMEMBERED = 16_384
KEY_BYTES = 1_024  # of fields; who sends more is not remembered

AGENT_FIELD = b"user-agent"
FORWARDED_FIELD = b"x-forwarded-for"


class Visitor(NamedTuple):
    """What an HTTP request says of its sender, b"" for what it does not say.

    `peer` is the address the connection comes from; `forwarded` the `X-Forwarded-For` fields with
    commas between, `authorization` the Authorization field.
    """

    peer: str
    forwarded: bytes = b""
    agent: bytes = b""
    authorization: bytes = b""


NOBODY = Visitor("")
_NOTED = frozenset((AGENT_FIELD, FORWARDED_FIELD, b"authorization"))


def nobody(_authorization: bytes) -> str:
    """Take nobody for known."""
    return ""


class WebClients:
    """The HTTP clients of one process.

    `actor_of` returns the actor (`key:ID`) that an Authorization field proves, "" for nobody.
    """

    def __init__(
        self,
        *,
        trusted_proxies: Sequence[str] = (),
        actor_of: Callable[[bytes], str] = nobody,
    ) -> None:
        self._proxies = TrustedProxies(trusted_proxies)
        self._actor_of = actor_of
        self._parts: dict[tuple[str, bytes, bytes], bytes] = {}
        self._numbers: dict[bytes, int] = {}
        # Records that name agents and are not written yet.
        self.names: list[bytes] = []
        # Differs when numbers do: what was made before may name another agent.
        self.epoch = 0

    def is_proxy(self, peer: str) -> bool:
        """Say whether what a peer forwards is believed."""
        return read_address(peer) in self._proxies

    def part(self, peer: str, forwarded: bytes, agent: bytes) -> bytes:
        """Return what events say of a client without credentials.

        `forwarded` are the `X-Forwarded-For` fields of a request, b"" unless `is_proxy(peer)`.
        """
        key = (peer, forwarded, agent)
        part = self._parts.get(key)
        if part is None:
            part = client_part(self._address(peer, forwarded), "", self._number(agent))
            if len(agent) + len(forwarded) <= KEY_BYTES:
                if len(self._parts) >= CLIENTS_REMEMBERED:
                    self._parts.clear()
                self._parts[key] = part
        return part

    def part_of_visitor(self, visitor: Visitor, actor: str = "") -> bytes:
        """Return what events say of a visitor; `actor` is who he has proved to be, if he has."""
        peer, forwarded, agent, authorization = visitor
        if authorization and not actor:
            actor = self._actor_of(authorization)
        if not actor:
            is_believed = bool(forwarded) and self.is_proxy(peer)
            return self.part(peer, forwarded if is_believed else b"", agent)
        return client_part(self._address(peer, forwarded), actor, self._number(agent))

    def forget(self) -> None:
        """Begin anew, as a new file does."""
        self.epoch += bool(self._numbers)
        self._parts.clear()
        self._numbers.clear()
        self.names.clear()

    def _address(self, peer: str, forwarded: bytes) -> bytes:
        heard = read_address(peer)
        address = self._proxies.client(heard, [forwarded.decode("latin-1")]) or heard
        return b"" if address is None else address.packed

    def _number(self, agent: bytes) -> int:
        if not agent:
            return NO_AGENT
        agent = agent[:MAX_AGENT_BYTES]
        number = self._numbers.get(agent)
        if number is None:
            if len(self._numbers) >= MAX_AGENTS:
                return OTHER_AGENT
            number = self._numbers[agent] = len(self._numbers) + 1
            self.names.append(agent_part(number, agent.decode(errors="replace")))
        return number


def visitor_of(scope: Mapping[str, Any]) -> Visitor:
    """Return the sender of a request of an ASGI application (its scope)."""
    fields: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _NOTED:
            fields[name] = fields[name] + b"," + value if name in fields else value
    client = scope.get("client")
    return Visitor(
        client[0] if client else "",
        fields.get(FORWARDED_FIELD, b""),
        fields.get(AGENT_FIELD, b""),
        fields.get(b"authorization", b""),
    )
