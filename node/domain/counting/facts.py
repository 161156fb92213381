"""What is noted of a look-up before it is classified, and of the client that made it.

Addresses and identifiers become keyed pseudonyms here and go no further. What a rule may look at is
a fact: near or far, which role, which agent, which campaign, test or not; so another version of the
rules can be applied to the same facts later.

Invariants: a client is its actor if it has one, else its IPv4 address or IPv6 /64; the tag of a
client is the first 16 bytes of HMAC-SHA-256(window key, that text), that of an identifier the first
16 bytes of its tag in the log; both in hex, "" when there is none.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from node.domain.counting.campaign import Window
from node.domain.counting.key_prefix import prefix_of
from node.domain.log_entry import TAG_BYTES, TagKey
from node.domain.resolution_event import Client
from node.errors import InvalidInput

NEARS = ("self", "own", "outside")
ROLES = ("none", "internal", "partner", "monitor", "self")
PSEUDONYM_BYTES = 16
# Whoever asks from the machine itself: the node's own programs, or a proxy that is not declared.
_THIS_MACHINE = frozenset({bytes((127, 0, 0, 1)), bytes(15) + b"\x01"})
_REMEMBERED = 65_536

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What is known of a client whatever it asked for."""

    tag: str
    near: str
    role: str
    agent: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the node knows besides the events: at one moment.

    `key_roles`: role of each API key by its id; `test_prefixes`: those whose identifiers are for
    tests; `campaigns`: declared ones, oldest first.
    """

    key_roles: Mapping[str, str] = field(default_factory=dict)
    test_prefixes: frozenset[str] = frozenset()
    own_networks: tuple[Network, ...] = ()
    campaigns: tuple[Window, ...] = ()


class Pseudonyms:
    """Makes tags of clients and identifiers. `window_key` and `tag_key` have 32 bytes or more.

    Raises InvalidInput for a shorter key.
    """

    def __init__(self, window_key: bytes, tag_key: bytes) -> None:
        if len(window_key) < TAG_BYTES:
            raise InvalidInput("统计窗口密钥过短", "the window key has under 32 bytes")
        keyed, tags = hmac.new(window_key, digestmod="sha256"), TagKey(tag_key)

        def of_client(client: Client) -> str:
            text = client_text(client)
            if not text:
                return ""
            copy = keyed.copy()
            copy.update(text.encode())
            return copy.digest()[:PSEUDONYM_BYTES].hex()

        @lru_cache(maxsize=_REMEMBERED)
        def of_identifier(identifier: str) -> str:
            return tags.tag(identifier)[:PSEUDONYM_BYTES].hex() if identifier else ""

        self.of_client = of_client
        self.of_identifier = of_identifier


def client_text(client: Client) -> str:
    """Return who a client is taken for: its actor, `192.0.2.7`, `2001:db8:1:2::/64`, or ""."""
    if client.actor or not client.address:
        return client.actor
    if len(client.address) == 4:
        return ".".join(map(str, client.address))
    network = IPv6Address(client.address[:8] + bytes(8))
    return f"{network.compressed}/64"


class FactFinder:
    """Finds the facts of clients and events under some circumstances. Answers are remembered."""

    def __init__(self, pseudonyms: Pseudonyms, circumstances: Circumstances) -> None:
        self._pseudonyms = pseudonyms
        self._around = circumstances
        self._clients: dict[Client, ClientFacts] = {}
        self.identifier_tag = pseudonyms.of_identifier

    def of_client(self, client: Client) -> ClientFacts:
        """Return what is known of a client."""
        facts = self._clients.get(client)
        if facts is None:
            if len(self._clients) >= _REMEMBERED:
                self._clients.clear()
            facts = self._clients[client] = ClientFacts(
                self._pseudonyms.of_client(client),
                self._near(client),
                self._role(client),
                client.agent,
            )
        return facts

    def is_test(self, identifier: str) -> bool:
        """Say whether an identifier belongs to a test prefix."""
        prefixes = self._around.test_prefixes
        return bool(prefixes) and prefix_of(identifier) in prefixes

    def campaign(self, client: Client, identifier: str, at_ms: int) -> str:
        """Return the declared campaign that a look-up belongs to, "" for none."""
        for window in self._around.campaigns:
            if window.holds(at_ms) and window.selects(client, identifier):
                return window.id
        return ""

    def _near(self, client: Client) -> str:
        if client.actor == "self" or (not client.actor and client.address in _THIS_MACHINE):
            return "self"
        if client.address and self._around.own_networks:
            address = ip_address(client.address)
            if any(address in network for network in self._around.own_networks):
                return "own"
        return "outside"

    def _role(self, client: Client) -> str:
        kind, _, name = client.actor.partition(":")
        match kind:
            case "":
                return "none"
            case "key":
                is_partner = self._around.key_roles.get(name) == "partner"
                return "partner" if is_partner else "internal"
            case "peer" | "handle":
                return "partner"
            case "probe":
                return "monitor"
            case _:
                # The node's own calls, and whatever else calls itself something: never counted.
                return "self"
