"""What the figures of one lot must satisfy before it may be registered, whatever way it came.

These are the rules that refuse; doubts that a person must settle (units, fractions for per cent)
are the importer's. Sources: GB 32100 (credit code), MB-1 and T-1 of the rules in `rare_earth`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from node.domain.identifiers.check_character import verify_gb32100
from node.domain.lot_facts import LotFacts
from node.domain.rare_earth import (
    DISTRIBUTION,
    MB1_REJECT,
    SUM_TOLERANCE_PCT,
    distribution_excess,
)
from node.errors import MalformedIdentifier, Problem


def lot_faults(attributes: Mapping[str, str], facts: LotFacts, today: str) -> Iterator[Problem]:
    """Yield every rule that a lot breaks; `attributes` have passed their template.

    `today`: the local date (UTC+8) as YYYY-MM-DD.
    """
    if not _is_credit_code(attributes.get("producer_uscc", "")):
        yield _problem("producer_uscc", "check", "统一社会信用代码校验位不符", "Check character")
    if attributes.get("produced_on", "") > today:
        yield _problem("produced_on", "future_date", "生产日期晚于今天", "In the future")
    gross = attributes.get("gross_kg")
    if gross and facts.net_kg is not None and float(gross) < facts.net_kg:
        yield _problem("gross_kg", "gross_below_net", "毛重小于净重", "Gross below net mass")
    shares = [float(attributes[name]) for name in DISTRIBUTION if name in attributes]
    if len(shares) == len(DISTRIBUTION) and distribution_excess(shares) > SUM_TOLERANCE_PCT:
        yield _problem(
            "la_pct", "sum_not_100", "稀土配分合计不为100%", "Shares do not sum to 100 %"
        )
    stated = float(attributes.get("reo_eq_kg") or 0)
    derived = (facts.net_kg or 0) * (facts.reo_per_kg or 0)
    if stated and derived and abs(stated - derived) > derived * MB1_REJECT:
        yield _problem(
            "reo_eq_kg",
            "reo_total_wrong",
            f"折REO {stated:g} kg 与净重、总量推算的 {derived:.2f} kg 不符",
            f"{stated:g} kg is not the {derived:.2f} kg that follows from mass and assay",
        )


@lru_cache(maxsize=4_096)
def _is_credit_code(code: str) -> bool:
    try:
        verify_gb32100(code)
    except MalformedIdentifier:
        return False
    return True


def _problem(name: str, code: str, zh: str, en: str) -> Problem:
    return Problem(f"attributes.{name}", code, zh, en)
