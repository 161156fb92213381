"""Single cells: numbers, dates, widths; repairs that need nothing but the text."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.importing.cell_repair import (
    CLEAN_NUMBER,
    date_habit,
    halve,
    read_date,
    read_measured,
    read_number,
    shifted,
)

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "value", "kinds"),
    [
        ("51.09", "51.09", ()),
        ("5.10", "5.10", ()),
        ("３１０２５．０", "31025.0", ("fullwidth",)),
        ("31,025.0", "31025.0", ("thousands_sep",)),
        (" 12.5\u00a0", "12.5", ("invisible_char",)),
        ("99.20%", "99.20", ("pct_sign",)),
        ("99.20％", "99.20", ("pct_sign",)),
        (".5", "0.5", ("number_format",)),
        ("007.50", "7.50", ("number_format",)),
    ],
)
def test_number_is_repaired_keeping_its_digits(
    text: str, value: str, kinds: tuple[str, ...]
) -> None:
    reading = read_number(text)
    assert (reading.text, reading.kinds, reading.fault) == (value, kinds, "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("31025kg", "31025"),
        ("31.025 吨", "31025"),
        ("31.025t", "31025"),
        ("0.6543 吨", "654.3"),
        ("9870公斤", "9870"),
        ("500g", "0.5"),
        ("6e+06kg", "6000000"),
    ],
)
def test_unit_in_a_mass_cell_is_converted_to_kg(text: str, value: str) -> None:
    reading = read_number(text, mass=True)
    assert (reading.text, reading.kinds) == (value, ("unit_in_number",))


@pytest.mark.parametrize(
    "text",
    ["", "abc", "1,5", "1.2.3", "12 kg kg", "1_000", "inf", "nan", "٣", "--1", "=1+1", "1\n2"],
)
def test_text_that_is_no_number_is_a_fault(text: str) -> None:
    assert read_number(text).fault == "not_a_number"


def test_scientific_notation_without_unit_is_not_expanded_silently() -> None:
    assert read_number("1.2E+4").fault == "sci_notation"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<0.001", "<0.001"),
        ("＜0.001", "<0.001"),
        ("≤0.005", "<=0.005"),
        ("ND", "ND"),
        ("未检出", "ND"),
        ("/", "ND"),
    ],
)
def test_below_detection_keeps_operator_and_limit(text: str, value: str) -> None:
    reading = read_measured(text)
    assert (reading.text, reading.kinds, reading.fault) == (value, ("below_detection",), "")


@pytest.mark.parametrize(
    "text",
    [
        "2026/4/5", "20260405", "2026年4月5日", "2026.04.05", "2026-04-05 00:00:00",
        "2026-04-05T08:00:00+08:00", "２０２６－０４－０５", "2026-4-5",
    ],
)  # fmt: skip
def test_date_forms_are_read_as_one_day(text: str) -> None:
    reading = read_date(text, TODAY)
    assert (reading.day, reading.kind) == (date(2026, 4, 5), "date_format")


def test_excel_serial_number_is_a_day_only_in_its_window() -> None:
    assert read_date("46127", TODAY).day == date(2026, 4, 15)
    assert read_date("40000", TODAY).kind == "not_a_date"  # 2009
    assert read_date("99999", TODAY).kind == "not_a_date"  # 2173


def test_date_with_two_readings_is_left_open() -> None:
    reading = read_date("04/05/26", TODAY)
    assert (reading.day, reading.kind) == (None, "ambiguous_date")
    assert reading.choices == (date(2026, 4, 5), date(2026, 5, 4))


@pytest.mark.parametrize(
    ("text", "habit"),
    [("04/25/26", "month_first"), ("25/04/26", "day_first"), ("04/05/26", ""), ("2026-04-25", "")],
)
def test_unambiguous_dates_show_the_habit_of_the_file(text: str, habit: str) -> None:
    assert date_habit(text) == habit


@pytest.mark.parametrize("text", ["2026-02-30", "31/31/26", "昨天", "", "2026-13-01", "1" * 5000])
def test_text_that_is_no_date_is_a_fault(text: str) -> None:
    assert read_date(text, TODAY).kind == "not_a_date"


@settings(deadline=None)
@given(st.dates(date(2018, 1, 1), TODAY))
def test_every_iso_date_is_read_as_itself_without_repair(day: date) -> None:
    reading = read_date(day.isoformat(), TODAY)
    assert (reading.day, reading.kind) == (day, "")


@settings(deadline=None)
@given(st.dates(date(2018, 1, 1), TODAY))
def test_excel_serial_numbers_count_days_from_the_end_of_1899(day: date) -> None:
    serial = str((day - date(1899, 12, 30)) // timedelta(days=1))
    assert read_date(serial, TODAY).day == day


@settings(deadline=None)
@given(st.decimals(0, 10**9, places=4), st.integers(-4, 4))
def test_shifting_there_and_back_keeps_the_value(number: Decimal, power: int) -> None:
    assert Decimal(shifted(shifted(str(number), power), -power)) == number


@settings(deadline=None)
@given(st.text())
def test_readers_are_total_and_their_numbers_clean(text: str) -> None:
    read_date(text, TODAY)
    for reading in (read_number(text), read_number(text, mass=True), read_measured(text)):
        if not reading.fault and "below_detection" not in reading.kinds:
            value = reading.text.removeprefix("-")
            assert CLEAN_NUMBER.fullmatch(value)


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_halving_undoes_full_width_ascii(text: str) -> None:
    assert halve("".join(chr(ord(c) + 0xFEE0) for c in text)) == text
