"""Campaigns: load tests declared before they run, and bursts found afterwards (leaf and selector).

The leaf tells when, by whom and why, and the SHA-256 of what it selects; the selector itself stays
in the plant, since it names keys and networks, and goes to the auditor.

Invariants: a selector names something, and selects what fits one entry of each list it has; a
campaign takes effect from its own leaf's time at the earliest and ends with its cancellation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

import msgspec

from node.domain.counting.key_prefix import prefix_of
from node.domain.counting.moments import moment_ms
from node.domain.resolution_event import Client
from node.errors import InvalidInput, Problem

CAMPAIGN = "campaign"
BURST_PREFIX = "burst-"
MAX_ENTRIES, MAX_ENTRY_CHARS = 32, 200
MAX_REASON_CHARS, MAX_OPERATOR_CHARS = 200, 64

_ID = re.compile(r"[a-z0-9][a-z0-9-]{2,60}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Selector(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which look-ups: those that fit one entry of every list that is not empty.

    `agents`: text found in User-Agent, whatever its case; `clients`: client tags, of bursts alone;
    `keys`: ids of API keys; `networks`: `10.0.0.0/8`; `prefixes`: those of identifiers.
    """

    agents: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return canonical JSON (RFC 8785)."""
        return msgspec.json.encode(self, order="sorted")

    def digest(self) -> str:
        """Return the SHA-256 that the campaign's leaf shows, in hex."""
        return sha256(self.encode()).hexdigest()


class CampaignLeaf(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"begins": "from", "ends": "until"},
):
    """One campaign as the log tells of it. `operator` is who declared it, `tally` for a burst."""

    at: str
    declared: bool
    begins: str
    id: str
    kind: Literal["campaign"] = "campaign"
    operator: str
    reason: str
    selects: str
    state: Literal["declared", "cancelled"]
    ends: str
    v: Literal[1] = 1

    def encode(self) -> bytes:
        """Return the leaf's bytes: canonical JSON."""
        return msgspec.json.encode(self, order="sorted")

    def check(self) -> None:
        """Refuse (InvalidInput) what no campaign is like."""
        begins, ends = moment_ms(self.begins), moment_ms(self.ends)
        moment_ms(self.at)
        is_burst = self.id.startswith(BURST_PREFIX)
        faults = (
            ("id", _ID.fullmatch(self.id) is None or is_burst is self.declared),
            ("until", ends <= begins),
            ("operator", not _is_line(self.operator, MAX_OPERATOR_CHARS)),
            ("reason", not _is_line(self.reason, MAX_REASON_CHARS)),
            ("selects", _DIGEST.fullmatch(self.selects) is None),
        )
        for name, is_wrong in faults:
            if is_wrong:
                raise _bad(name)


@dataclass(frozen=True, slots=True)
class Window:
    """A declared campaign ready to be asked: in force from `begins_ms` until before `ends_ms`."""

    id: str
    begins_ms: int
    ends_ms: int
    selector: Selector
    networks: tuple[IPv4Network | IPv6Network, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the networks once."""
        object.__setattr__(self, "networks", tuple(map(ip_network, self.selector.networks)))

    def holds(self, at_ms: int) -> bool:
        """Say whether the campaign is in force at a time."""
        return self.begins_ms <= at_ms < self.ends_ms

    def selects(self, client: Client, identifier: str) -> bool:
        """Say whether a look-up of that time belongs to it."""
        wanted = self.selector
        if wanted.prefixes and prefix_of(identifier) not in wanted.prefixes:
            return False
        if wanted.keys:
            kind, _, name = client.actor.partition(":")
            if kind != "key" or name not in wanted.keys:
                return False
        if wanted.agents:
            agent = client.agent.casefold()
            if not any(text.casefold() in agent for text in wanted.agents):
                return False
        if not self.networks:
            return True
        address = ip_address(client.address) if client.address else None
        return address is not None and any(address in network for network in self.networks)


_leaf_decoder = msgspec.json.Decoder(CampaignLeaf)
_selector_decoder = msgspec.json.Decoder(Selector)


def decode_campaign(leaf: bytes) -> CampaignLeaf:
    """Read a campaign's leaf, accepting its canonical bytes only; raise InvalidInput."""
    try:
        found = _leaf_decoder.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad("leaf") from error
    found.check()
    if found.encode() != leaf:
        raise _bad("leaf")
    return found


def decode_selector(data: bytes) -> Selector:
    """Read a stored selector; raise InvalidInput."""
    try:
        selector = _selector_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad("selector") from error
    check_selector(selector)
    return selector


def check_selector(selector: Selector) -> None:
    """Refuse (InvalidInput) a selector that selects everything, or by what is not understood."""
    lists = msgspec.structs.asdict(selector)
    if not any(lists.values()):
        zh = "须至少指定前缀、网段、密钥或客户端程序之一"
        en = "name a prefix, a network, a key or an agent at least"
        raise InvalidInput(
            "压测范围为空", "nothing is selected", problems=[Problem("", "required", zh, en)]
        )
    for name, entries in lists.items():
        if len(entries) > MAX_ENTRIES or not all(_is_line(e, MAX_ENTRY_CHARS) for e in entries):
            raise _bad(name)
    for network in selector.networks:
        try:
            ip_network(network)
        except ValueError as error:
            zh = f"“{network}” 不是网段,例如 10.0.0.0/8"
            en = f"{network!r} is not a network such as 10.0.0.0/8"
            raise InvalidInput(zh, en, problems=[Problem("networks", "network", zh, en)]) from error


def _is_line(text: str, most: int) -> bool:
    return 0 < len(text) <= most and text.isprintable()


def _bad(field_name: str) -> InvalidInput:
    return InvalidInput(f"压测声明有误:{field_name}", f"a campaign has a bad field: {field_name}")
