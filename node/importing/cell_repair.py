"""Repairs of one cell that need nothing but its text: numbers, dates, widths, invisible characters.

Invariants: every function is pure and total (any text, no exception); a reading lists every repair
it made by its finding kind, an untouched cell lists none; nothing is guessed: a text with two
readings is returned as open, with both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

# Full-width ASCII (U+FF01..U+FF5E) and the ideographic space to their half-width twins.
_HALF_WIDTH = {0xFEE0 + c: c for c in range(0x21, 0x7F)} | {0x3000: 0x20}
# Soft hyphen, zero-width, bidi and other format characters: never part of a value.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def halve(text: str) -> str:
    """Return `text` with full-width ASCII characters made half-width; nothing else changes."""
    return text if text.isascii() else text.translate(_HALF_WIDTH)


def visible(text: str) -> str:
    """Return `text` without invisible characters and without blanks at its ends."""
    return INVISIBLE.sub("", text).strip()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cell was read as. `kinds`: repairs made, in order; `fault`: kind of refusal or ""."""

    text: str
    kinds: tuple[str, ...] = ()
    fault: str = ""


# ---------------------------------------------------------------- numbers

_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d*)(?:\.(?P<part>\d*))?"
    r"(?P<exponent>[eE][+-]?\d{1,3})?\s*(?P<unit>[^\d\s.,+-][^\d]{0,7})?",
    re.ASCII,
)
CLEAN_NUMBER = re.compile(r"(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?", re.ASCII)
_CELL_UNITS = {"kg": 0, "公斤": 0, "千克": 0, "t": 3, "吨": 3, "公吨": 3, "g": -3, "克": -3}
_BELOW = re.compile(r"(<=|<|≤|≦)\s*(\d+(?:\.\d+)?)%?", re.ASCII)
_NOT_DETECTED = frozenset({"ND", "N.D.", "N.D", "未检出", "/", "<DL", "未检测出"})


def plain(number: Decimal) -> str:
    """Return a decimal without exponent, keeping its digits: 6E+6 -> 6000000, 9.870 -> 9.870."""
    return format(number, "f")


def shifted(text: str, power: int) -> str:
    """Return the decimal text moved by `power` places: ("31.025", 3) -> 31025, ("200", -4) -> 0.02.

    Zeros that the shift leaves at the end of a fraction are dropped; raise ValueError on no number.
    """
    try:
        number = Decimal(text).scaleb(power)
    except InvalidOperation as error:
        raise ValueError(text) from error
    moved = plain(number)
    return moved.rstrip("0").rstrip(".") if "." in moved else moved


def read_number(text: str, *, mass: bool = False) -> Reading:
    """Read a decimal; in a mass column a unit in the cell is converted to kg.

    Repairs: fullwidth, invisible_char, thousands_sep, pct_sign, unit_in_number, number_format;
    faults: not_a_number, sci_notation (the reading then holds the expanded number).
    """
    kinds: list[str] = []
    bare = visible(text)
    if bare != text:
        kinds.append("invisible_char")
    narrow = halve(bare.replace("％", "%"))
    if narrow != bare.replace("％", "%"):
        kinds.append("fullwidth")
    match = _NUMBER.fullmatch(narrow.strip())
    if match is None or not (match["whole"] or match["part"]):
        return Reading(text, tuple(kinds), "not_a_number")
    return _number_from(match, text, kinds, mass)


def _number_from(match: re.Match[str], text: str, kinds: list[str], mass: bool) -> Reading:
    digits = match["whole"].replace(",", "") or "0"
    if "," in match["whole"]:
        kinds.append("thousands_sep")
    unit, power = match["unit"] or "", 0
    if unit:
        scale = _CELL_UNITS.get(unit.strip().lower()) if mass else None
        if scale is None and (mass or unit.strip() != "%"):
            return Reading(text, tuple(kinds), "not_a_number")
        kinds.append("unit_in_number" if mass else "pct_sign")
        power = scale or 0
    written = f"{match['sign']}{digits}" + (f".{match['part']}" if match["part"] else "")
    number = Decimal(written + (match["exponent"] or ""))
    value = shifted(plain(number), power) if power else plain(number)
    if not CLEAN_NUMBER.fullmatch(value.removeprefix("-")):
        return Reading(text, tuple(kinds), "not_a_number")
    if match["exponent"] and not unit:
        return Reading(value, tuple(kinds), "sci_notation")
    if not kinds and value != text:
        kinds.append("number_format")
    return Reading(value, tuple(kinds))


def read_measured(text: str) -> Reading:
    """Read an analysis figure: a number, or "<0.001", "<=0.005", "ND" for below detection.

    A below-detection value has the kind below_detection, which is no repair.
    """
    narrow = halve(visible(text))
    if narrow.upper() in _NOT_DETECTED:
        return Reading("ND", ("below_detection",))
    match = _BELOW.fullmatch(narrow)
    if match and CLEAN_NUMBER.fullmatch(match[2]):
        operator = "<" if match[1] == "<" else "<="
        return Reading(f"{operator}{match[2]}", ("below_detection",))
    return read_number(text)


# ---------------------------------------------------------------- dates

_YEAR_FIRST = re.compile(
    r"(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})\s?日?"
    r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0)?", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{2}|\d{4})", re.ASCII)
_EXCEL_EPOCH = date(1899, 12, 30)
EARLIEST = date(2018, 1, 1)


@dataclass(frozen=True, slots=True)
class DateReading:
    """A date cell. `day` is None when unreadable or open; `choices`: (month first, day first)."""

    day: date | None
    kind: str = ""
    choices: tuple[date, ...] = ()


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=8192)
def read_date(text: str, today: date) -> DateReading:
    """Read a date; kinds: "" (ISO), date_format, excel_serial_date, ambiguous_date, not_a_date.

    Excel serial numbers count only from 2018 to `today`; two-digit years are 20xx. A day that lies
    in the future is read: judging it is not the reader's work.
    """
    narrow = halve(visible(text))
    if match := (_YEAR_FIRST.fullmatch(narrow) or _COMPACT.fullmatch(narrow)):
        day = _day(int(match[1]), int(match[2]), int(match[3]))
        kind = "" if day and day.isoformat() == text else "date_format"
        return DateReading(day, kind if day else "not_a_date")
    if match := _SERIAL.fullmatch(narrow):
        day = _EXCEL_EPOCH + timedelta(days=int(match[1]))
        plausible = EARLIEST <= day <= today
        return (
            DateReading(day, "excel_serial_date") if plausible else DateReading(None, "not_a_date")
        )
    if match := _YEAR_LAST.fullmatch(narrow):
        return _year_last(int(match[1]), int(match[2]), int(match[3]))
    return DateReading(None, "not_a_date")


def _year_last(first: int, second: int, year: int) -> DateReading:
    year += 2000 if year < 100 else 0
    choices = [d for d in (_day(year, first, second), _day(year, second, first)) if d]
    if not choices:
        return DateReading(None, "not_a_date")
    if len(set(choices)) == 1:
        return DateReading(choices[0], "date_format")
    return DateReading(None, "ambiguous_date", tuple(choices))


def date_habit(text: str) -> str:
    """Return which of two leading numbers of a date is the month: "month_first", "day_first", or ""
    when the text is another form or allows both."""
    match = _YEAR_LAST.fullmatch(halve(visible(text)))
    if match is None or int(match[1]) <= 12 >= int(match[2]):
        return ""
    return "day_first" if int(match[1]) > 12 else "month_first"
