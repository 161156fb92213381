"""The figures of one row against each other: masses, packages, distribution, REO, impurities.

A contradiction has one cause in most rows, so the explanations are tried from the most specific to
the least (a percentage written as a fraction, tonnes in a kg column, a wrong REO) and the first one
that makes the figures agree is reported alone.

Invariants: pure; works on whole columns of a chunk; a figure that could not be read is not judged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.domain.product_catalogue import BY_CODE, IMPURITIES
from node.domain.rare_earth import (
    DISTRIBUTION,
    MB1_REJECT,
    MB1_WARN,
    SUM_TOLERANCE_PCT,
    distribution_excess,
    packages_hold,
    reo_per_kg,
)
from node.importing.cell_repair import CLEAN_NUMBER, shifted
from node.importing.row_notes import RowNotes

NAN = math.nan
_NEAR_100 = 0.05  # six shares rounded to two decimals miss 100 by no more
_SLIP = 0.02  # how well a slipped decimal point must explain a contradiction
_MOST_TARE = 1.3  # gross is never this much above net
_PPM_SUSPICION = 10  # times the usual upper content
_MASSES = frozenset({"net_kg", "gross_kg", "pack_net_kg", "pack_count", "reo_eq_kg"})
_THREE_DIGITS = re.compile(r"^[1-9][0-9]{2}", re.ASCII | re.MULTILINE)

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of one row that are judged together; NaN where there is none."""

    net: float
    gross: float
    count: float
    unit_net: float
    tre: float
    reo: float
    per_kg: float | None


def numbers_of(texts: Sequence[str] | None, count: int) -> list[float]:
    """Return a column as floats, NaN for what is empty, below detection or no number."""
    if texts is None:
        return [NAN] * count
    try:
        numbers = [float(text) if text else NAN for text in texts]
    except ValueError:
        return [_number(text) for text in texts]
    return numbers if math.inf not in numbers else [_number(text) for text in texts]


def _number(text: str) -> float:
    return float(text) if CLEAN_NUMBER.fullmatch(text) else NAN


def check_figures(
    columns: Columns, numbers: Mapping[str, Sequence[float]], notes: RowNotes
) -> list[float | None]:
    """Check every row of a chunk; return each row's kg REO per kg, None where it is in doubt.

    `numbers` holds the float column of each of `JUDGED`.
    """
    bases = columns["tre_basis"]
    shares = zip(*(numbers[name] for name in DISTRIBUTION), strict=True)
    rows = zip(*(numbers[name] for name in (*_WEIGHED, "moisture_pct")), bases, shares, strict=True)
    found: list[float | None] = []
    for index, (net, gross, packs, unit_net, tre, reo, moisture, basis, share) in enumerate(rows):
        miss = distribution_excess(share)
        per_kg = reo_per_kg(tre, basis, 0.0 if moisture != moisture else moisture, share)
        if (
            per_kg
            and miss <= _NEAR_100
            and abs(reo - net * per_kg) <= net * per_kg * MB1_WARN
            and net <= gross
            and packages_hold(net, packs, unit_net)
        ):
            found.append(per_kg)
            continue
        sums = miss <= _NEAR_100 or _check_distribution(index, share, notes)
        if per_kg is not None and (per_kg != per_kg or (basis == "RE" and not sums)):
            per_kg = None
        figures = Figures(net, gross, packs, unit_net, tre, reo, per_kg)
        found.append(_check_row(index, figures, columns, notes))
    return found


_WEIGHED = ("net_kg", "gross_kg", "pack_count", "pack_net_kg", "tre_pct", "reo_eq_kg")
JUDGED = (*_WEIGHED, "moisture_pct", *DISTRIBUTION)


def _check_distribution(index: int, shares: Sequence[float], notes: RowNotes) -> bool:
    """Note shares that do not add up; tell whether they may be used."""
    miss = distribution_excess(shares)
    if miss <= _NEAR_100 or miss != miss:
        return miss == miss
    kind = "sum_not_100" if miss > SUM_TOLERANCE_PCT else "sum_near_100"
    notes.add(index, kind, "la_pct", detail=f"{sum(shares):.3f}")
    return kind == "sum_near_100"


