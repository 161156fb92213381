"""Cache entries vouch for one answer to one identifier, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import IntegrityFailure
from resolver.rendering import resolution_of
from resolver.resolution import CacheSeal, Resolution
from tests.unit.resolver.fakes import disclosed, stored

KEY = "88.888.1501/A"
SEAL = CacheSeal(b"k" * 32)
RESOLUTION = resolution_of(disclosed(stored(KEY)))


@given(
    st.builds(
        Resolution,
        key=st.text(max_size=50),
        status=st.text(),
        revision=st.integers(0, 2**63),
        entity_tag=st.text(),
        scan=st.binary(),
        handle=st.binary(),
        wire=st.binary(),
        withheld=st.lists(
            st.tuples(st.integers(1, 2**31 - 1), st.text(), st.integers(0, 255)), max_size=5
        ).map(tuple),
    ),
    st.integers(0, 2**64 - 1),
)
def test_sealed_entry_opens_to_what_was_sealed(resolution: Resolution, position: int) -> None:
    assert SEAL.open(resolution.key, SEAL.seal(resolution, position)) == (position, resolution)


@given(st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_refused(place: int, change: int) -> None:
    entry = bytearray(SEAL.seal(RESOLUTION, 7))
    entry[place % len(entry)] ^= change
    with pytest.raises(IntegrityFailure):
        SEAL.open(KEY, bytes(entry))


@given(st.binary(max_size=200))
def test_garbage_is_refused(entry: bytes) -> None:
    with pytest.raises(IntegrityFailure):
        SEAL.open(KEY, entry)


def test_entry_of_another_identifier_is_refused() -> None:
    with pytest.raises(IntegrityFailure):
        SEAL.open("88.888.1501/B", SEAL.seal(RESOLUTION, 7))


def test_entry_sealed_with_another_key_is_refused() -> None:
    with pytest.raises(IntegrityFailure):
        SEAL.open(KEY, CacheSeal(b"x" * 32).seal(RESOLUTION, 7))


def test_truncated_entries_are_refused() -> None:
    entry = SEAL.seal(RESOLUTION, 7)
    for size in range(len(entry)):
        with pytest.raises(IntegrityFailure):
            SEAL.open(KEY, entry[:size])


def test_entity_tag_differs_between_revisions_states_and_identifiers() -> None:
    versions = [
        stored(KEY),
        stored(KEY, revision=2),
        stored(KEY, status="suspended"),
        stored("88.888.1501/B"),
    ]
    assert len({resolution_of(disclosed(record)).entity_tag for record in versions}) == 4


@pytest.mark.parametrize("size", [15, 65])
def test_weak_and_overlong_keys_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16 to 64"):
        CacheSeal(b"k" * size)
