"""The published figures of a batch: rounded first, everything else derived from the rounded ones.

Invariants: whoever recomputes REO from the row finds the REO of the row; the six percentages add
up to exactly 100.000.
"""

from __future__ import annotations

from typing import NamedTuple

from admin.demo_batches.chance import Chance
from admin.demo_batches.lots import Plan, metal_share
from admin.demo_batches.products import (
    BAG25,
    BAG50,
    DRUM50,
    FIBC,
    PRODUCTS,
    Basis,
    Pack,
    Product,
)

_FILLED_BY_25_KG = (BAG50, BAG25, DRUM50)


class Figures(NamedTuple):
    """What a batch weighs and contains; `percentages` in the order of a composition."""

    net_kg: float
    tre_pct: float
    percentages: list[float]
    moisture_pct: float
    reo_per_kg: float
    reo_kg: float


def rounded_figures(plan: Plan, chance: Chance) -> Figures:
    """Round a plan as a plant would publish it, and draw its moisture."""
    product = PRODUCTS[plan.code]
    net_kg = _rounded_mass(plan.net_kg, product.pack, product.stage)
    tre_pct = round(plan.tre_pct, 2)
    percentages = _percentages(plan)
    driest, wettest = product.moisture
    moisture_pct = round(driest + (wettest - driest) * chance.random(), 2) if wettest else 0.0
    reo_per_kg = _reo_per_kg(product, tre_pct, moisture_pct, percentages)
    return Figures(
        net_kg, tre_pct, percentages, moisture_pct, reo_per_kg, round(net_kg * reo_per_kg, 2)
    )


def _rounded_mass(kg: float, pack: Pack, stage: str) -> float:
    if stage == "ORE":
        return float(round(kg / 1000) * 1000)
    if pack is FIBC:
        return float(round(kg / 10) * 10)
    if kg >= 500 and pack in _FILLED_BY_25_KG:
        return float(round(kg / 25) * 25)
    return round(kg, 1)


def _percentages(plan: Plan) -> list[float]:
    thousandths = [int(share * 100000 + 0.5) for share in plan.composition]
    top = max(thousandths)
    # The largest share takes the rounding error of all.
    thousandths[thousandths.index(top)] = 100000 - (sum(thousandths) - top)
    return [share / 1000 for share in thousandths]


def _reo_per_kg(
    product: Product, tre_pct: float, moisture_pct: float, percentages: list[float]
) -> float:
    if product.basis is Basis.REO:
        return tre_pct / 100
    if product.basis is Basis.REO_DRY:
        return tre_pct / 100 * (1 - moisture_pct / 100)
    return tre_pct / metal_share(percentages)
