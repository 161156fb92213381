"""Which values a record may hold, and who may write them."""

from __future__ import annotations

import pytest

from node.domain.handle_value import HandleReference
from node.domain.record import SEALED, ExtraValue
from node.registration.requests import Actor, Role
from node.registration.value_rules import (
    MAX_HANDLE_BYTES,
    MAX_HANDLE_VALUES,
    authorship_faults,
    value_faults,
)
from tests.builders import PRODUCER

HANDLE = "handle/1"
ADMINISTRATOR = Actor("handle:300:86.1/A", Role.PRODUCER, administers_handles=True)
SECRET = ExtraValue(300, "HS_SECKEY", "AAEC", format=SEALED, permissions=0x0C)


def codes(*values: ExtraValue) -> list[str]:
    return [problem.code for problem in value_faults(values, HANDLE)]


@pytest.mark.parametrize(
    "value",
    [
        ExtraValue(2**31 - 1, "URL", "ftp://any.example/"),
        ExtraValue(1900, "10320/loc", "<locations/>"),
        ExtraValue(2001, "说明", "文本", ttl=2**31 - 1, ttl_absolute=True),
        ExtraValue(100, "HS_ADMIN", "AAEC", format="base64", permissions=0),
        ExtraValue(1, "A B", "", references=(HandleReference("86.1/B", 0),)),
        ExtraValue(1, "A", "x" * 100_000),
        SECRET,
    ],
)
def test_a_handle_record_takes_what_handle_clients_write(value: ExtraValue) -> None:
    assert codes(value) == []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (ExtraValue(0, "A", "x"), "index"),
        (ExtraValue(-1, "A", "x"), "index"),
        (ExtraValue(2**31, "A", "x"), "index"),
        (ExtraValue(1, "", "x"), "type"),
        (ExtraValue(1, "URL.", "x"), "type"),
        (ExtraValue(1, "A\n", "x"), "type"),
        (ExtraValue(1, " A", "x"), "type"),
        (ExtraValue(1, "\ud800", "x"), "type"),
        (ExtraValue(1, "A" * 256, "x"), "type"),
        (ExtraValue(1, "A", "\ud800"), "data"),
        (ExtraValue(1, "A", "AA=A", format="base64"), "data"),
        (ExtraValue(1, "A", "x", format="hex"), "data"),
        (ExtraValue(1, "A", "AAEC", format=SEALED), "secret"),
        (ExtraValue(1, "HS_SECKEY", "password1"), "secret"),
        (ExtraValue(1, "hs_seckey", "AAEC", format="base64"), "secret"),
        (ExtraValue(1, "HS_SECKEY", "AAEC", format=SEALED, permissions=0x0E), "public"),
        (ExtraValue(1, "HS_SECKEY", "AAEC", format=SEALED, permissions=0x0D), "public"),
        (ExtraValue(1, "A", "x", ttl=-1), "out_of_range"),
        (ExtraValue(1, "A", "x", permissions=16), "out_of_range"),
        (ExtraValue(1, "A", "x", timestamp=2**31), "out_of_range"),
        (ExtraValue(1, "A", "x", references=(HandleReference("86.1/B", -1),)), "reference"),
        (ExtraValue(1, "A", "x", references=(HandleReference("b" * 2_049, 1),)), "reference"),
    ],
)
def test_a_bad_value_of_a_handle_record_is_named(value: ExtraValue, code: str) -> None:
    assert codes(value) == [code]


def test_values_are_bounded_in_number_and_together_in_size() -> None:
    many = [ExtraValue(n, "A", "x") for n in range(1, MAX_HANDLE_VALUES + 2)]
    assert codes(*many[:-1]) == []
    assert codes(*many) == ["too_many"]
    assert codes(many[0], many[0]) == ["repeated"]
    fitting = "x" * (MAX_HANDLE_BYTES - 27)  # fixed fields of a value and a type of one letter
    assert codes(ExtraValue(1, "A", fitting)) == []
    assert codes(ExtraValue(1, "A", fitting + "x")) == ["too_large"]


def test_a_record_with_attributes_takes_no_sealed_and_no_long_lived_value() -> None:
    for value in (
        ExtraValue(1, "A", "AAEC", format=SEALED),
        ExtraValue(1, "A", "x", ttl=172_801),
        ExtraValue(2_000, "A", "x"),
    ):
        assert len(value_faults([value], "ree-batch/1")) == 1


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (SECRET, "secret"),
        (ExtraValue(300, "hs_seckey", "password1"), "secret"),
        (ExtraValue(300, "A", "AAEC", format=SEALED), "secret"),
        (ExtraValue(301, "HS_PUBKEY", "AAEC", format="base64"), "type"),
        (ExtraValue(100, "HS_ADMIN", "AAEC", format="base64"), "type"),
    ],
)
def test_only_handle_administrators_write_keys_and_administrators(
    value: ExtraValue, code: str
) -> None:
    assert [p.code for p in authorship_faults([value], PRODUCER)] == [code]
    assert authorship_faults([value], ADMINISTRATOR) == []


def test_the_refusal_of_a_key_says_how_to_set_it_instead() -> None:
    (problem,) = authorship_faults([SECRET], PRODUCER)
    assert "xibiao prefix admin" in problem.zh
    assert "xibiao prefix admin" in problem.en
