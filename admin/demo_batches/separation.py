"""Solvent extraction: mixed carbonate becomes single oxides, chlorides and carbonates.

Invariants: of no element more comes out than went in; the order of products is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from admin.demo_batches.chance import Chance
from admin.demo_batches.grades import MAIN_ELEMENT, PURITY_GRADES, PurityGrade, mixed_oxide_grade
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
    reo_of,
)

# Main element -> the elements next to it in the cascade, which are its impurities.
_NEIGHBOURS = {0: (1, 2), 1: (0, 2), 2: (1, 3), 3: (2, 4)}


def separate(industry: Industry) -> Iterator[Process]:
    """Run one extraction campaign after another until too little mixed carbonate is left."""
    feed = industry.merge_pools("MRC", "MRL")
    left_kg = reo_left(feed)
    while left_kg > (32e3 if industry.is_full_scale else 9e3):
        draws = draw(feed, min(left_kg, industry.chance.uniform(38e3, 75e3)), 7)
        left_kg -= reo_of(draws)
        yield _extract(industry, draws)


@dataclass(slots=True)
class _Cascade:
    """The plans of one extraction campaign while they are drawn up. `size` scales the lots."""

    chance: Chance
    first_day: int
    size: float
    plans: list[Plan] = field(default_factory=list)

    def lots_of(self, left_kg: float, low: float, high: float) -> Iterator[float]:
        """Split a REO mass into lots of low to high kg; a small rest joins the last one."""
        while left_kg > low * 0.25:
            lot_kg = min(left_kg, self.chance.uniform(low, high))
            if left_kg - lot_kg < low * 0.4:
                lot_kg = left_kg
            left_kg -= lot_kg
            yield lot_kg

    def sized_lots_of(self, left_kg: float, low: float, high: float) -> Iterator[float]:
        """Split a REO mass into lots whose bounds follow the size of the cascade."""
        return self.lots_of(left_kg, low * self.size, high * self.size)

    def add(
        self, code: str, reo_kg: float, *, tre: float, shares: Composition, grade: str,
        number: str = "", sold: bool, control: str = "",
    ) -> None:  # fmt: skip
        """Plan a lot that holds `reo_kg` at `tre` per cent."""
        day = self.first_day + self.chance.days(13)
        net_kg = reo_kg / tre * 100 * 0.997
        self.plans.append(Plan(code, net_kg, tre, shares, day, grade, number, sold, control))

    def add_single(self, code: str, reo_kg: float, *, tre: float, sold: bool) -> None:
        """Plan a lot of a product of one element."""
        grade = self._grade(PURITY_GRADES[code])
        drawn_pct = grade.least_pct + grade.spread_pct * self.chance.random()
        shares = _nearly_pure(MAIN_ELEMENT[code], min(99.9985, drawn_pct) / 100)
        self.add(
            code, reo_kg, tre=tre, shares=shares, grade=grade.name, number=grade.number, sold=sold
        )

    def _grade(self, grades: Sequence[PurityGrade]) -> PurityGrade:
        random = self.chance.random
        if random() < 0.5:
            return grades[min(int(random() * random() * 4), len(grades) - 1)]
        return grades[self.chance.index(len(grades))]


def _nearly_pure(main: int, purity: float) -> Composition:
    shares = [1e-6] * 6
    neighbours = _NEIGHBOURS[main]
    for element in neighbours:
        shares[element] += (1 - purity) / len(neighbours)
    shares[main] = 1 - (plain_sum(shares) - shares[main])
    la, ce, pr, nd, seg, heavy = shares
    return la, ce, pr, nd, seg, heavy


def _extract(industry: Industry, draws: Sequence[Draw]) -> Process:
    chance = industry.chance
    shares, reo_kg = blend(draws)
    plant = ("X1", "X2", "X3")[chance.index(3)]
    cascade = _Cascade(chance, latest_day(draws) + 8, 1 if industry.is_full_scale else 0.5)
    la, ce, pr, nd, seg, heavy = [reo_kg * s * chance.uniform(0.965, 0.984) for s in shares]
    together = chance.uniform(0.35, 0.60)
    _keep_together(cascade, together * (la + ce), la / (la + ce))
    _lanthanum_and_cerium(cascade, la * (1 - together) * 0.985, ce * (1 - together) * 0.985)
    pr, nd = pr * 0.985, nd * 0.985
    if chance.random() < (0.18 if industry.is_full_scale else 0.5):
        pr, nd = _split_praseodymium_neodymium(cascade, pr, nd)
    _mixed_praseodymium_neodymium(cascade, pr, nd)
    _middle_and_heavy(cascade, (seg + heavy) * 0.97, seg / (seg + heavy))
    return industry.make(plant, draws, cascade.plans)


def _keep_together(cascade: _Cascade, reo_kg: float, la_share: float) -> None:
    """Precipitate lanthanum and cerium as one carbonate."""
    chance = cascade.chance
    for kg in cascade.sized_lots_of(reo_kg * 0.985, 3e3, 7e3):
        cascade.add(
            "LCC",
            kg,
            tre=chance.central(44, 47.5),
            shares=(la_share - 0.0006, 1 - la_share - 0.0006, 0.0008, 0.0002, 0.0001, 0.0001),
            grade="LaCe-CO3",
            sold=chance.random() < 0.35,
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """A product of one element: bounds of its lots in kg REO, its REO in %, the share sold."""

    code: str
    low_kg: float
    high_kg: float
    tre: tuple[float, float]
    sold: float

    def add_to(self, cascade: _Cascade, lots: Iterator[float]) -> None:
        """Plan one batch for each lot."""
        chance = cascade.chance
        for kg in lots:
            tre = chance.central(*self.tre)
            cascade.add_single(self.code, kg, tre=tre, sold=chance.random() < self.sold)

    def split(self, cascade: _Cascade, reo_kg: float) -> None:
        """Plan the batches of a REO mass, in lots of the cascade's size."""
        self.add_to(cascade, cascade.sized_lots_of(reo_kg, self.low_kg, self.high_kg))


