"""How a soak goes: its length, its load, how often something is broken (values only)."""

from __future__ import annotations

from dataclasses import dataclass, field

# A quarter of the look-ups or so comes by each face of scanned codes and of machines.
SHARES = {"http": 0.45, "page": 0.15, "handle_udp": 0.25, "handle_tcp": 0.15}
SINGLE_SHARE = 0.2
CHANGES_A_REGISTRATION = 0.015
RETRIES = 0.02
LARGEST_BATCH = 25
# Who registers and changes; each waits for his answer, so there are enough for slow ones.
BATCHERS, SINGLES, CHANGERS = 16, 24, 4


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """One soak; times in s, rates a second.

    `gap_s`: bounds of the time between two faults; `rest_s`: the end of the load without faults;
    `freeze_s`: how long the secondary node is stopped in its tracks; `outage_s`: bounds of how long
    Redis is away.
    """

    seconds: float
    register: float = 200.0
    resolve: float = 1_000.0
    seed: int = 1
    gap_s: tuple[float, float] = (60.0, 180.0)
    check_s: float = 60.0
    sample_s: float = 10.0
    rest_s: float = 60.0
    freeze_s: float = 40.0
    outage_s: tuple[float, float] = (3.0, 20.0)
    kinds: tuple[str, ...] = field(default=())

    @property
    def warm_up_s(self) -> float:
        """How long processes fill their caches before their memory is judged."""
        return min(600.0, 0.2 * self.seconds)

    @property
    def rows(self) -> int:
        """How many rows have to be there to register from."""
        return int(self.seconds * self.register * 1.02) + 2_000
