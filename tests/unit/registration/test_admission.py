"""What is let in, and every reason for which it is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.demo_batches import iter_rows
from node.domain.prefix import Prefix
from node.domain.record import ExtraValue, Parent
from node.domain.template import TemplateCatalogue
from node.domain.templates import shipped_templates
from node.errors import InvalidInput, MalformedIdentifier, NotFound, WrongState, XibiaoError
from node.registration.admission import Admitted, admit, as_texts, identify
from node.registration.picture import Picture
from node.registration.requests import Actor, Item, Role
from node.registration.value_rules import value_faults
from tests.builders import (
    FREE_PREFIX,
    PREFIX,
    PREFIXES,
    PRODUCER,
    START,
    attributes,
    batch_suffix,
    item,
    lot,
)

EXACT_PREFIX, COMING_PREFIX, PAST_PREFIX = "88.111.4", "88.111.5", "88.111.6"
PICTURE = Picture(
    {
        prefix.name: prefix
        for prefix in (
            *PREFIXES,
            Prefix(EXACT_PREFIX, profile="free", fold_suffix=False),
            Prefix(COMING_PREFIX, profile="free", valid_from=START + timedelta(seconds=1)),
            Prefix(PAST_PREFIX, profile="free", valid_until=START),
        )
    },
    TemplateCatalogue(shipped_templates()),
    {},
)


def admitted(wanted: Item, actor: Actor = PRODUCER) -> Admitted:
    """Judge an item at the time of the tests."""
    return admit(wanted, actor, PICTURE, START)


def problems(wanted: Item) -> list[tuple[str, str]]:
    """Return (field, code) of everything that is wrong with an item."""
    with pytest.raises(InvalidInput) as refusal:
        admitted(wanted)
    return [(p.field, p.code) for p in refusal.value.problems]


def test_a_sound_item_is_admitted_with_its_newest_template() -> None:
    result = admitted(item(lot(1), parents=[(lot(2).lower(), "12.5")]))
    assert result.identifier is not None
    assert (result.identifier.key, result.template) == (lot(1), "ree-batch/1")
    assert result.parents == (Parent(lot(2), "12.5"),)


def test_without_an_identifier_the_prefix_says_where_to_mint() -> None:
    result = admitted(item())
    assert (result.identifier, result.prefix.name) == (None, PREFIX)


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (item("88.111.404/X"), NotFound),
        (item(prefix="88.111.404"), NotFound),
        (Item(attributes=attributes()), NotFound),
        (item("nonsense"), XibiaoError),
        (item(f"{PREFIX}/NO-PROFILE"), MalformedIdentifier),
        (item(f"{FREE_PREFIX}/{'X' * 250}"), MalformedIdentifier),
        (item(f"{COMING_PREFIX}/A"), WrongState),
        (item(f"{PAST_PREFIX}/A"), WrongState),
        (Item(lot(1), template="ree-batch/9", attributes=attributes()), NotFound),
    ],
)
def test_what_can_be_registered_nowhere_is_refused(wanted: Item, error: type[XibiaoError]) -> None:
    with pytest.raises(error):
        admitted(wanted)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Item(lot(1), object_class="pallet"), [("object_class", "not_listed")]),
        (item(lot(1), prefix=PREFIX), [("prefix", "mismatch")]),
        (item(lot(1), net_kg="x", form="?"), [
            ("attributes.net_kg", "not_a_number"), ("attributes.form", "not_listed")]),
        (item(lot(1), net_kg=None), [("attributes.net_kg", "required")]),
        (item(lot(1), net_kg=""), [("attributes.net_kg", "required")]),
        (item(lot(1), parents=[(lot(1), "")]), [("parents[0].id", "self_parent")]),
        (item(lot(1), parents=[("?", "")]), [("parents[0].id", "malformed_identifier")]),
        (item(lot(1), parents=[(lot(2), "1e3")]), [("parents[0].kg", "not_a_number")]),
        (item(lot(1), parents=[(lot(2), "-1")]), [("parents[0].kg", "not_a_number")]),
        (item(lot(1), parents=[(lot(n), "") for n in range(2, 103)]), [("parents", "too_many")]),
        (Item(lot(1), attributes=attributes(), document="x" * 101), [("document", "too_long")]),
        (Item(lot(1), object_class="package", template="ree-batch/1", attributes=attributes()), [
            ("template", "object_class")]),
    ],
)  # fmt: skip
def test_every_fault_is_named(wanted: Item, expected: list[tuple[str, str]]) -> None:
    assert problems(wanted) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (ExtraValue(0, "A", "x"), "index"),
        (ExtraValue(1900, "A", "x"), "index"),
        (ExtraValue(1, "", "x"), "type"),
        (ExtraValue(1, "HS_ADMIN", "x"), "type"),
        (ExtraValue(1, "hs_site", "x"), "type"),
        (ExtraValue(1, "A B", "x"), "type"),
        (ExtraValue(1, "A", "x" * 4_097), "data"),
        (ExtraValue(1, "A", "\ud800"), "data"),
        (ExtraValue(1, "A", "AA=A", format="base64"), "data"),
        (ExtraValue(1, "A", "é", format="base64"), "data"),
        (ExtraValue(1, "A", "x", format="hex"), "data"),
        (ExtraValue(1, "URL", "http://a.cn"), "not_a_url"),
        (ExtraValue(1, "url", "javascript:0"), "not_a_url"),
        (ExtraValue(1, "A", "x", ttl=-1), "out_of_range"),
        (ExtraValue(1, "A", "x", permissions=16), "out_of_range"),
    ],
)
def test_a_bad_extra_value_is_named(value: ExtraValue, code: str) -> None:
    assert [p.code for p in value_faults([value])] == [code]


def test_extra_values_are_counted_and_do_not_repeat_an_index() -> None:
    assert value_faults([ExtraValue(n, "A", "x") for n in range(1, 51)]) == []
    assert [p.code for p in value_faults([ExtraValue(1, "A", "x")] * 2)] == ["repeated"]
    assert [p.code for p in value_faults([ExtraValue(n, "A", "x") for n in range(1, 52)])] == [
        "too_many"
    ]


def test_an_object_without_attributes_is_what_its_values_say() -> None:
    wanted = Item(
        identifier=f"{FREE_PREFIX}/X",
        object_class="object",
        values=(ExtraValue(9_000, "ANY", "x"), ExtraValue(1, "URL", "http://a.cn")),
    )
    result = admitted(wanted)
    assert result.template == "handle/1"
    assert [value.index for value in result.values] == [1, 9_000]


@pytest.mark.parametrize("object_class", ["object", "batch"])
@pytest.mark.parametrize("form", ["string", "sealed"])
def test_no_key_of_the_api_writes_a_secret_key(object_class: str, form: str) -> None:
    secret = ExtraValue(300, "HS_SECKEY", "AAEC", format=form, permissions=0x0C)
    wanted = item(lot(1), values=[secret])
    if object_class == "object":
        wanted = Item(identifier=lot(1), object_class="object", values=(secret,))
    assert problems(wanted) == [("values[0].type", "secret")]


def test_a_prefix_that_tells_case_apart_keeps_it() -> None:
    assert identify(f"{EXACT_PREFIX}/lot-a", PICTURE).key == f"{EXACT_PREFIX}/lot-a"
    assert identify(f"{FREE_PREFIX}/lot-a", PICTURE).key == f"{FREE_PREFIX}/LOT-A"


def test_a_profile_is_checked_and_the_repair_suggested() -> None:
    good = f"{PREFIX}/{batch_suffix(42)}"
    assert identify(good, PICTURE).key == good
    with pytest.raises(MalformedIdentifier) as refusal:
        identify(good.replace("0042", "OO42"), PICTURE)
    assert refusal.value.problems[0].suggestion.endswith(batch_suffix(42))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (5.10, "5.1"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        ("5.10", "5.10"),
        (0, "0"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_numbers_become_the_decimal_text_they_show(value: int | float | str, text: str) -> None:
    assert as_texts({"a": value}) == {"a": text}


def test_absent_and_empty_are_the_same() -> None:
    assert as_texts({"a": "", "b": "x"}) == {"b": "x"}


@given(
    st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.floats()), max_size=5)
)
def test_hostile_attributes_are_refused_in_one_way(given_: dict[str, str | float]) -> None:
    with pytest.raises(InvalidInput):
        admitted(Item(lot(1), attributes=given_))


@given(st.text(max_size=40))
def test_hostile_identifiers_are_refused_in_one_family(text: str) -> None:
    with pytest.raises(XibiaoError):
        admitted(Item(text or "?", attributes=attributes()))


def test_rows_of_the_demonstration_are_sound() -> None:
    rules = PICTURE.templates.rules("ree-batch")
    names = {a.name for a in rules.template.attributes}
    for row in list(iter_rows(300, seed=5)):
        given_ = {n: str(v) for n, v in dict(row).items() if n in names and v not in ("", None)}
        assert rules.faults(given_) == []


def test_an_actor_without_prefixes_may_use_all_and_one_with_them_these() -> None:
    bound = Actor("key:b", Role.PRODUCER, frozenset({PREFIX}))
    assert admitted(item(), bound).prefix.name == PREFIX
    with pytest.raises(XibiaoError) as refusal:
        admitted(item(lot(1)), bound)
    assert refusal.value.code == "access_denied"
