"""What strangers may cost: accounts of processor time, one for each source, and a total (pure).

Signing an answer, agreeing on a session key and judging a wrong proof cost a node far more than the
asking costs a stranger. Each source has an account into which allowance flows; whoever has run into
debt is told that the server is busy until the debt is paid. Right proofs cost their owners nothing.

Invariants: nobody in credit is refused; at most `sources` accounts are kept, those untouched the
longest are forgotten first. Time is passed in through `clock`, monotonic seconds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from node.errors import Overloaded
from resolver.handle.identity import Connection

_IPV6_NETWORK_BITS = 64


class Allowance:
    """Accounts in milliseconds of processor time; `income` a second, at most `savings` at once."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        income: float,
        savings: float,
        sources: int = 10_000,
    ) -> None:
        self._clock = clock
        self._income = income
        self._savings = savings
        self._sources = sources
        # Source -> (balance, when it was that), untouched the longest first.
        self._accounts: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    def check(self, source: str) -> None:
        """Raise Overloaded when a source is in debt."""
        if self._balance(source) < 0:
            raise Overloaded()

    def charge(self, source: str, cost: float) -> None:
        """Take `cost` milliseconds from a source's account, into debt if need be."""
        balance = self._balance(source) - cost
        self._accounts.pop(source, None)
        self._accounts[source] = (balance, self._clock())
        if len(self._accounts) > self._sources:
            del self._accounts[next(iter(self._accounts))]

    def _balance(self, source: str) -> float:
        account = self._accounts.get(source)
        if account is None:
            return self._savings
        balance, since = account
        return min(self._savings, balance + self._income * (self._clock() - since))


def source_of(peer: str) -> str:
    """Return whom an address belongs to: itself, or for IPv6 its network of 64 bits."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _IPV6_NETWORK_BITS), strict=False))


class StrangersWork:
    """What costly work anybody may cause in one process.

    Over UDP a source may be forged, so all of it has one account; over TCP each source has its own
    beside the total.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._sources = Allowance(clock, income=50.0, savings=250.0)
        self._totals = Allowance(clock, income=200.0, savings=1_000.0)

    def spend(self, connection: Connection, cost: float) -> None:
        """Charge `cost` milliseconds to a peer; raise Overloaded, and charge nothing, in debt."""
        source = source_of(connection.peer)
        is_forgeable = connection.transport == "udp"
        self._totals.check(connection.transport)
        if not is_forgeable:
            self._sources.check(source)
            self._sources.charge(source, cost)
        self._totals.charge(connection.transport, cost)
