"""Secrets are sealed to their place, opened there alone, and never public."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleValue
from node.domain.record import SEALED
from node.errors import IntegrityFailure, InvalidInput
from node.registration.secret_sealer import MAX_SECRET_BYTES, SecretSealer

HANDLE = "86.1000/ADMIN"
SEALER = SecretSealer(bytes(range(64)))


def key(data: bytes = b"password1", *, index: int = 300, permissions: int = 0x0C) -> HandleValue:
    return HandleValue(index, "HS_SECKEY", data, permissions=permissions, timestamp=5)


@given(st.binary(min_size=1, max_size=100), st.integers(1, 2**31 - 1))
def test_a_secret_opens_where_it_was_sealed(data: bytes, index: int) -> None:
    value = key(data, index=index)
    sealed = SEALER.stored(HANDLE, value)
    assert sealed.format == SEALED
    assert SEALER.opened(HANDLE, sealed, 1) == value


def test_the_same_secret_at_the_same_place_is_the_same_text_and_does_not_show_it() -> None:
    sealed = SEALER.stored(HANDLE, key())
    assert sealed == SEALER.stored(HANDLE, key())
    assert "password1" not in repr(sealed)
    assert sealed.data != SEALER.stored(HANDLE, key(index=301)).data


def test_a_secret_that_was_moved_or_sealed_with_another_key_does_not_open() -> None:
    sealed = SEALER.stored(HANDLE, key())
    moved = msgspec.structs.replace(sealed, index=301)
    damaged = msgspec.structs.replace(sealed, data="not base64")
    attempts = [
        (SEALER, "86.1000/OTHER", sealed),
        (SEALER, HANDLE, moved),
        (SEALER, HANDLE, damaged),
        (SecretSealer(bytes(64)), HANDLE, sealed),
    ]
    for sealer, handle, value in attempts:
        with pytest.raises(IntegrityFailure) as failure:
            sealer.opened(handle, value, 1)
        assert failure.value.code == "secret_sealed_otherwise"


@pytest.mark.parametrize("kind", ["HS_SECKEY", "hs_seckey"])
def test_public_permissions_are_taken_from_a_secret(kind: str) -> None:
    value = HandleValue(300, kind, b"password1", permissions=0x0F)
    assert SEALER.stored(HANDLE, value).permissions == 0x0C


@pytest.mark.parametrize("size", [0, MAX_SECRET_BYTES + 1])
def test_empty_and_overlong_secrets_are_refused(size: int) -> None:
    with pytest.raises(InvalidInput):
        SEALER.stored(HANDLE, key(b"x" * size))


def test_other_values_are_stored_as_they_are() -> None:
    value = HandleValue(1, "URL", b"https://a.cn", timestamp=5)
    stored = SEALER.stored(HANDLE, value)
    assert (stored.format, stored.data) == ("string", "https://a.cn")
    assert SEALER.opened(HANDLE, stored, 1) == value
