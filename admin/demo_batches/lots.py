"""Lots of material and the arithmetic of taking from them and blending them.

Invariants: a composition is the shares of La, Ce, Pr, Nd, Sm+Eu+Gd and heavy rare earths in the
rare-earth oxides (REO) and adds up to 1; masses are in kg; what is drawn leaves the lot at once,
so that no lot is ever given away twice.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

Composition = tuple[float, float, float, float, float, float]

# kg of oxide per kg of metal: La2O3, CeO2, Pr6O11, Nd2O3, Sm2O3 for Sm+Eu+Gd, Dy2O3 for heavy.
_OXIDE_PER_METAL = (1.1728, 1.2284, 1.2082, 1.1664, 1.1596, 1.1477)
DYSPROSIA_PER_DYSPROSIUM = _OXIDE_PER_METAL[5]


@dataclass(slots=True)
class Lot:
    """A batch as later steps see it. Only `left_kg` changes; `day` is a proleptic ordinal."""

    suffix: str
    left_kg: float
    reo_per_kg: float
    composition: Composition
    day: int
    recycled: float
    enterprise: int
    handle: str

    @property
    def code(self) -> str:
        """The product code."""
        return self.suffix[:3]


class Draw(NamedTuple):
    """A mass taken from a lot."""

    lot: Lot
    kg: float


@dataclass(slots=True)
class Plan:
    """A batch to be made, in unrounded figures. `control` is its export-control code."""

    code: str
    net_kg: float
    tre_pct: float
    composition: Composition
    day: int
    grade: str = ""
    grade_number: str = ""
    sold: bool = False
    control: str = ""


def plain_sum(values: Iterable[float]) -> float:
    """Add from left to right. sum() compensates rounding from Python 3.12 on, which shows."""
    return reduce(operator.add, values, 0.0)


def reo_left(pool: Iterable[Lot]) -> float:
    """Give the kg of REO that the lots of a pool still hold."""
    return plain_sum([lot.left_kg * lot.reo_per_kg for lot in pool])


def reo_of(draws: Iterable[Draw]) -> float:
    """Give the kg of REO in what was drawn."""
    return plain_sum([lot.reo_per_kg * kg for lot, kg in draws])


def latest_day(draws: Iterable[Draw]) -> int:
    """Give the day on which the youngest of the lots was made."""
    return max([lot.day for lot, _ in draws])


def draw(pool: list[Lot], need_kg: float, most: int = 99) -> list[Draw]:
    """Take `need_kg` of REO from the first lots of a pool, from `most` lots at most.

    A lot that exceeds the need by less than 2 % is taken whole, and leaves the pool.
    """
    draws: list[Draw] = []
    while pool and need_kg > 0 and len(draws) < most:
        lot = pool[0]
        reo_kg = lot.left_kg * lot.reo_per_kg
        if reo_kg <= need_kg * 1.02:
            kg = lot.left_kg
            pool.pop(0)
        else:
            kg = math.floor(need_kg / lot.reo_per_kg * 100) / 100.0
            if kg <= 0:
                break
            reo_kg = kg * lot.reo_per_kg
        lot.left_kg = round(lot.left_kg - kg, 2)
        need_kg -= reo_kg
        draws.append(Draw(lot, kg))
    return draws


def blend(draws: Sequence[Draw]) -> tuple[Composition, float]:
    """Give the composition of what was drawn, mixed, and its REO in kg. At least one draw."""
    if len(draws) == 1:
        lot, kg = draws[0]
        return lot.composition, lot.reo_per_kg * kg
    total = la = ce = pr = nd = seg = heavy = 0.0
    for lot, kg in draws:
        reo_kg = lot.reo_per_kg * kg
        total += reo_kg
        shares = lot.composition
        la += reo_kg * shares[0]
        ce += reo_kg * shares[1]
        pr += reo_kg * shares[2]
        nd += reo_kg * shares[3]
        seg += reo_kg * shares[4]
        heavy += reo_kg * shares[5]
    return (la / total, ce / total, pr / total, nd / total, seg / total, heavy / total), total


def metal_share(shares: Sequence[float]) -> float:
    """Give the kg of metal in 1 kg of oxides of this composition (100 kg for percentages)."""
    la, ce, pr, nd, seg, heavy = _OXIDE_PER_METAL
    return (
        shares[0] / la
        + shares[1] / ce
        + shares[2] / pr
        + shares[3] / nd
        + shares[4] / seg
        + shares[5] / heavy
    )
