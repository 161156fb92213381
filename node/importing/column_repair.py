"""Repair one column of a chunk: a quick look at all of it, then only the cells that need care.

A clean column costs one pass in C; a column with something in it is read once for each distinct
text. Invariants: the list returned has the length of the one given; every change is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

from node.domain.identifiers.check_character import verify_gb32100
from node.domain.product_catalogue import NUMERIC_GRADES
from node.errors import MalformedIdentifier
from node.importing.cell_repair import (
    UNSAFE,
    Reading,
    halve,
    read_date,
    read_measured,
    read_number,
    shifted,
    visible,
)
from node.importing.identifier_repair import day_in_identifier
from node.importing.name_repair import read_name
from node.importing.row_notes import RowNotes

MAX_TEXT = 255
_ONE = r"(?:(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,10})?)?"
_NUMBERS = re.compile(rf"{_ONE}(?:\n{_ONE})*", re.ASCII)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f]")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE][+-]?\d{1,3}", re.ASCII)
_SCIENTIFIC_LINE = re.compile(rf"^{_SCIENTIFIC.pattern}$", re.ASCII | re.MULTILINE)
_SHORT_GRADE = re.compile(r"\d{5}[A-Z]?", re.ASCII)
_UNITS = {"KG": "kg", "公斤": "kg", "千克": "kg", "T": "t", "吨": "t", "公吨": "t"}

# Codes: upper case, no blanks anywhere. Names: Chinese text whose width is left alone.
CODES = frozenset(
    {"product_code", "stage", "form", "pack_type", "tre_basis", "quality", "status", "coc_model"}
)
NAMES = frozenset({"producer_name", "buyer_name"})
MASSES = frozenset({"net_kg", "gross_kg", "pack_net_kg", "reo_eq_kg"})
MEASURED = frozenset(
    {"fe_pct", "si_pct", "ca_pct", "al_pct", "cl_pct", "so4_pct", "moisture_pct", "loi_pct"}
    | {"tho2_pct", "u_pct", "act_bq_g"}
)
DECIMALS = frozenset(
    {"tre_pct", "la_pct", "ce_pct", "pr_pct", "nd_pct", "seg_pct", "hre_pct", "purity_pct"}
    | {"recycled_pct", "recovery_pct", "pack_count", "recycled_pre_pct", "recycled_post_pct"}
    | {"magnet_br_t", "magnet_hcj_ka_m", "magnet_bhmax_kj_m3", "carbon_kg", "quota_year"}
)
NUMBERS = MASSES | MEASURED | DECIMALS

Reader = Callable[[str], Reading]


def repair_column(attribute: str, values: Sequence[str], power: int, notes: RowNotes) -> list[str]:
    """Return the values of a column repaired, noting repairs and faults. Dates go elsewhere."""
    if attribute in NUMBERS:
        return _repair_numbers(attribute, values, power, notes)
    if attribute not in _WATCHED and _is_plain(values):
        return list(values)
    if attribute in _LOT_NUMBERS and _is_plain(values) and not _any_scientific(values):
        return list(values)
    return _repair_distinct(attribute, values, _reader_of(attribute), notes)


def _repair_numbers(
    attribute: str, values: Sequence[str], power: int, notes: RowNotes
) -> list[str]:
    clean = _NUMBERS.fullmatch("\n".join(values)) is not None
    reader = _mass if attribute in MASSES else read_measured if attribute in MEASURED else _decimal
    repaired = list(values) if clean else _repair_distinct(attribute, values, reader, notes)
    if not power:
        return repaired
    for index, text in enumerate(repaired):
        if text and text[0] not in "<N":
            try:
                repaired[index] = shifted(text, power)
            except ValueError:
                continue
            notes.add(index, "header_unit", attribute, text, proposed=repaired[index])
    return repaired


def _repair_distinct(
    attribute: str, values: Sequence[str], reader: Reader, notes: RowNotes
) -> list[str]:
    readings = {text: reader(text) for text in set(values) if text}
    readings = {t: r for t, r in readings.items() if r.kinds or r.fault or r.text != t}
    if not readings:
        return list(values)
    repaired = list(values)
    for index, text in enumerate(values):
        reading = readings.get(text)
        if reading is None:
            continue
        for kind in reading.kinds:
            notes.add(index, kind, attribute, text, proposed=reading.text)
        if reading.fault:
            proposed = reading.text if reading.text != text else ""
            notes.add(index, reading.fault, attribute, text, proposed=proposed)
        else:
            repaired[index] = reading.text
    return repaired


def _is_plain(values: Sequence[str]) -> bool:
    """Tell whether a column has only short ASCII texts without blanks at their ends."""
    joined = "\n".join(values)
    return (
        joined.isascii()
        and max(map(len, values)) <= MAX_TEXT
        and joined.count("\n") == len(values) - 1
        and not (joined[:1] == " " or joined[-1:] == " " or " \n" in joined or "\n " in joined)
        and _CONTROL.search(joined) is None
    )


def _any_scientific(values: Sequence[str]) -> bool:
    return _SCIENTIFIC_LINE.search("\n".join(values)) is not None


def _mass(text: str) -> Reading:
    return read_number(text, mass=True)


def _decimal(text: str) -> Reading:
    return read_number(text)


@lru_cache(maxsize=16384)
def _text(text: str) -> Reading:
    bare = visible(" ".join(text.split()) if "\n" in text or "\r" in text else text)
    kinds: tuple[str, ...] = ("embedded_newline",) if "\n" in text or "\r" in text else ()
    if not kinds and bare != text:
        kinds = ("invisible_char",)
    narrow = halve(bare)
    if narrow != bare:
        kinds += ("fullwidth",)
    return _judged(narrow, kinds)


def _judged(text: str, kinds: tuple[str, ...]) -> Reading:
    if UNSAFE.search(text):
        return Reading(text, kinds, "control_character")
    return Reading(text, kinds, "too_long" if len(text) > MAX_TEXT else "")


def _code(text: str) -> Reading:
    bare = "".join(visible(text).split())
    narrow = halve(bare)
    upper = narrow.upper()
    steps = (("invisible_char", text, bare), ("fullwidth", bare, narrow))
    kinds = tuple(kind for kind, before, after in steps if before != after)
    if upper != narrow:
        kinds += ("lowercase_id",)
    return _judged(upper, kinds)


def _lot_number(text: str) -> Reading:
    reading = _text(text)
    if _SCIENTIFIC.fullmatch(reading.text):
        return Reading(text, reading.kinds, "sci_notation")
    return reading


def _numeric_grade(text: str) -> Reading:
    reading = _lot_number(text)
    if reading.fault or reading.text in NUMERIC_GRADES:
        return reading
    padded = f"0{reading.text}"
    if padded in NUMERIC_GRADES:
        return Reading(padded, (*reading.kinds, "leading_zero_loss"))
    if _SHORT_GRADE.fullmatch(reading.text):
        return Reading(padded, reading.kinds, "leading_zero_doubt")
    return reading


@lru_cache(maxsize=4096)
def _credit_code(text: str) -> Reading:
    reading = _code(text)
    try:
        verify_gb32100(reading.text)
    except MalformedIdentifier:
        return Reading(text, reading.kinds, "uscc_error")
    return reading


def _unit(text: str) -> Reading:
    reading = _text(text)
    unit = _UNITS.get(reading.text.upper(), reading.text)
    if unit != reading.text:
        return Reading(unit, (*reading.kinds, "unit_alias"))
    return Reading(unit, reading.kinds, "" if unit in ("kg", "t") else "unknown_unit")


def _name(text: str) -> Reading:
    reading = read_name(text)
    if reading.fault:
        return Reading(reading.text, reading.kinds, reading.fault)
    return _judged(reading.text, reading.kinds)


_LOT_NUMBERS = frozenset({"lot_no", "hs_code", "coa_no"})
_READERS: dict[str, Reader] = {
    **dict.fromkeys(_LOT_NUMBERS, _lot_number),
    "grade_no": _numeric_grade,
    "producer_uscc": _credit_code,
    "unit": _unit,
}
# Columns whose texts mean something even when they look plain.
_WATCHED = CODES | NAMES | frozenset(_READERS)


def _reader_of(attribute: str) -> Reader:
    if attribute in CODES:
        return _code
    if attribute in NAMES:
        return _name
    return _READERS.get(attribute, _text)


def repair_dates(
    values: Sequence[str], identifiers: Sequence[str], today: date, notes: RowNotes
) -> tuple[list[str], list[int | None]]:
    """Return production dates as ISO texts and as ordinals (None where there is none).

    The day an identifier states tells which reading of an ambiguous date to propose.
    """
    readings = {text: read_date(text, today) for text in set(values)}
    days = {text: r.day.toordinal() if r.day else None for text, r in readings.items()}
    ordinals = [days[text] for text in values]
    texts = list(values)
    odd = {t for t, r in readings.items() if t and (r.kind or r.day is None or r.day > today)}
    for index, text in enumerate(values if odd else ()):
        if text not in odd:
            continue
        reading = readings[text]
        if reading.day is None:
            stated = day_in_identifier(identifiers[index])
            _note_open_date(index, text, reading.choices, stated, notes)
            continue
        if reading.kind:
            texts[index] = reading.day.isoformat()
            notes.add(index, reading.kind, "produced_on", text, proposed=texts[index])
        if reading.day > today:
            notes.add(index, "future_date", "produced_on", text)
    return texts, ordinals


def _note_open_date(
    index: int, text: str, choices: tuple[date, ...], stated: int | None, notes: RowNotes
) -> None:
    if not choices:
        notes.add(index, "not_a_date", "produced_on", text)
        return
    fitting = [day.isoformat() for day in choices if day.toordinal() == stated]
    notes.add(
        index,
        "ambiguous_date",
        "produced_on",
        text,
        proposed=fitting[0] if fitting else "",
        detail=" / ".join(day.isoformat() for day in choices),
    )
