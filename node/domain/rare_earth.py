"""Rare-earth arithmetic and the balance rules a register can check.

Sources: stoichiometry from standard atomic masses; 稀土管理条例 (Decree 785) art. 11 for R-1. All
masses are kg, all contents mass %, all functions pure. Tolerances are those of weighing (0.5 %) and
of assay (2 %).

Invariants: `reo_per_kg` is the only place that turns an analysis into REO; every rule below that
speaks of REO uses its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

# kg of oxide per kg of metal: La2O3, CeO2, Pr6O11, Nd2O3, SEG (as Sm2O3), heavy (as Dy2O3).
OXIDE_PER_METAL = (1.1728, 1.2284, 1.2082, 1.1664, 1.1596, 1.1477)
DISTRIBUTION = ("la_pct", "ce_pct", "pr_pct", "nd_pct", "seg_pct", "hre_pct")

# A stage's digit in an identifier of profile `ree-batch`.
STAGE_DIGITS: Mapping[str, str] = MappingProxyType(
    {
        "0": "ORE",
        "1": "CON",
        "2": "MIX",
        "3": "SEP",
        "4": "MET",
        "5": "ALY",
        "6": "MAT",
        "7": "SCR",
        "8": "REC",
    }
)
STAGES = tuple(STAGE_DIGITS.values())

SUM_TOLERANCE_PCT = 0.2  # six shares reported to two decimals
MB1_WARN, MB1_REJECT = 0.005, 0.02
WEIGHING_TOLERANCE = 0.005


def reo_per_kg(
    tre_pct: float, basis: str, moisture_pct: float, distribution: Sequence[float]
) -> float | None:
    """Return kg REO in one kg as received, or None when the analysis does not say.

    `basis`: "REO" (on the goods as received), "REO_DRY" (on the dried goods) or "RE" (metal; then
    `distribution`, six oxide shares in %, converts it). Shares that sum to nothing give None.
    """
    if basis == "REO":
        return tre_pct / 100
    if basis == "REO_DRY":
        return tre_pct / 100 * (1 - moisture_pct / 100)
    if basis != "RE":
        return None
    metal = sum(d / f for d, f in zip(distribution, OXIDE_PER_METAL, strict=True))
    return tre_pct / metal if metal > 0 else None


def distribution_excess(shares: Sequence[float]) -> float:
    """Return by how many % the six shares miss 100 (absolute)."""
    return abs(sum(shares) - 100.0)


def packages_hold(net_kg: float, count: float, unit_kg: float) -> bool:
    """Tell whether `count` packages of `unit_kg` hold `net_kg`, the last perhaps partly (P-1)."""
    return (count - 1) * unit_kg < net_kg - 1e-6 and net_kg <= count * unit_kg + 1e-6


def exceeds_inputs(child_reo_kg: float, input_reo_kg: float) -> bool:
    """Tell whether a lot claims more REO than was taken for it (MB-3, within weighing)."""
    return child_reo_kg > input_reo_kg * (1 + WEIGHING_TOLERANCE)


def over_allocated(taken_kg: float, net_kg: float) -> bool:
    """Tell whether children took more of a lot than it weighs (MB-2, within weighing)."""
    return taken_kg > net_kg * (1 + WEIGHING_TOLERANCE)


def made_before(child: int, parent: int) -> bool:
    """Tell whether a lot claims to be older than its parent (T-1); both are day ordinals."""
    return child < parent


def is_recycler_feed(parent_stage: str) -> bool:
    """Tell whether a recycler (综合利用企业) may use a lot of this stage (R-1, art. 11)."""
    return parent_stage == "SCR"


def is_usual_step(parent_stage: str, child_stage: str) -> bool:
    """Tell whether this step is a usual one (R-3): onwards, blends, and SCR → REC → metal."""
    if child_stage in ("SCR", "REC") or parent_stage == "REC":
        return True
    return STAGES.index(parent_stage) <= STAGES.index(child_stage)
