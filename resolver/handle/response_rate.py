"""How many bytes a network is sent over UDP, so that forging its addresses does not pay (pure).

A datagram's source may be forged, and then the answer hits a victim. So each network of sources has
an account: `rate` bytes a second flow into it until it holds what comes in `burst_s`, and every
answer is charged whether it could be sent or not, as in the response-rate limiting of DNS servers.
Who floods therefore falls into debt and is sent nothing at all until the flood has been over for a
while; honest clients behind the same addresses use TCP, which proves where they are.

Invariants: a flood above `rate` gets one burst and no more while it lasts; a network that asks
evenly for less than `rate` is never refused; at most `accounts` networks are remembered, the
longest known being forgotten first, so that flushing one debt takes more bytes than it brings. Time
is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

ACCOUNTS = 65_536
BURST_S = 0.25
DEBT_S = 5.0
# More than anybody can ask for between two settlements.
_UNLIMITED = 1 << 62


class ResponseRate:
    """The accounts of one socket. Networks are numbers; `is_unlimited` tells who has no limit."""

    def __init__(
        self,
        rate: int,
        *,
        is_unlimited: Callable[[int], bool] = lambda network: False,
        accounts: int = ACCOUNTS,
        burst_s: float = BURST_S,
        debt_s: float = DEBT_S,
    ) -> None:
        self._rate = rate
        self._is_unlimited = is_unlimited
        self._accounts = accounts
        self._burst = int(rate * burst_s)
        self._deepest_debt = -int(rate * debt_s)
        # Only accounts that are not full, the longest known first.
        self._left: dict[int, int] = {}
        self._settled_at = 0.0

    def __len__(self) -> int:
        return len(self._left)

    def allow(self, network: int, size: int) -> bool:
        """Charge `size` bytes to a network and say whether they may be sent."""
        left = self._left.get(network)
        if left is None:
            left = self._open(network)
        left -= size
        self._left[network] = left
        return left >= 0

    def settle(self, now: float) -> None:
        """Pay in for the time since the last settlement; to be called a few times in `burst_s`."""
        income = int(self._rate * (now - self._settled_at))
        self._settled_at = now
        full, lowest = self._burst - income, self._deepest_debt
        self._left = {
            network: max(left, lowest) + income
            for network, left in self._left.items()
            if left < full
        }

    def _open(self, network: int) -> int:
        if self._is_unlimited(network):
            return _UNLIMITED
        if len(self._left) >= self._accounts:
            del self._left[next(iter(self._left))]
        return self._burst
