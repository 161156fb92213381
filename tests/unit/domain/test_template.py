"""Template rules: what each kind of attribute accepts, and that released templates never change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.template import (
    FIRST_INDEX,
    Attribute,
    AttributeRules,
    Kind,
    Template,
    TemplateCatalogue,
    encode_template,
    parse_template,
    template_digest,
)
from node.domain.templates import shipped_templates
from node.errors import InvalidInput, NotFound

# A template that has been released is never edited: make a new file with the next version.
DIGESTS = {
    "certificate/1": "3be231b7d162905cdfcfa2846bf1edb248011d44d48de6d40b4fe77ea7c3afcb",
    "equipment/1": "81b1636dbc85ec987bc252291350cbba760b6de37862d06b18b509a33441d4ca",
    "handle/1": "2a7eb996b538a405fa598fa3a6a548c80a44d840fe9b29b358c329767c44f999",
    "ree-batch/1": "c5f093500305b2f06704a7ea2f4c1d915d9c3ed0072ad5ac7f16f1c145da251c",
    "ree-package/1": "ea072fce0d56b6949f85d53efbff84ad0293c2a325b2737b32088424e2dbd341",
    "shipment/1": "db82e20ce5b09fd046b6c440e47e791efa91e7749a0bd02fdab620f450b61752",
}


def rules(**changes: Any) -> AttributeRules:
    """Return the rules of a template with the one attribute `a`."""
    attribute = Attribute("a", "甲", "A", FIRST_INDEX, **changes)
    return AttributeRules(Template("t", 1, "batch", "模板", "Template", (attribute,)))


def codes(text: str, **changes: Any) -> list[str]:
    """Return the codes of the faults of a text."""
    return [p.code for p in rules(**changes).faults({"a": text})]


GOOD: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("L-1", "氧化镨钕 (99.5%)", "a b", "é"),
    Kind.DECIMAL: ("0", "0.0", "51.09", "5.10", "100", "-3.5", "999999999999999"),
    Kind.MEASURED: ("0", "0.01", "<0.001", "<=0.005", "ND"),
    Kind.INTEGER: ("0", "42", "-1"),
    Kind.DATE: ("2026-11-20", "2024-02-29", "1999-12-31"),
    Kind.URL: ("https://a.cn", "https://a.cn:8443/x?y=1#z"),
    Kind.SHA256: ("0" * 64, "0123456789abcdef" * 4),
}
BAD: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: (
        "a\x00b",
        "a\nb",
        "\u202eabc",
        "a\u200bb",
        "\ufeffa",
        "\ud800",
        "a\x85",
        "a\u061cb",
        "a\xadb",
        "\U000e0041",
    ),
    Kind.DECIMAL: (
        "",
        " 1",
        "1 ",
        "01",
        "1.",
        ".5",
        "1e3",
        "1,000",
        "\uff11",
        "٣",
        "nan",
        "inf",
        "<1",
        "ND",
        "+1",
        "1" * 16,
        "0.12345678901",
        "1\n",
    ),
    Kind.MEASURED: ("-1", "< 1", "nd", ">1", "<ND", "<", "<=", "1%"),
    Kind.INTEGER: ("1.0", "01", "1e3", "--1", "二", ""),
    Kind.DATE: ("2026-02-30", "20261120", "2026-11-2", "2026-W47-5", "2026/11/20", "2026-13-01"),
    Kind.URL: ("http://a.cn", "https://", "https://a.cn/ b", "javascript:alert(1)", "https://a@b/"),
    Kind.SHA256: ("0" * 63, "0" * 65, "G" * 64, "A" * 64),
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in GOOD.items() for t in texts])
def test_a_text_of_its_kind_is_accepted(kind: Kind, text: str) -> None:
    assert codes(text, kind=kind) == []


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in BAD.items() for t in texts])
def test_a_text_of_another_kind_is_refused(kind: Kind, text: str) -> None:
    assert len(codes(text, kind=kind)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", []),
        ("100", []),
        ("100.0", []),
        ("99.99999", []),
        ("100.0000000001", ["out_of_range"]),
        ("101", ["out_of_range"]),
        ("-0.1", ["out_of_range"]),
        ("-0", []),
        ("1000", ["out_of_range"]),
    ],
)
def test_limits_belong_to_the_range(text: str, expected: list[str]) -> None:
    assert codes(text, kind=Kind.DECIMAL, minimum=0, maximum=100) == expected


@pytest.mark.parametrize("text", ["<101", "<=100.1"])
def test_a_detection_limit_stays_within_the_range(text: str) -> None:
    assert codes(text, kind=Kind.MEASURED, minimum=0, maximum=100) == ["out_of_range"]


def test_an_enum_accepts_what_it_lists_and_nothing_else() -> None:
    given_values = {"kind": Kind.ENUM, "values": ("SEP", "MET")}
    assert codes("SEP", **given_values) == []
    for text in ("sep", "", "SEP ", "ORE", "SEP,MET"):
        assert codes(text, **given_values) == ["not_listed"]


def test_a_text_longer_than_allowed_is_too_long_and_not_echoed() -> None:
    assert codes("x" * 10, max_length=10) == []
    (problem,) = rules(max_length=10).faults({"a": "x" * 11})
    assert problem.code == "too_long"
    assert "xxx" not in problem.zh + problem.en


def test_every_fault_is_named_with_its_field() -> None:
    template = Template(
        "t",
        1,
        "batch",
        "模板",
        "Template",
        (
            Attribute("a", "甲", "A", 2001, kind=Kind.DATE, required=True),
            Attribute("b", "乙", "B", 2002, required=True),
            Attribute("c", "丙", "C", 2003),
        ),
    )
    faults = AttributeRules(template).faults({"a": "soon", "c": "ok", "d" * 99: "?"})
    assert [(p.field, p.code) for p in faults] == [
        ("attributes.a", "not_a_date"),
        (f"attributes.{'d' * 64}", "unknown"),
        ("attributes.b", "required"),
    ]
    assert all(p.zh and p.en for p in faults)


@given(
    kind=st.sampled_from([Kind.TEXT, Kind.DECIMAL, Kind.MEASURED, Kind.DATE]),
    bounds=st.sampled_from([(None, None), (0, 100), (0, 1e10), (0, None), (5, 50)]),
    text=st.one_of(
        st.text(max_size=12),
        st.from_regex(r"\A<?=?-?\d{1,12}(\.\d{0,11})?\Z"),
        st.dates().map(str),
        st.floats(0, 200).map(lambda number: f"{number:.3f}"),
    ),
)
def test_the_quick_glance_never_accepts_what_the_check_refuses(
    kind: Kind, bounds: tuple[float | None, float | None], text: str
) -> None:
    judge = rules(kind=kind, minimum=bounds[0], maximum=bounds[1])
    assert bool(judge.faults({"a": text})) == bool(judge._examine("a", text))


@given(text=st.text(max_size=300))
def test_no_text_breaks_a_rule_itself(text: str) -> None:
    for kind in Kind:
        values = ("x",) if kind is Kind.ENUM else ()
        rules(kind=kind, values=values, minimum=0, maximum=5).faults({"a": text, text: text})


def draft(**changes: Any) -> bytes:
    """Return a template as JSON, its first attribute changed."""
    attribute = {"name": "a", "zh": "甲", "en": "A", "index": 2000} | changes
    second = {"name": "b", "zh": "乙", "en": "B", "index": 2001}
    template = {"name": "t", "version": 1, "object_class": "batch", "zh": "模", "en": "T"}
    return json.dumps(template | {"attributes": [attribute, second]}).encode()


def test_a_template_reads_back_as_it_was_written() -> None:
    template = parse_template(draft(tier="public", required=True))
    assert parse_template(encode_template(template)) == template
    assert template.reference == "t/1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "b"}, "attributes[1].name"),
        ({"name": "A"}, "attributes[0].name"),
        ({"name": "1a"}, "attributes[0].name"),
        ({"name": ""}, "attributes[0].name"),
        ({"index": 1999}, "attributes[0].index"),
        ({"index": 2001}, "attributes[1].index"),
        ({"kind": "enum"}, "attributes[0].values"),
        ({"values": ["x"]}, "attributes[0].values"),
    ],
)
def test_a_template_that_contradicts_itself_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_template(draft(**changes))
    assert [p.field for p in refusal.value.problems] == [field]


@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: json.dumps(t).encode()))
)
def test_what_is_no_template_is_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_template(data)


@pytest.mark.parametrize("changes", [{"colour": "red"}, {"kind": "colour"}, {"index": "2000"}])
def test_unknown_fields_and_kinds_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        parse_template(draft(**changes))


def test_released_templates_are_as_they_were_released() -> None:
    shipped = {t.reference: template_digest(t) for t in shipped_templates()}
    assert shipped == DIGESTS


@pytest.mark.parametrize("template", shipped_templates(), ids=lambda t: t.reference)
def test_a_shipped_template_keeps_the_rules_of_templates(template: Template) -> None:
    indexes = [a.index for a in template.attributes]
    assert len(set(indexes)) == len(indexes)
    assert all(index >= FIRST_INDEX for index in indexes)
    assert all(a.zh and a.en for a in template.attributes)
    assert parse_template(encode_template(template)) == template


def test_a_bare_name_means_the_newest_version_and_an_old_one_can_be_named() -> None:
    old, new = (
        Template("t", version, "batch", "模", "T", (Attribute("a", "甲", "A", 2000),))
        for version in (9, 10)
    )
    catalogue = TemplateCatalogue([new, old])
    assert catalogue.rules("t").template is new
    assert catalogue.rules("t/9").template is old
    assert [t.version for t in catalogue.templates()] == [9, 10]
    for unknown in ("t/11", "u", "", "t/"):
        with pytest.raises(NotFound) as refusal:
            catalogue.rules(unknown)
        assert refusal.value.code == "no_template"
