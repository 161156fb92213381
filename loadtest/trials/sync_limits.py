"""What the fault rows of the link demand, and how long their troubles last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Those of a full run; a scaled one on a busy machine demands no speed.

    `local_share`: least rate of registration in an outage as a share of that before;
    `outage_s`: least length of one; `p95_growth`: most P95 of a registration over a bad line,
    against a good one; `line_delay_s`: of its answers; `turns`: how often both lines are tried;
    `growth_mib`: of memory over broken answers; `half_open_s`: until a frozen peer is given up;
    `found_s`: until a peer that went back has everything again.
    """

    drain_per_s: float = 1_000.0
    local_share: float = 0.9
    p95_growth: float = 1.10
    growth_mib: float = 50.0
    line_delay_s: float = 5.0
    turns: int = 2
    half_open_s: float = 30.0
    found_s: float = 600.0
    outage_s: float = 0.0


FULL = Limits()
# What a busy machine may need is not a fault; what is never allowed stays so.
SCALED = Limits(
    drain_per_s=0.0,
    local_share=0.0,
    p95_growth=1_000.0,
    line_delay_s=0.2,
    turns=1,
    half_open_s=60.0,
)
