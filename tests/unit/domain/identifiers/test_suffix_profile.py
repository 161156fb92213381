"""Suffixes are checked, repaired only by suggestion, and minted without telling the output.

Source of the ree-batch vectors: the worked example of the suffix grammar, 0042nd lot of PrNd oxide
and its 17th bag; 88.888.1501/BRW0M2-240925-00010 of the demonstration data.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.identifiers.ree_batch import package_suffix
from node.domain.identifiers.serial_permutation import SerialPermutation
from node.domain.identifiers.suffix_profile import PROFILES
from node.errors import InvalidInput, LimitExceeded, MalformedIdentifier

BATCH = "PNX3X1-260415-0042P"
KEY = bytes(range(32))
FACTS = {"product_code": "PNX", "stage": "SEP", "plant": "X1", "produced_on": "2026-04-15"}
REE = PROFILES["ree-batch"]


@pytest.mark.parametrize("suffix", [BATCH, f"{BATCH}.B0017A", "BRW0M2-240925-00010"])
def test_good_suffix_is_canonical(suffix: str) -> None:
    assert REE.canonical(suffix) == suffix


@pytest.mark.parametrize(
    "suffix",
    [
        "pnx3x1-260415-0042p",
        "PNX3X1-26O415-0042P",
        "PNX3X1-26O4I5-OO42P",
        "PNX3X1-260415-0042P".translate({ord(c): ord(c) + 0xFEE0 for c in "PNX0123456789-"}),
        "PNX3X12604150042P",
        "PNX3X1–260415–0042P",
        "PNX3X1 260415 0042P",
    ],
)
def test_repairable_suffix_is_refused_with_the_repair(suffix: str) -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        REE.canonical(suffix)
    assert caught.value.code == "policy"
    assert caught.value.problems[0].suggestion == BATCH


@pytest.mark.parametrize(
    ("suffix", "code"),
    [
        ("PNX3X1-260415-0042Q", "check"),
        ("PNX3X1-260415-0024P", "check"),
        (f"{BATCH}.B0017B", "check"),
        (f"{BATCH}.D0017A", "check"),
        ("PNX3X1-260230-0042P", "date"),
        ("PNX3X1-260415-0000P", "serial"),
        (f"{BATCH}.B0000A", "serial"),
        ("PNX9X1-260415-0042P", "policy"),
        (f"{BATCH}.Z0017A", "policy"),
        (f"{BATCH}\n", "policy"),
        ("", "policy"),
        ("X" * 5_000, "policy"),
    ],
)
def test_wrong_suffix_is_refused_without_a_guess(suffix: str, code: str) -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        REE.canonical(suffix)
    assert caught.value.code == code
    assert caught.value.problems[0].suggestion in ("", BATCH)


def test_series_comes_from_the_facts_of_the_batch() -> None:
    assert REE.series(FACTS) == "PNX3X1-260415"
    assert REE.series({**FACTS, "stage": "3"}) == "PNX3X1-260415"


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        ({}, ["product_code", "stage", "plant", "produced_on"]),
        ({**FACTS, "produced_on": "2026-02-30"}, ["produced_on"]),
        ({**FACTS, "product_code": "PO1", "plant": "11"}, ["product_code", "plant"]),
    ],
)
def test_missing_facts_are_named(facts: dict[str, str], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        REE.series(facts)
    assert [p.field for p in caught.value.problems] == [f"attributes.{name}" for name in fields]


@pytest.mark.parametrize("profile", ["ree-batch", "ascii33"])
def test_minted_suffixes_are_canonical_and_distinct(profile: str) -> None:
    rules = PROFILES[profile]
    series = rules.series(FACTS)
    minted = [rules.suffix(series, number, KEY) for number in range(1, 1_001)]
    kept = [suffix for suffix in minted if suffix is not None]
    assert all(rules.canonical(suffix) == suffix for suffix in kept)
    assert len(set(kept)) == len(kept)
    # Two of 36 check characters are never used: 5.6 % of the numbers are skipped.
    assert 0.92 < len(kept) / len(minted) < 0.97


def test_minted_serials_depend_on_key_and_series() -> None:
    def serials(key: bytes, series: str) -> list[str | None]:
        return [REE.suffix(series, number, key) for number in range(1, 20)]

    assert serials(KEY, "PNX3X1-260415") == serials(KEY, "PNX3X1-260415")
    assert serials(KEY, "PNX3X1-260415") != serials(KEY[::-1], "PNX3X1-260415")
    same_day = [s[14:18] for s in serials(KEY, "PNX3X1-260415") if s]
    next_day = [s[14:18] for s in serials(KEY, "PNX3X1-260416") if s]
    assert same_day != next_day


@pytest.mark.parametrize("number", [0, 10_000])
def test_used_up_series_is_a_limit(number: int) -> None:
    with pytest.raises(LimitExceeded):
        REE.suffix("PNX3X1-260415", number, KEY)
    with pytest.raises(LimitExceeded):
        package_suffix(BATCH, "B", number=number)


def test_series_of_another_profile_is_refused() -> None:
    with pytest.raises(MalformedIdentifier):
        REE.suffix("N", 1, KEY)


def test_package_suffix_extends_its_batch() -> None:
    assert package_suffix(BATCH, "B", number=17) == f"{BATCH}.B0017A"
    with pytest.raises(MalformedIdentifier):
        package_suffix(BATCH, "Z", number=17)
    numbers = [package_suffix(BATCH, "X", number=n) for n in range(1, 200)]
    assert None in numbers


def test_free_profile_admits_any_suffix_but_mints_none() -> None:
    free = PROFILES["free"]
    assert free.canonical("批次 7/甲") == "批次 7/甲"
    assert free.capacity == 0
    with pytest.raises(MalformedIdentifier):
        free.canonical("")
    with pytest.raises(InvalidInput):
        free.series(FACTS)
    with pytest.raises(LimitExceeded):
        free.suffix("N", 1, KEY)


@pytest.mark.parametrize(
    ("suffix", "code", "suggestion"),
    [
        ("abc-1", "policy", "ABC-1"),
        ("ABC/1", "policy", ""),
        ("-ABC", "policy", ""),
        ("A" * 34, "length", ""),
        ("", "policy", ""),
    ],
)
def test_ascii33_refuses_what_some_carrier_cannot_hold(
    suffix: str, code: str, suggestion: str
) -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        PROFILES["ascii33"].canonical(suffix)
    assert (caught.value.code, caught.value.problems[0].suggestion) == (code, suggestion)


def test_ascii33_series_uses_what_is_known() -> None:
    rules = PROFILES["ascii33"]
    assert rules.series({}) == "N"
    assert rules.series({"product_code": "pnx"}) == "PNX"
    assert rules.series(FACTS) == "PNX.260415"
    with pytest.raises(InvalidInput):
        rules.series({"product_code": "氧化"})
    with pytest.raises(LimitExceeded):
        rules.suffix("N", 1_000_000, KEY)


def test_permutation_covers_1_to_9999_exactly_once_and_reverses() -> None:
    permutation = SerialPermutation(KEY, "PNX3X1-260415", 9_999)
    serials = [permutation.serial(number) for number in range(1, 10_000)]
    assert sorted(serials) == list(range(1, 10_000))
    assert serials != sorted(serials)
    assert all(permutation.number(serials[n - 1]) == n for n in range(1, 10_000, 97))


@given(
    size=st.integers(1, 10**9),
    draw=st.integers(0, 10**9),
    key=st.binary(min_size=16, max_size=64),
    series=st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_permutation_reverses_for_any_size(size: int, draw: int, key: bytes, series: str) -> None:
    permutation = SerialPermutation(key, series, size)
    number = draw % size + 1
    serial = permutation.serial(number)
    assert 1 <= serial <= size
    assert permutation.number(serial) == number


def test_permutation_refuses_what_it_cannot_permute() -> None:
    for key, size in ((b"short", 10), (KEY, 0)):
        with pytest.raises(ValueError, match="key of 16"):
            SerialPermutation(key, "", size)
    with pytest.raises(ValueError, match="not in 1"):
        SerialPermutation(KEY, "", 10).serial(11)


@given(st.text(max_size=60))
def test_every_profile_is_idempotent_or_refuses(text: str) -> None:
    for rules in PROFILES.values():
        try:
            canonical = rules.canonical(text)
        except MalformedIdentifier as error:
            suggestion = error.problems[0].suggestion
            assert not suggestion or rules.canonical(suggestion) == suggestion
        else:
            assert rules.canonical(canonical) == canonical
