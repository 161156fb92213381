"""Check characters against published examples, and that they find single errors.

Sources: GRid example A12425GABC1234002M (GRid standard; ISO/IEC 7064 MOD 37,36); GTIN
6901234567892 and SSCC 106141411234567897 (GS1 samples); GMN 1987654Ad4X4bL5ttr2310c2K (GS1 General
Specifications); 91350100M000100Y43 (worked example of GB 32100-2015).
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.identifiers import check_character
from node.domain.identifiers.check_character import ALPHABET_36
from node.errors import MalformedIdentifier


def test_published_examples_compute() -> None:
    assert check_character.compute_mod37_36("A12425GABC1234002") == "M"
    assert check_character.compute_gs1_mod10("690123456789") == "2"
    assert check_character.compute_gs1_mod10("10614141123456789") == "7"
    assert check_character.compute_gmn_pair("1987654Ad4X4bL5ttr2310c") == "2K"
    assert check_character.compute_gb32100("91350100M000100Y4") == "3"


def test_published_examples_verify() -> None:
    check_character.verify_mod37_36("A12425GABC1234002M")
    check_character.verify_gs1_mod10("6901234567892")
    check_character.verify_gmn_pair("1987654Ad4X4bL5ttr2310c2K")
    check_character.verify_gb32100("91350100M000100Y43")


@pytest.mark.parametrize(
    ("verify", "text", "code"),
    [
        (check_character.verify_mod37_36, "A12425GABC1234002N", "check"),
        (check_character.verify_mod37_36, "a12M", "charset"),
        (check_character.verify_gs1_mod10, "6901234567893", "check"),
        (check_character.verify_gs1_mod10, "69０1234567892", "charset"),
        (check_character.verify_gmn_pair, "1987654Ad4X4bL5ttr2310cXK", "check"),
        (check_character.verify_gmn_pair, "1987654 d4X4bL5ttr2310c2K", "charset"),
        (check_character.verify_gmn_pair, "2K", "length"),
        (check_character.verify_gb32100, "91350100M000100Y44", "check"),
        (check_character.verify_gb32100, "9135O100M000100Y43", "charset"),
        (check_character.verify_gb32100, "91350100M000100Y4", "length"),
    ],
)  # fmt: skip
def test_wrong_check_is_refused(verify: object, text: str, code: str) -> None:
    assert callable(verify)
    with pytest.raises(MalformedIdentifier) as caught:
        verify(text)
    assert caught.value.code == code


@given(
    body=st.text(ALPHABET_36, min_size=1, max_size=40),
    place=st.integers(0, 39),
    wrong=st.sampled_from(ALPHABET_36),
)
def test_mod37_36_finds_every_single_wrong_character(body: str, place: int, wrong: str) -> None:
    text = body + check_character.compute_mod37_36(body)
    place %= len(text)
    if text[place] == wrong:
        return
    with pytest.raises(MalformedIdentifier):
        check_character.verify_mod37_36(text[:place] + wrong + text[place + 1 :])


def test_mod37_36_finds_nearly_all_neighbour_swaps() -> None:
    rng = random.Random(37)
    missed = tried = 0
    while tried < 5_000:
        body = "".join(rng.choices(ALPHABET_36, k=16))
        text = body + check_character.compute_mod37_36(body)
        place = rng.randrange(16)
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        if swapped != text:
            tried += 1
            missed += check_character.compute_mod37_36(swapped[:-1]) == swapped[-1]
    assert missed / tried < 0.005
