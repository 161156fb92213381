"""What changes of the log become: records with texts, nothing cut, nothing that must stay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.template import Attribute
from node.errors import InvalidInput
from sync.peer import Item, ItemCode, ItemResult
from sync.snms.answers import RecordValue, TemplateItem, ValueData, WireRecord
from sync.snms.calls import Route, Verb, route_body
from sync.snms.operations import Operation, Told, differences, plan
from sync.snms.template_form import (
    RARE_EARTH_SMELTING,
    STATUS_KEY,
    indexes,
    new_template,
    template_form,
)
from tests.unit.sync.snms_peer import TEMPLATE
from tests.unit.sync.test_snms_delivery import item

FORM = template_form(TEMPLATE)
FORMS = {FORM.reference: FORM}


def planned(*items: Item) -> tuple[list[Operation], dict[int, ItemResult]]:
    operations, settled = plan(items, FORMS)
    return operations, {result.index: result for result in settled}


@pytest.mark.parametrize(
    ("kind", "status", "verb"),
    [
        ("register", "active", Verb.CREATE),
        ("change", "active", Verb.UPDATE),
        ("change", "suspended", Verb.UPDATE),
        ("suspend", "suspended", Verb.UPDATE),
        ("resume", "active", Verb.UPDATE),
        ("revoke", "revoked", Verb.DELETE),
    ],
)
def test_each_kind_of_change_has_its_verb(kind: str, status: str, verb: Verb) -> None:
    ((operation,), _) = planned(item(1, kind=kind, status=status))
    assert (operation.verb, operation.prefix) == (verb, "88.111.2")


def test_a_suspended_record_shows_what_is_demanded_and_that_it_is_suspended() -> None:
    ((operation,), _) = planned(item(1, kind="suspend", status="suspended"))
    assert operation.told == Told("ree-batch/1", {STATUS_KEY: "suspended", "lot_no": "L-1"})


@pytest.mark.parametrize(
    "untold",
    [
        item(1, test=True),
        item(1, status="reserved"),
        replace(item(1, kind="reserve"), opening=None),
        replace(item(1), leaf=b'{"kind":"note","v":1}', opening=None),
    ],
)
def test_what_is_not_told_counts_as_done(untold: Item) -> None:
    operations, settled = planned(untold)
    assert (operations, settled[1].code) == ([], ItemCode.OK)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (item(1, attributes={"lot_no": "x" * 256}), "lot_no"),
        (item(1, attributes={"lot_no": "1", "stage": "稀" * 21}), "stage"),
        (item(1, attributes={"other": "1"}), "other"),
        (item(1, identifier="ecode:10011234567890"), "Handle"),
        (item(1, identifier="88.111.2/" + "A" * 250), "255"),
        (item(1, attributes={"lot_no": 7}), ""),
        (item(1, status="odd"), ""),
        (replace(item(1), opening=None), "1"),
    ],
)
def test_what_the_interface_cannot_take_is_refused_by_name_and_never_cut(
    bad: Item, named: str
) -> None:
    operations, settled = planned(bad)
    assert operations == []
    assert settled[1].code is ItemCode.INVALID
    assert named in settled[1].reason


def test_a_text_of_the_longest_length_is_told_whole() -> None:
    ((operation,), _) = planned(item(1, attributes={"lot_no": "稀" * 255}))
    assert operation.told is not None
    assert operation.told.values["lot_no"] == "稀" * 255


def test_an_unknown_template_keeps_the_record_waiting() -> None:
    _, settled = planned(item(1, template="other/1"))
    assert settled[1].code is ItemCode.TEMPLATE_MISSING


def test_of_several_changes_in_a_batch_the_last_state_travels() -> None:
    (first, second), settled = planned(
        item(1, "A"), item(2, "B"), item(3, "A", kind="change", attributes={"lot_no": "new"})
    )
    assert (first.index, second.index, second.verb) == (2, 3, Verb.CREATE)
    assert second.told is not None
    assert second.told.values["lot_no"] == "new"
    assert [told.values["lot_no"] for told in second.earlier] == ["L-1"]
    assert settled[1].code is ItemCode.OK


def test_a_bad_state_does_not_hide_the_good_one_before_it() -> None:
    (operation,), settled = planned(
        item(1, "A"), item(2, "A", kind="change", attributes={"lot_no": "x" * 300})
    )
    assert operation.index == 1
    assert settled[2].code is ItemCode.INVALID


def test_a_record_revoked_in_the_batch_that_made_it_is_only_deleted() -> None:
    (operation,), _ = planned(item(1, "A"), item(2, "A", kind="revoke", status="revoked"))
    assert (operation.verb, operation.told) == (Verb.DELETE, None)


@given(st.binary(max_size=200))
def test_a_state_that_is_no_state_is_refused(shared: bytes) -> None:
    whole = item(1)
    assert whole.opening is not None
    operations, settled = planned(replace(whole, opening=replace(whole.opening, shared=shared)))
    assert (operations, settled[1].code) == ([], ItemCode.INVALID)


def wire(template: str, **values: str) -> WireRecord:
    found = [RecordValue(2000 + n, k, ValueData(v)) for n, (k, v) in enumerate(values.items())]
    reserved = RecordValue(1001, "TEMPLATE", ValueData("1.0"))
    return WireRecord("88.111.2/A", template, (*found, reserved))


def test_records_are_compared_by_their_values_and_the_template() -> None:
    told = Told("t/1", {"a": "1", "b": "2"})
    assert differences(told, wire("t/1", b="2", a="1")) == []
    assert differences(told, wire("t/2", a="1", b="2")) == ["templateVersion"]
    assert differences(told, wire("t/1", a="1", b="3", c="4")) == ["b", "c"]
    assert differences(told, wire("t/1", a="1")) == ["b"]


def test_a_new_template_has_our_indexes_and_the_industry() -> None:
    body = new_template(FORM, "88.111.2", RARE_EARTH_SMELTING)
    assert [(i.id_type, i.id_index, i.required) for i in body.items] == [
        (STATUS_KEY, 2000, False),
        ("lot_no", 2001, True),
        ("stage", 2004, False),
    ]
    assert (body.industry_category, body.industry_subclass) == ("C", "3232")
    assert [i.metadata.max_length for i in body.items] == [255, 255, 20]


def test_the_status_gives_way_to_an_attribute_at_its_index() -> None:
    mine = Attribute("a", "甲", "A", 2000, leaves_plant=True)
    body = template_form(
        TEMPLATE.__class__("t", 1, "batch", "模板", "T", (mine, Attribute("b", "乙", "B", 2009)))
    )
    assert body.items[0].index == 2010


@pytest.mark.parametrize(
    "attribute",
    [Attribute(STATUS_KEY, "状态", "Status", 2005), Attribute("a", "甲", "A", 1999)],
)
def test_a_template_that_uses_what_is_reserved_is_refused(attribute: Attribute) -> None:
    with pytest.raises(InvalidInput):
        template_form(TEMPLATE.__class__("t", 1, "batch", "模板", "T", (attribute,)))


@pytest.mark.parametrize("shown", ["x", "", 1001])
def test_an_index_that_is_none_is_refused(shown: int | str) -> None:
    body = new_template(FORM, "88.111.2", RARE_EARTH_SMELTING)
    bad = TemplateItem("n", "lot_no", body.items[1].metadata, id_index=shown)
    if shown == "":  # not shown at all: version 3 numbers items in their order
        assert indexes(FORM, (body.items[0], bad, body.items[2]))["lot_no"] == 2001
        return
    with pytest.raises(InvalidInput):
        indexes(FORM, (body.items[0], bad, body.items[2]))


def test_routes_are_told_hosted_or_with_ports_as_text() -> None:
    assert route_body("88.1.2", Route(host_server=3)) == {
        "proxyServerId": 3,
        "entPrefixConfig": {"entPrefix": "88.1.2"},
    }
    assert route_body("88.1.2", Route(ip="2001:db8::1", tcp_port=2641)) == {
        "entPrefixConfig": {
            "entPrefix": "88.1.2",
            "hdlType": "HS_SITE",
            "ipType": 6,
            "ip": "2001:db8::1",
            "tcpPort": "2641",
            "udpPort": "",
            "httpPort": "",
        }
    }
