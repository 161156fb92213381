"""Handle values keep everything on their way into contents and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_record import FullRecord
from node.domain.handle_value import HandleReference, HandleValue
from node.domain.record import SEALED, ExtraValue, decode_content, encode_content
from node.domain.value_forms import seconds, shown, stored
from tests.builders import content

TEXT = st.text(max_size=20)
VALUES = st.builds(
    HandleValue,
    index=st.integers(1, 2**31 - 1),
    type=TEXT,
    data=st.one_of(st.binary(max_size=40), TEXT.map(str.encode)),
    ttl=st.integers(0, 2**31 - 1),
    permissions=st.integers(0, 15),
    timestamp=st.integers(1, 2**31 - 1),
    references=st.lists(
        st.builds(HandleReference, handle=TEXT, index=st.integers(0, 2**31 - 1)), max_size=3
    ).map(tuple),
    is_ttl_absolute=st.booleans(),
)


@given(VALUES)
def test_a_value_comes_back_from_its_stored_form_as_it_was(value: HandleValue) -> None:
    assert shown(stored(value), 1) == value


@given(VALUES)
def test_a_value_comes_back_from_the_bytes_of_a_content(value: HandleValue) -> None:
    held = content(values=(stored(value),))
    assert decode_content(encode_content(held)).values == held.values


def test_a_value_without_a_time_is_dated_by_its_record() -> None:
    assert shown(ExtraValue(1, "A", "a"), 7).timestamp == 7
    assert shown(ExtraValue(1, "A", "a", timestamp=3), 7).timestamp == 3


def test_a_sealed_value_is_not_shown() -> None:
    with pytest.raises(ValueError, match="opened first"):
        shown(ExtraValue(300, "HS_SECKEY", "AAAA", format=SEALED), 7)


def test_times_of_records_are_seconds_of_the_epoch() -> None:
    assert seconds("2026-11-21T09:00:00.999Z") == 1_795_251_600


def test_a_whole_record_does_not_print_its_secrets() -> None:
    record = FullRecord("86.1/A", "active", 2, (HandleValue(300, "HS_SECKEY", b"password1"),))
    assert "password1" not in repr(record)
