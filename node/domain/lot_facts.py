"""What the genealogy rules need to know of a lot, and the rules between a lot and its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from node.domain.rare_earth import (
    DISTRIBUTION,
    exceeds_inputs,
    is_recycler_feed,
    made_before,
    reo_per_kg,
)
from node.domain.record import Parent, Status
from node.errors import Problem

LOT_TEMPLATE = "ree-batch/"
RECYCLING = "REC"


class LotFacts(msgspec.Struct, frozen=True, gc=False):
    """Facts of one lot, of a file or of the register.

    `reo_per_kg`: kg REO in one kg as received, or None when the analysis does not say;
    `produced_on`: proleptic Gregorian ordinal, or None; `stage`: ORE … REC or "";
    `status`: record status for a registered lot, "" for a lot of a file; `net_kg`: or None.
    """

    reo_per_kg: float | None
    produced_on: int | None
    stage: str
    status: str = ""
    net_kg: float | None = None


def facts_if_lot(template: str, attributes: Mapping[str, str]) -> LotFacts | None:
    """Return the facts of a valid record if its template is one of lots, else None."""
    return facts_of(attributes) if template.startswith(LOT_TEMPLATE) else None


def facts_of(attributes: Mapping[str, str], status: str = "") -> LotFacts:
    """Derive the facts of a valid `ree-batch` record from its attribute texts."""
    get = attributes.get
    made = get("produced_on")
    return LotFacts(
        reo_per_kg=_reo_per_kg(attributes),
        produced_on=date.fromisoformat(made).toordinal() if made else None,
        stage=get("stage", ""),
        status=status,
        net_kg=_number(get("net_kg")),
    )


def _reo_per_kg(attributes: Mapping[str, str]) -> float | None:
    get = attributes.get
    total = _number(get("tre_pct"))
    if total is None:
        return None
    basis, moisture = get("tre_basis", ""), _number(get("moisture_pct")) or 0.0
    # Only an analysis of metal needs the shares: reading them takes longer than all the rest.
    shares = [_number(get(name)) or 0.0 for name in DISTRIBUTION] if basis == "RE" else ()
    return reo_per_kg(total, basis, moisture, shares)


def _number(text: str | None) -> float | None:
    """Read the number of an attribute; "<0.01" counts as its limit, "ND" as nothing."""
    return float(text.lstrip("<=")) if text and text != "ND" else None


def genealogy_faults(
    lot: LotFacts, parents: Sequence[Parent], known: Mapping[str, LotFacts]
) -> list[Problem]:
    """Return what contradicts itself between a lot and those of its parents that are known.

    R-2: a revoked lot is nobody's source.
    T-1: no lot is older than its source. R-1 (稀土管理条例 art. 11): a recycler uses scrap only.
    MB-3: a lot holds no more REO than was taken for it; needs every parent and mass known.
    """
    problems: list[Problem] = []
    for parent in parents:
        source = known.get(parent.id)
        if source is None:
            continue
        if source.status == Status.REVOKED:
            problems.append(
                Problem(
                    "parents",
                    "revoked_parent",
                    f"原料批次 {parent.id} 已注销",
                    f"The source lot {parent.id} was revoked",
                )
            )
        if (
            lot.produced_on is not None
            and source.produced_on is not None
            and made_before(lot.produced_on, source.produced_on)
        ):
            problems.append(
                Problem(
                    "attributes.produced_on",
                    "child_before_parent",
                    f"生产日期早于原料批次 {parent.id} 的生产日期",
                    f"Produced before its source lot {parent.id}",
                )
            )
        if lot.stage == RECYCLING and not is_recycler_feed(source.stage):
            problems.append(
                Problem(
                    "parents",
                    "ore_to_recycler",
                    f"综合利用企业不得使用矿产品原料({parent.id});《稀土管理条例》第十一条",
                    f"A recycler may not use mineral products ({parent.id}); Regulation art. 11",
                )
            )
    return problems + _mass_excess(lot, parents, known)


def _mass_excess(
    lot: LotFacts, parents: Sequence[Parent], known: Mapping[str, LotFacts]
) -> list[Problem]:
    if lot.reo_per_kg is None or lot.net_kg is None or not parents:
        return []
    taken = 0.0
    for parent in parents:
        source = known.get(parent.id)
        if source is None or source.reo_per_kg is None or not parent.kg:
            return []
        taken += float(parent.kg) * source.reo_per_kg
    held = lot.net_kg * lot.reo_per_kg
    if not exceeds_inputs(held, taken):
        return []
    return [
        Problem(
            "attributes.net_kg",
            "mass_excess",
            f"折REO {held:.1f} kg 超过所用原料的 {taken:.1f} kg",
            f"Holds {held:.1f} kg REO, more than the {taken:.1f} kg taken from its sources",
        )
    ]
