"""The row of one batch, made from its plan and its published figures.

Invariants: a row has one text for each column of `columns.NAMES`; texts hold no comma, quote or
line end, so that clean rows need no quoting; random numbers are drawn in column order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from admin.demo_batches.chance import Chance
from admin.demo_batches.columns import Row
from admin.demo_batches.figures import Figures
from admin.demo_batches.grades import LANTHANUM_CERIUM, MAIN_ELEMENT, PRASEODYMIUM_NEODYMIUM
from admin.demo_batches.lots import Draw, Lot, Plan
from admin.demo_batches.parties import BUYERS, PLANTS, LotNumbering, producers
from admin.demo_batches.products import CONTINUOUS_STAGES, PRODUCTS, THORIA_RANGES, Pack, Range
from admin.demo_batches.suffixes import DayTexts, Suffixes

# Bq/g: ThO2 holds 87.88 % Th, 4057 Bq per g of Th-232, 12440 Bq of U-238 per g of natural U.
_THORIUM_IN_THORIA = 0.8788
_BQ_PER_G_THORIUM = 4057
_BQ_PER_G_URANIUM = 12440


class Run(NamedTuple):
    """What all batches of one process share. `recycled` is a share, `recovery` a text in %."""

    process_id: str
    plant: str
    recovery: str
    recycled: float


class Batch(NamedTuple):
    """A finished batch: its row, the lot for later steps, and what it was made from."""

    row: Row
    lot: Lot
    net_kg: float
    parents: Sequence[Draw]


class _Release(NamedTuple):
    quality: str
    status: str
    buyer: str


class RowMaker:
    """Makes the rows of one run: it numbers certificates and suffixes."""

    def __init__(self, prefix: str, suffixes: Suffixes, chance: Chance) -> None:
        self._producers = producers(prefix)
        self._suffixes = suffixes
        self._chance = chance
        self._certificates = 0

    def make(self, plan: Plan, figures: Figures, run: Run, parents: Sequence[Draw]) -> Batch:
        """Make a batch and its row. What is sold or not released has nothing left to draw."""
        code, plant = plan.code, run.plant
        product = PRODUCTS[code]
        owner = PLANTS[plant]
        producer = self._producers[owner]
        day = self._suffixes.day_texts(plan.day)
        suffix, serial = self._suffixes.next(code, product.stage, plant=plant, yymmdd=day.yymmdd)
        handle = f"{producer.handle_prefix}/{suffix}"
        net, tre, pct, moisture, reo_per_kg, reo = figures
        gross, count, piece = _packing(product.pack, net)
        row = [
            handle,
            _lot_number(producer.numbering, day, code, plant, serial),
            code,
            product.name,
            product.stage,
            plan.grade,
            plan.grade_number,
            product.standard,
            product.form,
            product.hs_code,
            producer.name,
            producer.credit_code,
            plant,
            day.iso,
            f"{net:.1f}",
            f"{gross:.1f}",
            "kg",
            product.pack.kind,
            str(count),
            piece,
            f"{tre:.2f}",
            product.basis.value,
            f"{reo:.2f}",
        ]
        row += [f"{share:.3f}" for share in pct]
        row.append(_purity(code, pct))
        row += [self._impurity(level) for level in product.impurities]
        row.append(f"{moisture:.2f}" if moisture else "")
        row.append(self._ignition_loss(product.ignition_loss))
        row += self._radioactivity(product.stage)
        self._certificates += 1
        release = self._release(plan)
        row += [
            f"ZS{day.yymmdd}{self._certificates:07d}",
            *release,
            plan.control,
            f"{run.recycled * 100:.2f}",
            _custody_model(product.stage, len(parents)),
            run.process_id,
            run.recovery,
            "|".join([f"{lot.handle}={kg:.2f}" for lot, kg in parents]),
        ]
        la, ce, pr, nd, seg, heavy = pct
        lot = Lot(
            suffix,
            net if release.status == "ACTIVE" else 0.0,
            reo_per_kg,
            (la / 100, ce / 100, pr / 100, nd / 100, seg / 100, heavy / 100),
            plan.day,
            run.recycled,
            owner,
            handle,
        )
        return Batch(row, lot, net, parents)

    def _impurity(self, level: float) -> str:
        if not level:
            return ""
        random = self._chance.random
        if level >= 1:
            return f"{level * (0.55 + 0.45 * random()):.2f}"
        return f"{level * (0.12 + 0.80 * random() * random()):.4f}"

    def _ignition_loss(self, limits: Range) -> str:
        low, high = limits
        return f"{low + (high - low) * self._chance.random():.2f}" if high else ""

    def _radioactivity(self, stage: str) -> tuple[str, str, str]:
        limits = THORIA_RANGES.get(stage)
        if limits is None:
            return "", "", ""
        low, high = limits
        thoria = round(low + (high - low) * self._chance.random(), 5)
        uranium = round(thoria * (0.004 + 0.008 * self._chance.random()), 6)
        activity = (
            thoria * 0.01 * _THORIUM_IN_THORIA * _BQ_PER_G_THORIUM
            + uranium * 0.01 * _BQ_PER_G_URANIUM
        )
        return f"{thoria:.5f}", f"{uranium:.6f}", f"{activity:.4f}"

    def _release(self, plan: Plan) -> _Release:
        luck = self._chance.random()
        if luck <= 0.016:
            return _Release("HOLD" if luck > 0.004 else "FAIL", "HOLD", "")
        if not plan.sold:
            return _Release("PASS", "ACTIVE", "")
        buyer = BUYERS[self._chance.index(len(BUYERS))]
        recalled = self._chance.random() < 0.0004
        return _Release("PASS", "RECALLED" if recalled else "SHIPPED", buyer)


def _lot_number(numbering: LotNumbering, day: DayTexts, code: str, plant: str, serial: int) -> str:
    if numbering is LotNumbering.DIGITS:
        return f"{day.yyyymmdd}{plant[1]}{serial:03d}"
    if numbering is LotNumbering.PRODUCT_AND_DATE:
        return f"{code[:2]}-{day.yymmdd}-{serial:04d}"
    if numbering is LotNumbering.PLANT_AND_DATE:
        return f"{plant}-{day.yymmdd}-{serial}#"
    return f"{day.yymmdd[:2]}{day.month_letter}{day.yymmdd[4:]}-{serial:03d}"


def _packing(pack: Pack, net_kg: float) -> tuple[float, int, str]:
    """Give gross kg, number of pieces and the net kg of one piece as text."""
    if not pack.net_kg:
        return net_kg, 1, f"{net_kg:.1f}"
    count = max(1, math.ceil(net_kg / pack.net_kg - 1e-9))
    return net_kg + count * pack.tare_kg, count, str(pack.net_kg)


def _purity(code: str, percentages: list[float]) -> str:
    main = MAIN_ELEMENT.get(code)
    if main is not None:
        return f"{percentages[main]:.3f}"
    if code in PRASEODYMIUM_NEODYMIUM:
        return f"{percentages[2] + percentages[3]:.3f}"
    if code in LANTHANUM_CERIUM:
        return f"{percentages[0] + percentages[1]:.3f}"
    return ""


def _custody_model(stage: str, parents: int) -> str:
    if parents == 0:
        return "IDENTITY_PRESERVED"
    if parents == 1:
        return "SEGREGATED"
    return "MASS_BALANCE" if stage in CONTINUOUS_STAGES else "CONTROLLED_BLENDING"
