"""Identifier cells: slips the check character proves, and those nobody may repair."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.importing.identifier_repair import (
    CANONICAL,
    day_in_identifier,
    read_identifier,
    stage_in_identifier,
)

# Check characters by ISO/IEC 7064 MOD 37,36 (rare-earth suffix grammar of profile ree-batch).
GOOD = "88.888.1501/BCN1B1-240926-00010"


def test_canonical_identifier_is_untouched() -> None:
    reading = read_identifier(GOOD)
    assert (reading.identifier, reading.kinds, reading.fault) == (GOOD, (), "")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (GOOD.lower(), ("lowercase_id",)),
        (GOOD.replace("0", "O", 1), ("o0_confusion",)),
        (GOOD.replace("/BCN1", "/BCNI"), ("o0_confusion",)),
        (f"\u3000{GOOD}", ("invisible_char",)),
        (f"{GOOD[:4]}\u200b{GOOD[4:]}", ("invisible_char",)),
        (GOOD.replace(".", "．").replace("/", "／"), ("fullwidth",)),
        (GOOD.lower().replace("240926", "24o926"), ("lowercase_id", "o0_confusion")),
    ],
)
def test_slip_that_the_check_proves_is_repaired(text: str, kinds: tuple[str, ...]) -> None:
    reading = read_identifier(text)
    assert (reading.identifier, reading.kinds, reading.fault) == (GOOD, kinds, "")


def test_wrong_check_is_refused_and_never_repaired() -> None:
    reading = read_identifier(GOOD[:-1] + "1")
    assert reading.fault == "check_char_error"


def test_swapped_digits_are_refused_with_a_text_to_compare() -> None:
    swapped = "88.888.1501/BCN1B1-249026-00010"
    reading = read_identifier(swapped)
    assert (reading.fault, reading.suggestion) == ("transposed_id", GOOD)


@pytest.mark.parametrize("text", ["abc", "88.888.1501", "/x", "88.888.1501/", "=cmd|'/c calc'!A1"])
def test_text_that_is_no_identifier_is_refused(text: str) -> None:
    assert read_identifier(text).fault == "malformed_identifier"


def test_identifier_of_another_profile_is_taken_in_canonical_form() -> None:
    assert read_identifier("88.118.8/JXDY2106023").identifier == "88.118.8/JXDY2106023"
    assert read_identifier("88.118.8/JXDY2106023").kinds == ()


def test_identifier_states_day_and_stage() -> None:
    assert day_in_identifier(GOOD) is not None
    assert stage_in_identifier(GOOD) == "CON"
    assert day_in_identifier("88.118.8/JXDY2106023") is None
    assert stage_in_identifier("88.118.8/JXDY2106023") == ""


@settings(deadline=None)
@given(st.integers(12, len(GOOD) - 1), st.sampled_from("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"))
def test_no_single_wrong_character_passes(place: int, character: str) -> None:
    wrong = GOOD[:place] + character + GOOD[place + 1 :]
    if wrong != GOOD:
        reading = read_identifier(wrong)
        assert reading.fault or not CANONICAL.fullmatch(reading.identifier)


@settings(deadline=None)
@given(st.text())
def test_reading_is_total(text: str) -> None:
    reading = read_identifier(text)
    if not reading.fault:
        assert read_identifier(reading.identifier).identifier == reading.identifier
