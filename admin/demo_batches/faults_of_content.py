"""Faults of content: figures, identifiers and genealogies that contradict something.

Invariants: as `faults`; each fault here can be found from the row, its parents or the register.
"""

from __future__ import annotations

import math
from datetime import date, timedelta

from admin.demo_batches.check_characters import CREDIT_CODE_ALPHABET, check_character
from admin.demo_batches.columns import INDEX, Row
from admin.demo_batches.faults import (
    Fault,
    Surroundings,
    Writing,
    change,
    number,
    production_day,
    text,
)

_REQUIRED = ("net_kg", "produced_on", "product_code", "producer_uscc", "handle")


def dup_exact(row: Row, around: Surroundings) -> Fault | None:
    """Write the row twice."""
    return Fault("*row*", "", "", Writing.AFTER_ORIGINAL)


def dup_conflict(row: Row, around: Surroundings) -> Fault | None:
    """Write the row twice, the second time with another mass."""
    kg = number(row, "net_kg") * (1.02 + 0.3 * around.chance.random())
    return change(row, "net_kg", f"{kg:.1f}", Writing.AFTER_ORIGINAL)


def missing_unit(row: Row, around: Surroundings) -> Fault | None:
    """Leave the unit out."""
    return change(row, "unit", "")


def unit_mismatch(row: Row, around: Surroundings) -> Fault | None:
    """Give tonnes while the unit says kg."""
    tonnes = f"{number(row, 'net_kg') / 1000:.4f}"
    return change(row, "net_kg", tonnes.rstrip("0").rstrip("."))


def gross_below_net(row: Row, around: Surroundings) -> Fault | None:
    """Give a gross mass below the net mass."""
    return change(row, "gross_kg", f"{number(row, 'net_kg') * 0.98:.1f}")


def pack_total_wrong(row: Row, around: Surroundings) -> Fault | None:
    """Give more pieces than the mass fills."""
    if text(row, "pack_type") == "BULK":
        return None
    return change(row, "pack_count", str(int(text(row, "pack_count")) + 1 + around.chance.index(3)))


def sum_not_100(row: Row, around: Surroundings) -> Fault | None:
    """Give a distribution that adds up to more than 100 %."""
    ceria = number(row, "ce_pct") + 1.5 + 5 * around.chance.random()
    return change(row, "ce_pct", f"{ceria:.3f}")


def reo_total_wrong(row: Row, around: Surroundings) -> Fault | None:
    """Give more REO than mass and grade allow."""
    reo_kg = number(row, "reo_eq_kg") * (1.08 + 0.2 * around.chance.random())
    return change(row, "reo_eq_kg", f"{reo_kg:.2f}")


def check_char_error(row: Row, around: Surroundings) -> Fault | None:
    """Change one digit of the serial."""
    handle = text(row, "handle")
    place = len(handle) - 2 - around.chance.index(3)
    digit = (int(handle[place]) + 1 + around.chance.index(8)) % 10
    return change(row, "handle", f"{handle[:place]}{digit}{handle[place + 1 :]}")


def transposed_id(row: Row, around: Surroundings) -> Fault | None:
    """Exchange two neighbouring digits of the serial so that the check character notices."""
    handle = text(row, "handle")
    for place in range(len(handle) - 3, len(handle) - 6, -1):
        left, right = handle[place], handle[place + 1]
        swapped = f"{handle[:place]}{right}{left}{handle[place + 2 :]}"
        characters = swapped.split("/")[1].replace("-", "")
        if left != right and check_character(characters[:-1]) != characters[-1]:
            return change(row, "handle", swapped)
    return None


def missing_required(row: Row, around: Surroundings) -> Fault | None:
    """Leave out something without which there is no batch."""
    return change(row, _REQUIRED[around.chance.index(len(_REQUIRED))], "")


def broken_parent(row: Row, around: Surroundings) -> Fault | None:
    """Name a parent that is well formed and does not exist."""
    parents = text(row, "parents")
    if not parents:
        return None
    first, bar, others = parents.partition("|")
    handle, _, kg = first.partition("=")
    prefix, _, suffix = handle.partition("/")
    stem, yymmdd = suffix[:6], suffix[7:13]
    serial = 9800 + around.chance.index(90)
    while check_character(f"{stem}{yymmdd}{serial}") in "IO":
        serial += 1
    character = check_character(f"{stem}{yymmdd}{serial}")
    unknown = f"{prefix}/{stem}-{yymmdd}-{serial}{character}={kg}"
    return change(row, "parents", unknown + bar + others)


def self_parent(row: Row, around: Surroundings) -> Fault | None:
    """Make a batch of itself."""
    parents = text(row, "parents")
    return change(row, "parents", f"{text(row, 'handle')}={_first_kg(row)}") if parents else None


def child_before_parent(row: Row, around: Surroundings) -> Fault | None:
    """Date a batch before the day its parents were made."""
    if not text(row, "parents") or text(row, "stage") == "CON":
        return None
    return change(row, "produced_on", (production_day(row) - timedelta(days=200)).isoformat())


def future_date(row: Row, around: Surroundings) -> Fault | None:
    """Date a batch ten years ahead."""
    day = production_day(row)
    ahead = date(day.year + 10, day.month, min(day.day, 28))
    return change(row, "produced_on", ahead.isoformat())


def mass_excess(row: Row, around: Surroundings) -> Fault | None:
    """Claim more than the parents can give; every derived figure follows the lie."""
    # Beneficiation loses a third, so that an excess proves nothing there.
    if not text(row, "parents") or text(row, "stage") == "CON":
        return None
    before = text(row, "net_kg")
    net_kg = round(number(row, "net_kg") * (1.15 + 0.6 * around.chance.random()), 1)
    tare_kg = number(row, "gross_kg") - number(row, "net_kg")
    pieces = int(text(row, "pack_count"))
    filled = max(1, math.ceil(net_kg / number(row, "pack_net_kg") - 1e-9))
    row[INDEX["reo_eq_kg"]] = f"{number(row, 'reo_eq_kg') / float(before) * net_kg:.2f}"
    row[INDEX["pack_count"]] = str(filled)
    row[INDEX["gross_kg"]] = f"{net_kg + tare_kg / pieces * filled:.1f}"
    return change(row, "net_kg", f"{net_kg:.1f}")


def name_grade_mismatch(row: Row, around: Surroundings) -> Fault | None:
    """Name another product than code and grade do."""
    if text(row, "stage") not in ("SEP", "MET"):
        return None
    return change(row, "product_name", "氧化镧" if text(row, "product_code") != "LAX" else "氧化铈")


def uscc_error(row: Row, around: Surroundings) -> Fault | None:
    """Change one character of the producer's credit code."""
    code = text(row, "producer_uscc")
    place = 8 + around.chance.index(8)
    step = 1 + around.chance.index(28)
    other = CREDIT_CODE_ALPHABET[(CREDIT_CODE_ALPHABET.find(code[place]) + step) % 31]
    return change(row, "producer_uscc", code[:place] + other + code[place + 1 :])


def ore_to_recycler(row: Row, around: Surroundings) -> Fault | None:
    """Let a recycler use a mineral product, which the law forbids."""
    if text(row, "stage") in ("ORE", "CON"):
        around.recent_ore = text(row, "handle")
    if text(row, "plant")[0] != "R" or not around.recent_ore:
        return None
    mineral = f"{around.recent_ore}={_first_kg(row)}"
    return change(row, "parents", f"{mineral}|{text(row, 'parents')}")


def _first_kg(row: Row) -> str:
    return text(row, "parents").split("|")[0].split("=")[1]
