"""The magnet chain: strip-cast alloy, sintered magnets and the scrap they leave.

Invariants: what is charged is split into magnet, sludge and blocks without rest; a scrap batch
names every alloy lot once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from admin.demo_batches.grades import MAGNET_GRADES
from admin.demo_batches.industry import Industry, Process
from admin.demo_batches.lots import (
    DYSPROSIA_PER_DYSPROSIUM,
    Composition,
    Draw,
    Lot,
    Plan,
    blend,
    draw,
    latest_day,
    metal_share,
    plain_sum,
    reo_left,
    reo_of,
)

_MAGNET_CONTROL = "1C905.a"
_SMALLEST_CHARGE_KG = 60
_DYSPROSIUM: Composition = (1e-6, 1e-6, 1e-6, 1e-6, 2e-5, 1 - 2.4e-5)


def cast_alloys(industry: Industry) -> Iterator[Process]:
    """Strip-cast magnet alloys in furnaces of about 600 kg; dysprosium-iron comes from outside."""
    chance = industry.chance
    pool, dysprosium = industry.pool("PNM"), industry.pool("DFM")
    pool.sort(key=lambda lot: lot.day)
    while pool:
        grade = chance.pick(MAGNET_GRADES)
        # One furnace, or two blended.
        net_kg = chance.uniform(585, 612) * (1 if chance.random() < 0.5 else 2)
        heavy_pct = grade.heavy_pct * chance.uniform(1.0, 1.15) if grade.heavy_pct else 0.0
        rare_earth_pct = chance.uniform(29.6, 31.6)
        need_kg = net_kg * (rare_earth_pct - heavy_pct) / 100 * 1.012
        draws = draw(pool, need_kg * 1.175, 3)
        if reo_of(draws) < _SMALLEST_CHARGE_KG:
            break
        if heavy_pct > 0:
            need_kg = net_kg * heavy_pct / 100 * 1.02 * DYSPROSIA_PER_DYSPROSIUM
            if reo_left(dysprosium) < need_kg:
                yield _buy_dysprosium(industry, latest_day(draws) - 5)
            draws = draws + draw(dysprosium, need_kg, 2)
        shares, reo_kg = blend(draws)
        metal_kg = reo_kg * chance.uniform(0.988, 0.996) * metal_share(shares)
        # When stock runs out, a short melt is cast of what there is.
        net_kg = min(net_kg, metal_kg / rare_earth_pct * 100)
        plant = ("A1", "A2", "A3")[chance.index(3)]
        plan = Plan(
            "STC",
            net_kg,
            metal_kg / net_kg * 100 * 0.9995,
            shares,
            latest_day(draws) + 2 + chance.days(5),
            "SC-" + grade.name,
            sold=chance.random() < 0.08,
            control=_MAGNET_CONTROL if heavy_pct else "",
        )
        process = industry.make(plant, draws, [plan])
        industry.cast_for[process.lots[0].suffix] = grade.name
        yield process


def sinter(industry: Industry) -> Iterator[Process]:
    """Make magnets of the alloys in stock, and scrap batches as enough has come together."""
    chance = industry.chance
    pool = industry.pool("STC")
    pool.sort(key=lambda lot: lot.day)
    while pool:
        most = 2 if len(pool) > 1 and chance.random() < 0.25 else 1
        draws = draw(pool, chance.uniform(300, 1000) * pool[0].reo_per_kg, most)
        if not draws:
            break
        charge = _split_charge(draws, chance.uniform(0.68, 0.80), chance.uniform(0.55, 0.8))
        first = draws[0].lot
        own_line = "G1" if chance.random() < 0.5 else "G2"
        plant = {"A1": own_line, "A2": "G3", "A3": "G4"}[first.suffix[4:6]]
        yield _magnets(industry, plant, charge.used, industry.cast_for.get(first.suffix, "N42"))
        industry.scrap.sludge.setdefault(plant, []).extend(charge.sludge)
        industry.scrap.blocks.setdefault(plant, []).extend(charge.blocks)
        yield from _scrap(industry, plant)


@dataclass(frozen=True, slots=True)
class _Charge:
    used: list[Draw]
    sludge: list[Draw]
    blocks: list[Draw]


def _split_charge(draws: Sequence[Draw], magnet_share: float, sludge_part: float) -> _Charge:
    """Divide what is charged; `sludge_part` is of that which does not become magnet."""
    sludge_share = (1 - magnet_share) * sludge_part
    used = [Draw(lot, round(kg * magnet_share, 2)) for lot, kg in draws]
    sludge = [Draw(lot, round(kg * sludge_share, 2)) for lot, kg in draws]
    blocks = [
        Draw(lot, round(kg - used_draw.kg - sludge_draw.kg, 2))
        for (lot, kg), used_draw, sludge_draw in zip(draws, used, sludge, strict=True)
    ]
    return _Charge(used, sludge, blocks)


def _buy_dysprosium(industry: Industry, day: int) -> Process:
    chance = industry.chance
    net_kg, tre = chance.uniform(1500, 3000), chance.uniform(79.5, 80.6)
    plan = Plan("DFM", net_kg, tre, _DYSPROSIUM, day, "DyFe-80", control=_MAGNET_CONTROL)
    return industry.make("Z1", [], [plan])


def _magnets(industry: Industry, plant: str, used: list[Draw], grade: str) -> Process:
    chance = industry.chance
    shares, reo_kg = blend(used)
    metal_kg = reo_kg * chance.uniform(0.982, 0.992) * metal_share(shares)
    used_kg = plain_sum([kg for _, kg in used])
    tre = reo_kg / used_kg * metal_share(shares) * 100 * 0.996
    day = latest_day(used) + 8 + chance.days(12)
    plan = Plan(
        "SNB",
        metal_kg / tre * 100 - 0.06,
        tre,
        shares,
        day,
        grade,
        sold=chance.random() < 0.93,
        control=_MAGNET_CONTROL if shares[5] > 0.004 else "",
    )
    return industry.finish(plant, used, [plan])


def _scrap(industry: Industry, plant: str) -> Iterator[Process]:
    scrap = industry.scrap
    for collected, code, least_kg, dry_share in (
        (scrap.sludge, "SWF", 600, 0.86),
        (scrap.blocks, "SCB", 500, 1.0),
    ):
        draws = [item for item in collected[plant] if item.kg > 0]
        kg = plain_sum([item.kg for item in draws])
        if kg >= least_kg * (1 if industry.is_full_scale else 0.6):
            yield _scrap_batch(industry, plant, _merged(draws), code=code, wet_kg=kg / dry_share)
            collected[plant] = []


def _merged(draws: Sequence[Draw]) -> list[Draw]:
    """Add up what comes from the same lot, in order of first appearance."""
    masses: dict[str, tuple[Lot, float]] = {}
    for lot, kg in draws:
        masses[lot.suffix] = (lot, round(masses.get(lot.suffix, (lot, 0.0))[1] + kg, 2))
    return [Draw(lot, kg) for lot, kg in masses.values()]


def _scrap_batch(
    industry: Industry, plant: str, draws: list[Draw], *, code: str, wet_kg: float
) -> Process:
    chance = industry.chance
    shares, reo_kg = blend(draws)
    metal_kg = reo_kg * chance.uniform(0.965, 0.985) * metal_share(shares)
    tre = metal_kg / wet_kg * 100  # sludge carries coolant and oxide
    day = latest_day(draws) + 12 + chance.days(4)
    return industry.make(plant, draws, [Plan(code, wet_kg * 0.999, tre * 0.998, shares, day)])
