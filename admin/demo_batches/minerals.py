"""From ore to mixed carbonate: beneficiation, then roasting, leaching and precipitation.

Invariants: steps are generators of the processes they run, in the order in which they happen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from admin.demo_batches.industry import Industry, Process
from admin.demo_batches.lots import (
    Composition,
    Draw,
    Plan,
    blend,
    draw,
    latest_day,
    plain_sum,
    reo_left,
)

_ORE_COMPOSITION = (0.262, 0.500, 0.050, 0.163, 0.019, 0.006)


def beneficiate(industry: Industry, target_kg: float) -> Iterator[Process]:
    """Mine ore and make concentrate that holds about `target_kg` of REO."""
    chance = industry.chance
    recovery = chance.uniform(0.62, 0.74)
    need_kg = target_kg / recovery
    ore = industry.pool("BRW")
    while reo_left(ore) < need_kg:
        yield _mine(industry)
    draws = draw(ore, need_kg)
    shares, reo_kg = blend(draws)
    plant = "B1" if chance.random() < 0.55 else "B2"
    parts = [("BCN", 1.0)] if chance.random() < 0.8 else [("BCN", 0.82), ("BCH", 0.18)]
    plans = []
    for code, part in parts:
        ordinary = code == "BCN"
        tre = chance.central(49.8, 52.5) if ordinary else chance.central(59.5, 64)
        net_kg = reo_kg * recovery * part / (tre / 100 * 0.915)
        day = latest_day(draws) + 1 + chance.days(3)
        plans.append(Plan(code, net_kg, tre, shares, day, "REO-50" if ordinary else "REO-60"))
    yield industry.make(plant, draws, plans)


def crack(industry: Industry) -> Iterator[Process]:
    """Make mixed carbonate, and a little chloride, of the concentrate in stock."""
    chance = industry.chance
    for code in ("BCN", "BCH"):
        pool = industry.pool(code)
        stock_kg = reo_left(pool)
        if stock_kg <= 0 or (code == "BCH" and len(pool) < 3):
            continue
        part = chance.uniform(0.75, 1.0) if industry.is_full_scale else 1
        draws = draw(pool, stock_kg * part, 4)
        if not draws:
            continue
        plans = _mixed_salts(industry, draws)
        if plans:
            yield industry.make(("S1", "S2", "S3")[chance.index(3)], draws, plans)


def _mine(industry: Industry) -> Process:
    chance = industry.chance
    random = chance.random
    raw = [max(1e-4, b * (1 + (random() + random() - 1) * 0.06)) for b in _ORE_COMPOSITION]
    total = plain_sum(raw)
    la, ce, pr, nd, seg, heavy = (share / total for share in raw)
    shares: Composition = (la, ce, pr, nd, seg, heavy)
    net_kg = chance.uniform(2500e3, 6000e3) * industry.scale
    plant = "M1" if random() < 0.6 else "M2"
    tre = chance.uniform(7.5, 11.5)
    day = int(industry.day) - 3 - chance.days(4)
    return industry.make(plant, [], [Plan("BRW", net_kg, tre, shares, day)])


def _mixed_salts(industry: Industry, draws: Sequence[Draw]) -> list[Plan]:
    chance = industry.chance
    shares, reo_kg = blend(draws)
    recovery = chance.uniform(0.900, 0.945)
    first_day = latest_day(draws) + 3
    left_kg = reo_kg * recovery
    plans = []
    while left_kg > 3e3:
        chloride = chance.random() < 0.08
        tre = chance.central(45.0, 46.8) if chloride else chance.central(42.5, 46.5)
        net_kg = chance.uniform(19e3, 32e3) * (1 if industry.is_full_scale else 0.5)
        if net_kg * tre / 100 > left_kg - 4e3:
            net_kg = left_kg / tre * 100
        left_kg -= net_kg * tre / 100
        day = first_day + chance.days(5)
        if chloride:
            sold = chance.random() < 0.5
            plans.append(Plan("MRL", net_kg * 0.998, tre, shares, day, "RECl3-45", "191545A", sold))
        else:
            plans.append(Plan("MRC", net_kg * 0.998, tre, shares, day, "REC-45"))
    return plans
