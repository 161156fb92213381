"""Metals by electrolysis, and what is made of oxides and light metals outside the magnet chain.

Invariants: steps are generators of the processes they run, oldest lots first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from admin.demo_batches.chance import Chance
from admin.demo_batches.grades import MAIN_ELEMENT, PURITY_GRADES, PurityGrade
from admin.demo_batches.industry import Industry, Process
from admin.demo_batches.lots import (
    Composition,
    Plan,
    blend,
    draw,
    latest_day,
    metal_share,
    reo_left,
)


@dataclass(frozen=True, slots=True)
class _Route:
    """Oxide to metal: bounds of a melt in kg, the share of oxide not melted, of metal sold."""

    oxide: str
    metal: str
    low_kg: float
    high_kg: float
    kept: float
    sold: float


_ROUTES = (
    _Route("PNX", "PNM", 700, 1600, 0.12, 0.42),
    _Route("NDX", "NDM", 500, 1200, 0, 0.7),
    _Route("LAX", "LAM", 700, 1500, 0.3, 0.6),
    _Route("LCC", "LCM", 900, 1800, 0.55, 0.6),
    _Route("CEX", "CEM", 500, 1200, 0.5, 0.9),
)


def electrolyse(industry: Industry) -> Iterator[Process]:
    """Make metals of the oxides in stock."""
    for route in _ROUTES:
        yield from _melts(industry, route)


def polish(industry: Industry) -> Iterator[Process]:
    """Make polishing powder of cerium carbonates; all of it is sold."""
    chance = industry.chance
    for code in ("LCC", "CEC"):
        pool = industry.pool(code)
        left_kg = reo_left(pool) * 0.8
        while left_kg > 1500:
            draws = draw(pool, min(left_kg, chance.uniform(1800, 3800)), 3)
            if not draws:
                break
            shares, reo_kg = blend(draws)
            left_kg -= reo_kg
            tre = chance.central(90, 96)
            plant = "P1" if chance.random() < 0.6 else "P2"
            net_kg = reo_kg * chance.uniform(0.965, 0.985) / tre * 100 - 13
            day = latest_day(draws) + 4 + chance.days(7)
            grade = "RECP-0.8" if chance.random() < 0.5 else "RECP-1.2"
            yield industry.finish(
                plant, draws, [Plan("PLP", net_kg, tre, shares, day, grade, sold=True)]
            )


def store_hydrogen(industry: Industry) -> Iterator[Process]:
    """Make hydrogen-storage alloy of lanthanum metals; all of it is sold."""
    chance = industry.chance
    for code in ("LAM", "LCM"):
        pool = industry.pool(code)
        left_kg = reo_left(pool) * 0.5
        while left_kg > 330:
            draws = draw(pool, min(left_kg, chance.uniform(340, 1100)), 2)
            if not draws:
                break
            shares, reo_kg = blend(draws)
            left_kg -= reo_kg
            tre = chance.central(30.5, 33.5)
            metal_kg = reo_kg * chance.uniform(0.975, 0.99) * metal_share(shares)
            day = latest_day(draws) + 3 + chance.days(6)
            grade = "AB5-LaCe" if code == "LCM" else "AB5-La"
            plan = Plan("HSA", metal_kg / tre * 100 - 13, tre, shares, day, grade, sold=True)
            yield industry.finish("H1", draws, [plan])


def _melts(industry: Industry, route: _Route) -> Iterator[Process]:
    chance = industry.chance
    pool = industry.pool(route.oxide)
    pool.sort(key=lambda lot: lot.day)
    left_kg = reo_left(pool) * (1 - route.kept)
    while left_kg > route.low_kg:
        need_kg = min(left_kg, chance.uniform(route.low_kg, route.high_kg) * 1.18)
        draws = draw(pool, need_kg, 3)
        if not draws:
            break
        shares, reo_kg = blend(draws)
        left_kg -= reo_kg
        tre = chance.central(99.05, 99.7)
        net_kg = reo_kg * chance.uniform(0.972, 0.988) * metal_share(shares) / tre * 100
        grade, number = _metal_grade(route.metal, shares, chance)
        plant = ("E1", "E2", "E3", "E4")[chance.index(4)]
        sold = chance.random() < route.sold
        day = latest_day(draws) + 3 + chance.days(8)
        plan = Plan(route.metal, net_kg, tre, shares, day, grade, number, sold)
        yield industry.make(plant, draws, [plan])


def _metal_grade(metal: str, shares: Composition, chance: Chance) -> tuple[str, str]:
    """Grade a metal by what it was made of; give its designation and numeric grade."""
    if metal == "PNM":
        neodymium = shares[3] / (shares[2] + shares[3])
        grade = "PrNd-80Nd" if neodymium > 0.775 else "PrNd-75Nd"
        if neodymium <= 0.725:
            grade = "PrNd-70Nd"
        return grade + ("A" if chance.random() < 0.5 else "B"), ""
    if metal == "LCM":
        return "LaCe-35La", ""
    return _purity_grade(metal, shares[MAIN_ELEMENT[metal]] * 100)


def _purity_grade(metal: str, purity_pct: float) -> tuple[str, str]:
    fallback = PurityGrade(f"{metal[:2].capitalize()}-2N", "", 0, 0)
    reached = [grade for grade in PURITY_GRADES[metal] if grade.least_pct <= purity_pct]
    best = (reached or [fallback])[-1]
    return best.name, best.number