_LANTHANUM_OXIDE = _Cut("LAX", 4e3, 8e3, (98.0, 99.3), 0.55)
_LANTHANUM_CHLORIDE = _Cut("LAL", 3e3, 6e3, (43.5, 46.0), 0.9)
_LANTHANUM_CARBONATE = _Cut("LAC", 3e3, 6e3, (44.0, 48.0), 0.9)
_CERIUM_OXIDE = _Cut("CEX", 4e3, 9e3, (98.8, 99.7), 0.80)
_CERIUM_CARBONATE = _Cut("CEC", 4e3, 7e3, (45.0, 49.5), 0.45)
_PRASEODYMIUM_OXIDE = _Cut("PRX", 500, 1200, (98.9, 99.6), 0.85)
_NEODYMIUM_OXIDE = _Cut("NDX", 800, 1800, (99.0, 99.7), 0.55)


def _lanthanum_and_cerium(cascade: _Cascade, la_kg: float, ce_kg: float) -> None:
    part = cascade.chance.uniform(0.45, 0.75)
    _LANTHANUM_OXIDE.split(cascade, la_kg * part)
    _LANTHANUM_CHLORIDE.split(cascade, la_kg * (1 - part) * 0.6)
    _LANTHANUM_CARBONATE.split(cascade, la_kg * (1 - part) * 0.4)
    part = cascade.chance.uniform(0.45, 0.75)
    _CERIUM_OXIDE.split(cascade, ce_kg * part)
    _CERIUM_CARBONATE.split(cascade, ce_kg * (1 - part))


def _split_praseodymium_neodymium(
    cascade: _Cascade, pr_kg: float, nd_kg: float
) -> tuple[float, float]:
    """Separate a part of praseodymium and neodymium; give what stays together of each."""
    part = cascade.chance.uniform(0.12, 0.35)
    for cut, kg in ((_PRASEODYMIUM_OXIDE, pr_kg * part), (_NEODYMIUM_OXIDE, nd_kg * part)):
        cut.add_to(cascade, cascade.lots_of(kg, cut.low_kg, cut.high_kg))
    return pr_kg * (1 - part), nd_kg * (1 - part)


def _mixed_praseodymium_neodymium(cascade: _Cascade, pr_kg: float, nd_kg: float) -> None:
    chance = cascade.chance
    pr_share = pr_kg / (pr_kg + nd_kg)
    for kg in cascade.lots_of((pr_kg + nd_kg) * 0.995, 1800, 3000):
        impure = chance.uniform(0.0005, 0.004)
        cascade.add(
            "PNX",
            kg,
            tre=chance.central(99.0, 99.6),
            shares=(
                impure * 0.2,
                impure * 0.35,
                pr_share * (1 - impure),
                (1 - pr_share) * (1 - impure),
                impure * 0.4,
                impure * 0.05,
            ),
            grade=mixed_oxide_grade(pr_share),
            sold=chance.random() < 0.30,
        )


def _middle_and_heavy(cascade: _Cascade, reo_kg: float, seg_share: float) -> None:
    chance = cascade.chance
    for kg in cascade.lots_of(reo_kg, 700, 1600):
        cascade.add(
            "SGX",
            kg,
            tre=chance.central(91, 96),
            shares=(0.002, 0.004, 0.004, 0.04, seg_share * 0.95, (1 - seg_share) * 0.95),
            grade="SEG-1",
            sold=chance.random() < 0.9,
            control="1C902.b",
        )
