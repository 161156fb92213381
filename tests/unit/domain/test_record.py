"""Contents have one canonical form, and a record moves only along the arrows of its life."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import PUBLIC_READ
from node.domain.record import (
    TRANSITIONS,
    Action,
    Content,
    ExtraValue,
    Parent,
    Source,
    Status,
    content_digest,
    content_parts,
    decode_content,
    differing_fields,
    encode_content,
    same_business_facts,
    status_after,
)
from node.errors import WrongState
from tests.builders import content, lot

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONTENTS = st.builds(
    Content,
    identifier=TEXTS,
    object_class=TEXTS,
    template=TEXTS,
    attributes=st.dictionaries(TEXTS, TEXTS, max_size=4),
    source=st.builds(Source, kind=TEXTS, document=TEXTS, ref=TEXTS),
    status=st.sampled_from(Status),
    revision=st.integers(1, 2**53 - 1),
    actor=TEXTS,
    at=TEXTS,
    test=st.booleans(),
    reason=TEXTS,
    previous=TEXTS,
    parents=st.lists(st.builds(Parent, id=TEXTS, kg=TEXTS), max_size=3).map(tuple),
    values=st.lists(
        st.builds(
            ExtraValue,
            index=st.integers(1, 1899),
            type=TEXTS,
            data=TEXTS,
            permissions=st.integers(0, 15),
        ),
        max_size=3,
        unique_by=lambda value: value.index,
    ).map(lambda values: tuple(sorted(values, key=lambda value: value.index))),
)
LEAVING = st.sets(st.sampled_from(["a", "b", "lot_no"]) | TEXTS, max_size=3)


@given(CONTENTS, LEAVING)
def test_content_reads_back_and_has_one_form(value: Content, leaving: set[str]) -> None:
    data = encode_content(value, leaving)
    assert decode_content(data) == value
    assert encode_content(decode_content(data), leaving) == data


@given(CONTENTS, LEAVING)
def test_what_may_leave_the_plant_and_what_may_not_are_apart(
    value: Content, leaving: set[str]
) -> None:
    shared, withheld = map(json.loads, content_parts(encode_content(value, leaving)))
    assert shared["attributes"].keys() == value.attributes.keys() & leaving
    assert withheld["attributes"].keys() == value.attributes.keys() - leaving
    assert all(v.get("permissions", 0x0E) & PUBLIC_READ for v in shared["values"])
    assert not any(v.get("permissions", 0x0E) & PUBLIC_READ for v in withheld["values"])
    assert not shared.keys() & {"actor", "previous", "reason", "parents"}


@given(CONTENTS)
def test_the_form_is_that_of_rfc_8785_but_for_the_order_of_rare_characters(value: Content) -> None:
    data = encode_content(value)
    if all(max(name, default="") <= "\ud7ff" for name in value.attributes):
        for line in data.split(b"\n"):
            canonical = json.dumps(
                json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
            assert line == canonical.encode()


VERSION_1 = (
    '{"actor":"key:producer","at":"2026-11-21T09:00:00.000Z","attributes":{"lot_no":"批-7",'
    '"net_kg":"5.10"},"class":"batch","identifier":"88.111.2/LOT-000007","parents":[],'
    '"previous":"","reason":"","revision":1,"source":{"document":"","kind":"api","ref":""},'
    '"status":"active","template":"ree-batch/1","test":false,"v":1,"values":[]}'
)


def test_content_of_version_1_is_still_read_and_none_of_it_leaves() -> None:
    given = content(lot(7), attributes={"net_kg": "5.10", "lot_no": "批-7"})
    assert decode_content(VERSION_1.encode()) == msgspec.structs.replace(given, v=1)
    assert content_parts(VERSION_1.encode()) == (b"", VERSION_1.encode())


def test_a_content_has_the_bytes_it_always_had() -> None:
    # The log commits to these bytes: a change of the encoding would orphan every commitment.
    given = content(lot(7), attributes={"net_kg": "5.10", "lot_no": "批-7"})
    data = encode_content(given, {"lot_no"})
    assert data.decode() == (
        '{"at":"2026-11-21T09:00:00.000Z","attributes":{"lot_no":"批-7"},"class":"batch",'
        '"identifier":"88.111.2/LOT-000007","revision":1,"source":"api","status":"active",'
        '"template":"ree-batch/1","test":false,"v":2,"values":[]}\n'
        '{"actor":"key:producer","attributes":{"net_kg":"5.10"},"parents":[],"previous":"",'
        '"reason":"","source":{"document":"","kind":"api","ref":""},"values":[]}'
    )
    assert content_digest(data) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("before", [None, *Status])
def test_an_action_leads_where_its_arrow_leads_or_is_refused(
    action: Action, before: Status | None
) -> None:
    after = TRANSITIONS[action].get(before)
    if after is None:
        with pytest.raises(WrongState) as refusal:
            status_after(action, before)
        assert action in refusal.value.en
    else:
        assert status_after(action, before) is after


def test_nothing_leads_out_of_revoked_nor_back_to_reserved() -> None:
    for arrows in TRANSITIONS.values():
        assert Status.REVOKED not in arrows
        assert all(after is not Status.RESERVED for before, after in arrows.items() if before)


def test_who_sent_a_record_and_when_are_no_business_facts() -> None:
    one = content(attributes={"net_kg": "1"})
    two = content(attributes={"net_kg": "1"}, actor="key:x", at="later", source=Source("import"))
    assert same_business_facts(one, two)
    assert differing_fields(one, two) == []


def test_differences_are_named_field_by_field() -> None:
    one = content(attributes={"net_kg": "1", "form": "POWDER"})
    two = content(
        attributes={"net_kg": "1.0", "lot_no": "x"},
        object_class="package",
        template="ree-package/1",
        parents=(Parent(lot(2)),),
        values=(ExtraValue(1, "URL", "https://x.cn"),),
    )
    assert not same_business_facts(one, two)
    assert differing_fields(one, two) == [
        "attributes.form",
        "attributes.lot_no",
        "attributes.net_kg",
        "class",
        "template",
        "parents",
        "values",
    ]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"identifier":1}', b"null"])
def test_damaged_content_is_noticed(data: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        decode_content(data)