def _check_row(index: int, figures: Figures, columns: Columns, notes: RowNotes) -> float | None:
    per_kg, slipped = _check_reo(index, figures, columns, notes)
    if slipped:
        return per_kg
    net, gross, unit_net = figures.net, figures.gross, figures.unit_net
    if gross < net:
        notes.add(index, "gross_below_net", "gross_kg", columns["gross_kg"][index], detail=str(net))
    packed = unit_net > 0 and net > 0 and figures.count >= 0
    if packed and not packages_hold(net, figures.count, unit_net):
        fitting = str(max(1, math.ceil(net / unit_net - 1e-9)))
        written = columns["pack_count"][index]
        notes.add(index, "pack_total_wrong", "pack_count", written, proposed=fitting)
    return per_kg


def _check_reo(
    index: int, figures: Figures, columns: Columns, notes: RowNotes
) -> tuple[float | None, bool]:
    """Check MB-1; return the REO per kg to work with and whether the net mass slipped."""
    per_kg, net, tre = figures.per_kg, figures.net, figures.tre
    if per_kg is None or not per_kg > 0 or not net > 0:
        return per_kg, False
    if figures.reo != figures.reo:
        return _check_without_reo(index, figures, columns, notes)
    ratio = figures.reo / (net * per_kg)
    miss = abs(ratio - 1)
    if miss <= MB1_WARN:
        return per_kg, False
    if tre <= 1 and abs(ratio / 100 - 1) < _SLIP:
        return _note_fraction(index, per_kg, columns, notes), False
    if abs(ratio / 1000 - 1) < _SLIP:
        _note_slip(index, 3, columns, notes)
        return per_kg, True
    if abs(ratio * 1000 - 1) < _SLIP:
        _note_slip(index, -3, columns, notes)
        return per_kg, True
    written = columns["reo_eq_kg"][index]
    if miss <= MB1_REJECT:
        notes.add(index, "reo_total_near", "reo_eq_kg", written, detail=f"{miss:.1%}")
        return per_kg, False
    notes.add(index, "reo_total_wrong", "reo_eq_kg", written, detail=f"{net * per_kg:.2f}")
    return None, False


def _check_without_reo(
    index: int, figures: Figures, columns: Columns, notes: RowNotes
) -> tuple[float | None, bool]:
    """Look for the same slips where no REO is given: by gross mass and by the product."""
    per_kg, net = figures.per_kg, figures.net
    if 1000 / _MOST_TARE < figures.gross / net < 1000 * _MOST_TARE:
        _note_slip(index, 3, columns, notes)
        return per_kg, True
    if per_kg is not None and figures.tre <= 1 and columns["product_code"][index] in BY_CODE:
        return _note_fraction(index, per_kg, columns, notes), False
    return per_kg, False


def _note_fraction(index: int, per_kg: float, columns: Columns, notes: RowNotes) -> float:
    written = columns["tre_pct"][index]
    notes.add(index, "pct_as_fraction", "tre_pct", written, proposed=shifted(written, 2))
    return per_kg * 100


def _note_slip(index: int, power: int, columns: Columns, notes: RowNotes) -> None:
    written = columns["net_kg"][index]
    notes.add(index, "unit_mismatch", "net_kg", written, proposed=shifted(written, power))


def check_impurities(columns: Columns, codes: Sequence[str], notes: RowNotes) -> None:
    """Note contents far beyond the usual of the product: ppm in a % column."""
    for place, name in enumerate(IMPURITIES):
        texts = columns.get(name)
        if texts is None:
            continue
        limits = {
            code: BY_CODE[code].impurity_limits[place] * _PPM_SUSPICION or 100.0
            for code in set(codes)
            if code in BY_CODE
        }
        for index, value in enumerate(numbers_of(texts, len(texts))):
            if value > limits.get(codes[index], 100.0):
                proposed = shifted(texts[index], -4)
                notes.add(index, "ppm_for_pct", name, texts[index], proposed=proposed)


def check_ranges(columns: Columns, notes: RowNotes) -> None:
    """Note shares outside 0…100 % and masses that are negative.

    A column is looked at closely only if some text of it has three digits before the point or a
    sign; impurities above their range are the business of `check_impurities`.
    """
    for name, texts in columns.items():
        share = name.endswith("_pct")
        if not share and name not in _MASSES:
            continue
        joined = "\n".join(texts)
        if "-" not in joined and not (share and _THREE_DIGITS.search(joined)):
            continue
        for index, text in enumerate(texts):
            above = share and name not in IMPURITIES and _number(text) > 100
            if text.startswith("-") or above:
                limits = "0–100" if share else "≥ 0"
                notes.add(index, "out_of_range", name, text, detail=limits)
