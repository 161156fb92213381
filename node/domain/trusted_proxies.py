"""Whom a request comes from when it came through proxies: `X-Forwarded-For`, believed with care.

Each proxy appends the address it heard. Going back from the last one, what a trusted proxy heard is
true; what stands left of the first stranger is hearsay.

Invariants: pure; a request that did not come from a trusted proxy is from whom it comes; IPv4 in
IPv6 is IPv4; work is bounded by what is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address


class TrustedProxies:
    """The proxies whose word is taken; `networks` are like `10.0.0.0/8` (ValueError for others)."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = tuple(ip_network(network) for network in networks)

    def __contains__(self, address: IPAddress | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def client(self, peer: IPAddress | None, forwarded: Iterable[str]) -> IPAddress | None:
        """Return whom a request comes from; None when that cannot be told.

        `peer` is whom the connection comes from, `forwarded` the `X-Forwarded-For` fields in the
        order in which they came. Of a trusted proxy's request the last address that is no trusted
        proxy's is taken; it cannot be told when there is none, or what stands there is no address.
        """
        if peer not in self:
            return peer
        named = [name for field in forwarded for name in field.split(",")]
        for name in reversed(named):
            address = read_address(name)
            if address not in self:
                return address
        return None


def read_address(text: str) -> IPAddress | None:
    """Return the address that a text is, IPv4 in IPv6 as IPv4, or None."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
