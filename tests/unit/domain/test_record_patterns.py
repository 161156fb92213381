"""What is accepted at a glance is good; what is not may be, and is looked at with care."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.record_patterns import MOST_ORDERS, SEPARATOR, SIGHTINGS, RecordPatterns
from node.domain.template import _UNSAFE, AttributeRules, Kind
from node.domain.templates import shipped_templates
from tests.builders import texts

LOT_RULES = AttributeRules(next(t for t in shipped_templates() if t.name == "ree-batch"))


def learnt(values: dict[str, object], patterns: RecordPatterns) -> bool:
    """Show a record so often that its order of names is learnt; say whether it matches then."""
    for _ in range(SIGHTINGS):
        patterns.match(values)
    return patterns.match(values)


def numbers(*names: str, required: tuple[str, ...] = ()) -> RecordPatterns:
    """Return patterns that let each name have a number."""
    return RecordPatterns(dict.fromkeys(names, "[0-9]+"), required)


def test_an_order_of_names_is_learnt_when_it_has_come_often_enough() -> None:
    patterns = numbers("a", "b")
    seen = [patterns.match({"b": "1", "a": "2"}) for _ in range(SIGHTINGS + 1)]
    assert seen == [False] * SIGHTINGS + [True]
    assert not patterns.match({"a": "2", "b": "1"})


@pytest.mark.parametrize(
    "values",
    [
        {"a": "1", "b": "x"},
        {"a": "1", "b": ""},
        {"a": "1", "b": 2},
        {"a": "1", "b": None},
        {"a": "1", "b": "2\n"},
        {"a": f"1{SEPARATOR}2", "b": "3"},
        {"a": f"1{SEPARATOR}2"},
        {"b": "1"},
        {"a": "1", "c": "2"},
        {},
    ],
)
def test_only_a_record_whose_texts_all_match_is_accepted(values: dict[str, object]) -> None:
    patterns = numbers("a", "b", required=("a",))
    assert learnt({"a": "1", "b": "2"}, patterns)
    assert not learnt(values, patterns)


def test_ever_new_orders_of_names_fill_no_memory() -> None:
    names = [f"n{number}" for number in range(MOST_ORDERS + 9)]
    patterns = numbers(*names)
    taken = sum(learnt({name: "1"}, patterns) for name in names)
    assert taken == MOST_ORDERS


def test_whatever_is_unsafe_in_a_text_is_not_printable() -> None:
    unsafe = re.compile(_UNSAFE)
    characters = map(chr, range(sys.maxunicode + 1))
    assert [c for c in characters if c.isprintable() and unsafe.match(c)] == []


@given(
    changes=st.dictionaries(
        st.sampled_from([a.name for a in LOT_RULES.template.attributes]),
        st.one_of(
            st.text(max_size=8),
            st.from_regex(r"\A<?=?-?[0-9]{1,12}(\.[0-9]{0,11})?\Z"),
            st.dates().map(str),
            st.sampled_from(["SEP", "ND", "PASS", f"a{SEPARATOR}b", "0" * 64, "x" * 256]),
        ),
        max_size=3,
    )
)
def test_nothing_is_accepted_that_has_a_fault(changes: dict[str, str]) -> None:
    values: dict[str, object] = {**texts(), **changes}
    for _ in range(SIGHTINGS):
        accepted = LOT_RULES.accept(values)
    if accepted or LOT_RULES.accept(values):
        assert LOT_RULES.faults({name: str(text) for name, text in values.items()}) == []


def test_a_usual_lot_is_accepted() -> None:
    values: dict[str, object] = {**texts(hs_code="2846.90", produced_on="2026-10-31")}
    for _ in range(SIGHTINGS):
        LOT_RULES.accept(values)
    assert LOT_RULES.accept(values)


@pytest.mark.parametrize("kind", [Kind.URL])
def test_a_record_with_a_kind_without_pattern_is_never_accepted(kind: Kind) -> None:
    named = next(a.name for a in LOT_RULES.template.attributes if a.kind is kind)
    values: dict[str, object] = {**texts(), named: "https://a.cn/1"}
    assert not any(LOT_RULES.accept(values) for _ in range(SIGHTINGS + 1))
