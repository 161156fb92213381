"""Recycling: magnet scrap becomes oxides that return to the metal plants.

Invariants: comprehensive-utilisation plants take scrap only, never mineral products (Regulation on
the administration of rare earths, article 11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from admin.demo_batches.chance import Chance
from admin.demo_batches.grades import mixed_oxide_grade
from admin.demo_batches.industry import Industry, Process
from admin.demo_batches.lots import Composition, Draw, Plan, blend, draw, latest_day, reo_left

# A recycled oxide is used about as many days after it was made.
_DAYS_AHEAD = 20
_LEAST_DYSPROSIA_KG = 12
_DYSPROSIA: Composition = (1e-5, 1e-5, 5e-4, 1e-3, 1.5e-3, 1 - 3.02e-3)


def return_recycled(industry: Industry) -> None:
    """Put recycled oxides whose day has come into the stock of the metal plants."""
    usable = int(industry.day) + _DAYS_AHEAD
    industry.pool("PNX").extend(lot for lot in industry.returning if lot.day <= usable)
    industry.returning = [lot for lot in industry.returning if lot.day > usable]


def recycle(industry: Industry) -> Iterator[Process]:
    """Make oxides of the scrap in stock."""
    chance = industry.chance
    pool = industry.merge_pools("SWF", "SCB")
    left_kg = reo_left(pool)
    floor_kg = 700 if industry.is_full_scale else 350
    while left_kg > floor_kg:
        draws = draw(pool, min(left_kg, chance.uniform(1, 1.8) * floor_kg), 10)
        if not draws:
            break
        shares, reo_kg = blend(draws)
        left_kg -= reo_kg
        plans = _oxides(chance, draws, shares, reo_kg)
        process = industry.finish("R1" if chance.random() < 0.6 else "R2", draws, plans)
        industry.returning.extend(
            lot for lot in process.lots if lot.left_kg > 0 and lot.code == "PNR"
        )
        yield process


def _oxides(
    chance: Chance, draws: Sequence[Draw], shares: Composition, reo_kg: float
) -> list[Plan]:
    recovery = chance.uniform(0.93, 0.965)
    day = latest_day(draws) + 6 + chance.days(8)
    mixed_kg = reo_kg * (shares[2] + shares[3]) * recovery
    dysprosia_kg = reo_kg * shares[5] * recovery
    pr = shares[2] / (shares[2] + shares[3])
    tre = chance.central(99.0, 99.5)
    mixed = (0.0005, 0.0006, pr * 0.998, (1 - pr) * 0.998, 0.0005, 0.0004)
    plans = [Plan("PNR", mixed_kg / tre * 100 * 0.985, tre, mixed, day, mixed_oxide_grade(pr))]
    if dysprosia_kg > _LEAST_DYSPROSIA_KG:
        net_kg = dysprosia_kg * 0.97 / 0.992
        plans.append(
            Plan("DYX", net_kg, 99.2, _DYSPROSIA, day, "Dy2O3-2N5", "101025", True, "1C905.b")
        )
    return plans
