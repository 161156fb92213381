"""The public sees what is granted: of an active record some, of any other its status alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.disclosure import (
    STATUS_INDEX,
    STATUS_TYPE,
    PublicView,
    WithheldValue,
    is_disclosed,
    public_view,
)
from node.domain.record import SEALED, ExtraValue, Status, StoredRecord, encode_content
from node.domain.template import TemplateCatalogue, Tier
from node.domain.templates import shipped_templates
from tests.builders import content, lot, texts

CATALOGUE = TemplateCatalogue(shipped_templates())
TEMPLATE = CATALOGUE.rules("ree-batch/1").template
PUBLIC_READ, PRIVATE = 0x0E, 0x0C


def handle_record(status: Status, *values: ExtraValue) -> StoredRecord:
    """Return a record that a Handle client wrote."""
    stored = content(
        lot(1),
        object_class="object",
        template="handle/1",
        attributes={},
        status=status,
        values=values,
    )
    return StoredRecord(
        identifier=lot(1),
        status=status.value,
        revision=1,
        object_class="object",
        template="handle/1",
        is_test=False,
        registered_at="2026-11-20T00:00:00.000Z",
        updated_at="2026-11-21T09:00:00.500Z",
        content=encode_content(stored),
    )


def seen(
    status: Status = Status.ACTIVE,
    *,
    attributes: dict[str, str] | None = None,
    values: tuple[ExtraValue, ...] = (),
) -> PublicView:
    """Return what the public sees of a lot."""
    stored = content(
        lot(1), attributes=texts() if attributes is None else attributes, values=values
    )
    record = StoredRecord(
        identifier=lot(1),
        status=status.value,
        revision=3,
        object_class="batch",
        template="ree-batch/1",
        is_test=False,
        registered_at="2026-11-20T00:00:00.000Z",
        updated_at="2026-11-21T09:00:00.500Z",
        content=encode_content(stored),
    )
    return public_view(record, CATALOGUE)


def test_an_active_record_shows_its_public_attributes_in_the_order_of_the_template() -> None:
    view = seen()
    public = [a.name for a in TEMPLATE.attributes if a.tier is Tier.PUBLIC and a.name in texts()]
    assert [a.name for a in view.attributes] == public
    assert {"net_kg", "plant", "unit"}.isdisjoint(a.name for a in view.attributes)
    shown = {a.name: (a.value, a.unit) for a in view.attributes}
    assert shown["tre_pct"] == ("99.5", "%")


@pytest.mark.parametrize("status", [Status.RESERVED, Status.SUSPENDED, Status.REVOKED])
def test_any_other_record_shows_its_status_and_nothing_of_its_own(status: Status) -> None:
    view = seen(status, values=(ExtraValue(1, "URL", "https://a.cn"),))
    assert (view.status, view.attributes) == (status, ())
    (value,) = view.values
    assert (value.index, value.type, value.data) == (
        STATUS_INDEX,
        STATUS_TYPE,
        status.value.encode(),
    )


@given(st.sets(st.sampled_from([a.name for a in TEMPLATE.attributes])))
def test_no_attribute_is_shown_that_its_tier_does_not_grant(names: set[str]) -> None:
    view = seen(attributes=dict.fromkeys(names, "hidden?"))
    tiers = {a.name: a.tier for a in TEMPLATE.attributes}
    assert {a.name for a in view.attributes} == {
        name for name in names if tiers[name] is Tier.PUBLIC
    }
    assert len(view.values) == 1 + len(view.attributes)


def test_only_publicly_readable_extra_values_are_shown() -> None:
    values = (
        ExtraValue(7, "EMAIL", "a@b.cn", permissions=PRIVATE),
        ExtraValue(5, "URL", "https://a.cn", permissions=PUBLIC_READ, ttl=10),
        ExtraValue(6, "BLOB", "AAEC", format="base64"),
    )
    shown = {v.index: v for v in seen(values=values).values if v.index < STATUS_INDEX}
    assert sorted(shown) == [5, 6]
    assert (shown[5].data, shown[5].ttl) == (b"https://a.cn", 10)
    assert shown[6].data == bytes([0, 1, 2])


def test_values_are_sorted_by_index_and_dated_by_the_last_change() -> None:
    view = seen(values=(ExtraValue(9, "B", "b"), ExtraValue(2, "A", "a")))
    indexes = [value.index for value in view.values]
    assert indexes == sorted(indexes)
    assert {value.timestamp for value in view.values} == {1_795_251_600}


def test_a_handle_record_shows_exactly_its_own_public_values() -> None:
    values = (
        ExtraValue(1, "URL", "http://a.cn", timestamp=5),
        ExtraValue(1900, "ANY", "AAEC", format="base64", ttl=7, ttl_absolute=True),
        ExtraValue(3000, "EMAIL", "a@b.cn", permissions=PRIVATE),
    )
    view = public_view(handle_record(Status.ACTIVE, *values), CATALOGUE)
    shown = [(v.index, v.type, v.data, v.timestamp) for v in view.values]
    assert shown == [
        (1, "URL", b"http://a.cn", 5),
        (1900, "ANY", bytes([0, 1, 2]), 1_795_251_600),
    ]
    assert (view.values[1].ttl, view.values[1].is_ttl_absolute) == (7, True)
    assert view.withheld == (WithheldValue(3000, "EMAIL", PRIVATE),)
    assert view.attributes == ()


def test_a_sealed_secret_is_withheld_whatever_its_permissions_say() -> None:
    secret = ExtraValue(300, "HS_SECKEY", "c2VhbGVk", format=SEALED, permissions=PUBLIC_READ)
    view = public_view(handle_record(Status.ACTIVE, secret), CATALOGUE)
    assert view.values == ()
    assert view.withheld == (WithheldValue(300, "HS_SECKEY", PUBLIC_READ),)


def test_a_suspended_handle_record_shows_its_status_alone() -> None:
    view = public_view(handle_record(Status.SUSPENDED, ExtraValue(1, "A", "a")), CATALOGUE)
    assert [v.type for v in view.values] == [STATUS_TYPE]
    assert view.withheld == ()


def test_the_public_is_told_of_all_but_reservations_and_deleted_handle_records() -> None:
    told = {status: is_disclosed(handle_record(status)) for status in Status}
    assert told == {
        Status.RESERVED: False,
        Status.ACTIVE: True,
        Status.SUSPENDED: True,
        Status.REVOKED: False,
    }
    batch = StoredRecord(lot(1), "revoked", 2, "batch", "ree-batch/1", False, "", "", b"")
    assert is_disclosed(batch)
