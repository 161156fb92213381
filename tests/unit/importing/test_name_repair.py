"""Names: aliases become standard names, misread text is proposed back, nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.importing.name_repair import known_misread, misread, read_name, read_product_name

COMPANY = "包头示例华北冶炼分离有限公司"


@pytest.mark.parametrize(
    ("name", "code", "standard"),
    [
        ("镨钕氧化物", "PNX", "氧化镨钕"),
        ("二氧化铈", "CEX", "氧化铈"),
        ("CeO2", "CEX", "氧化铈"),
        ("甩带片", "STC", "钕铁硼速凝薄片合金"),
    ],
)
def test_alias_becomes_the_standard_name(name: str, code: str, standard: str) -> None:
    reading = read_product_name(name, code)
    assert (reading.text, reading.kinds, reading.fault) == (standard, ("name_alias",), "")


def test_name_of_another_product_is_refused() -> None:
    assert read_product_name("氧化镧", "PNX").fault == "name_grade_mismatch"


def test_unknown_product_is_taken_as_it_is() -> None:
    assert read_product_name("氧化钪", "SCX").text == "氧化钪"
    assert read_product_name("新产品", "PNX").fault == ""


def test_misread_name_is_proposed_back() -> None:
    name = "氧化镨钕合金科技"
    reading = read_name(misread(name))
    assert (reading.text, reading.fault) == (name, "mojibake")


def test_misread_product_with_lost_bytes_is_told_by_its_code() -> None:
    # 氧化镨 and 氧化镝 are misread to the same text; the code decides.
    assert misread("氧化镨") == misread("氧化镝")
    assert read_product_name(misread("氧化镨"), "PRX").text == "氧化镨"
    assert read_product_name(misread("氧化镝"), "DYX").text == "氧化镝"


def test_misread_party_is_found_among_known_names() -> None:
    assert known_misread(misread(COMPANY), {COMPANY, "宁波示例东海磁业有限公司"}) == COMPANY
    assert known_misread("别的", {COMPANY}) == ""


def test_line_break_and_invisible_characters_go() -> None:
    assert read_name("氧化\n镨钕").text == "氧化镨钕"
    assert read_name("氧化\n镨钕").kinds == ("embedded_newline",)
    assert read_name(f"\u3000{COMPANY}").kinds == ("invisible_char",)


@pytest.mark.parametrize(
    "name", [COMPANY, "联通", "稀土选矿入选原料(铁尾矿)", "储氢合金粉(AB5型)", "N42SH"]
)
def test_sound_name_is_untouched(name: str) -> None:
    reading = read_name(name)
    assert (reading.text, reading.kinds, reading.fault) == (name, (), "")


@settings(deadline=None)
@given(st.text())
def test_reading_names_is_total(text: str) -> None:
    read_name(text)
    read_product_name(text, "PNX")
