"""What looks alike is one identifier, and what cannot be seen is none (threat F46)."""

from __future__ import annotations

import contextlib
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.identifiers import parse_handle
from node.domain.identifiers.characters import check_characters, fold_ascii
from node.errors import MalformedIdentifier


def refusal(text: str) -> MalformedIdentifier:
    with pytest.raises(MalformedIdentifier) as caught:
        check_characters(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("ＰＮＸ－１", "PNX-1"),
        ("РNХ-1", "PNX-1"),  # Cyrillic Er and Ha
        ("АВС-1", "ABC-1"),  # wholly Cyrillic, and still a Latin word to the eye
        ("ΑΒ1", "AB1"),  # Greek
        ("PNX–1", "PNX-1"),  # en dash
        ("25㎏", "25kg"),
        ("A\u00a0B", "A B"),
        ("稀土Ａ1", "稀土A1"),
        ("PNXЖ", ""),  # mixed scripts without an ASCII look
    ],
)
def test_look_alikes_are_refused_with_the_ascii_text(text: str, suggestion: str) -> None:
    error = refusal(text)
    assert error.code == "look-alike"
    assert error.problems[0].suggestion == suggestion


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x7f", "\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\u3164", "\ufe0f",
     "\ud800", "\ue000", "\uffff", "\u2028", "\u0378"],
)  # fmt: skip
def test_invisible_and_unassigned_characters_are_refused(character: str) -> None:
    error = refusal(f"A{character}B土")
    assert error.code == "charset"
    assert f"U+{ord(character):04X}" in error.en


@pytest.mark.parametrize("text", ["稀土-01", "PNX 氧化镨钕", "Магнит-5", "É1", "REO-Nd2O3", "50%"])
def test_honest_text_of_any_script_passes(text: str) -> None:
    assert check_characters(text) == text


def test_composed_and_decomposed_forms_are_one_identifier() -> None:
    assert parse_handle("88.1.1/e\u0301-1") == parse_handle("88.1.1/\u00e9-1")


def test_suggestion_is_a_whole_handle() -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        parse_handle("８８.1.1/РNХ-1")
    assert caught.value.problems[0].suggestion == "88.1.1/PNX-1"


def test_only_ascii_letters_are_folded() -> None:
    assert fold_ascii("abcéß稀") == "ABCéß稀"


def test_no_twin_of_a_registered_handle_becomes_a_second_identifier() -> None:
    rng = random.Random(46)
    latin, cyrillic = "ABCEHKMOPTXY", "АВСЕНКМОРТХУ"
    twins = (
        str.lower,
        lambda s: s.translate(str.maketrans(latin, cyrillic)),
        lambda s: s.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
        lambda s: s.replace("-", "\u2011"),
        lambda s: s[:2] + "\u200b" + s[2:],
        lambda s: s + "\u200f",
        lambda s: unicodedata.normalize("NFD", s),
    )
    second = 0
    for _ in range(1_500):
        suffix = "É" + "".join(rng.choices(latin, k=4)) + f"-{rng.randrange(10_000):04d}"
        key = parse_handle(f"88.1.1/{suffix}").key
        for twin in twins:
            with contextlib.suppress(MalformedIdentifier):
                second += fold_ascii(parse_handle(f"88.1.1/{twin(suffix)}").key) not in (
                    key,
                    key.replace("É", "é"),
                )
    assert second == 0


@given(st.text(max_size=60))
def test_accepted_text_is_stable_and_has_no_ascii_twin(text: str) -> None:
    try:
        accepted = check_characters(text)
    except MalformedIdentifier:
        return
    assert check_characters(accepted) == accepted
    assert unicodedata.is_normalized("NFC", accepted)
    compatible = unicodedata.normalize("NFKC", accepted)
    assert accepted.isascii() or not compatible.isascii()


@pytest.mark.parametrize("edge", ["88.1.1/ A", "88.1.1/A "])
def test_space_at_the_edge_of_a_suffix_is_refused(edge: str) -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        parse_handle(edge)
    assert caught.value.problems[0].suggestion == "88.1.1/A"
