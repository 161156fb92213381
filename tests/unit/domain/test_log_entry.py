"""The public leaf: canonical bytes, strict reading, tags and commitments."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.domain.log_entry import (
    KINDS,
    MAX_LEAF_BYTES,
    MAX_REVISION,
    LogEntry,
    commitment,
    decode,
    encode,
    id_tag,
    kind_of,
    opened,
    opening,
)
from node.errors import InvalidInput

ENTRY = LogEntry(
    kind="register",
    at="2026-11-21T09:00:00.123Z",
    object_class="batch",
    source_kind="api",
    revision=1,
    is_test=False,
    id_tag=bytes(range(32)),
    commitment=bytes(range(32, 64)),
)
# Written by hand from the layout in the module's documentation.
GOLDEN = (
    b'{"at":"2026-11-21T09:00:00.123Z","class":"batch",'
    b'"commitment":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",'
    b'"id_tag":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",'
    b'"kind":"register","rev":1,"source":"api","test":false,"v":1}'
)


def time_text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"


tokens = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
entries = st.builds(
    LogEntry,
    kind=st.sampled_from(KINDS),
    at=st.datetimes(min_value=datetime(1000, 1, 1)).map(time_text),  # noqa: DTZ001
    object_class=tokens,
    source_kind=tokens,
    revision=st.integers(1, MAX_REVISION),
    is_test=st.booleans(),
    id_tag=st.binary(min_size=32, max_size=32),
    commitment=st.binary(min_size=32, max_size=32),
)


def test_golden_leaf() -> None:
    assert encode(ENTRY) == GOLDEN
    assert decode(GOLDEN) == ENTRY


@given(entries)
def test_leaf_equals_the_generic_canonical_form(entry: LogEntry) -> None:
    generic = {
        "v": 1,
        "kind": entry.kind,
        "at": entry.at,
        "class": entry.object_class,
        "source": entry.source_kind,
        "rev": entry.revision,
        "test": entry.is_test,
        "id_tag": base64.b64encode(entry.id_tag).decode(),
        "commitment": base64.b64encode(entry.commitment).decode(),
    }
    canonical = json.dumps(generic, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert encode(entry) == canonical.encode()


@given(entries)
def test_entries_round_trip_within_two_kilobytes(entry: LogEntry) -> None:
    leaf = encode(entry)
    assert decode(leaf) == entry
    assert len(leaf) <= MAX_LEAF_BYTES
    assert kind_of(leaf) == (entry.kind, 1)


@given(st.integers(0, len(GOLDEN) - 1), st.binary(max_size=2), st.integers(0, 2))
def test_a_leaf_is_refused_or_canonical(at: int, inserted: bytes, removed: int) -> None:
    data = GOLDEN[:at] + inserted + GOLDEN[at + removed :]
    try:
        entry = decode(data)
    except InvalidInput:
        return
    assert encode(entry) == data


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"{", b"{ "),
        (b"}", b"}\n"),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":1,"w":1'),
        (b'"rev":1', b'"rev":0'),
        (b'"rev":1', b'"rev":01'),
        (b'"rev":1', b'"rev":-1'),
        (b'"rev":1', b'"rev":1e3'),
        (b'"rev":1', b'"rev":9007199254740992'),
        (b'"rev":1', b'"rev":"1"'),
        (b'"test":false', b'"test":0'),
        (b'"test":false', b'"test":null'),
        (b'"kind":"register"', b'"kind":"unknown"'),
        (b'"kind":"register"', b'"kind":"Register"'),
        (b'"kind":"register",', b""),
        (b'"class":"batch"', b'"class":""'),
        (b'"class":"batch"', b'"class":"9batch"'),
        (b'"class":"batch"', b'"class":"b\\u0061tch"'),
        (b'"class":"batch"', b'"class":"' + b"b" * 33 + b'"'),
        (b'"source":"api"', b'"source":"\xe7\xa8\x80"'),
        (b"2026-11-21T", b"2026-02-30T"),
        (b"2026-11-21T", b"2026-13-21T"),
        (b"09:00:00", b"24:00:00"),
        (b"09:00:00", b"09:00:60"),
        (b".123Z", b".12+0"),
        (b"2026-11", b"\xff026-11"),
        (b"2026-11-21T", b"2026-11-21 "),
        (b"Pj8=", b"Pj9="),  # Spare bits of the last letter are not zero.
        (b"Pj8=", b"Pj8"),
        (b"Hh8=", b"H-8="),
    ],
)
def test_other_spellings_of_a_leaf_are_refused(old: bytes, new: bytes) -> None:
    data = GOLDEN.replace(old, new)
    assert data != GOLDEN
    with pytest.raises(InvalidInput):
        decode(data)


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_only_invalid_input(data: bytes) -> None:
    for read in (decode, kind_of):
        with pytest.raises(InvalidInput):
            read(data)


@pytest.mark.parametrize(
    "data", [b"[" * 2000, b'{"kind":' * 200, b'{"kind":"\xff","v":1}', b'{"kind":"x"}', b"null"]
)
def test_hostile_json_has_no_kind(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        kind_of(data)


def test_a_leaf_beyond_the_limit_is_refused() -> None:
    with pytest.raises(InvalidInput):
        kind_of(b'{"kind":"x","v":1}' + b" " * MAX_LEAF_BYTES)


def test_a_kind_of_a_later_release_can_be_passed_over() -> None:
    assert kind_of(b'{"kind":"hour_stat","n":3,"v":7}') == ("hour_stat", 7)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "erase"},
        {"at": "2026-11-21T09:00:00Z"},
        {"at": "2026-11-21T09:00:00.123+00:00"},
        {"object_class": 'a"b'},
        {"source_kind": "web page"},
        {"revision": 0},
        {"id_tag": b""},
        {"commitment": bytes(33)},
    ],
)
def test_an_entry_that_could_not_be_written_cannot_exist(fault: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        replace(ENTRY, **fault)


def test_time_text_of_a_moment_is_accepted() -> None:
    moment = datetime(2026, 11, 21, 9, 0, 0, 123_000, tzinfo=UTC).replace(tzinfo=None)
    assert replace(ENTRY, at=time_text(moment)).at == "2026-11-21T09:00:00.123Z"


def test_id_tag_is_hmac_sha_256() -> None:
    # RFC 4231 §4.7 (test case 6: a key longer than the block).
    tag = id_tag(b"\xaa" * 131, "Test Using Larger Than Block-Size Key - Hash Key First")
    assert tag.hex() == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"


def test_id_tag_hashes_the_utf_8_text() -> None:
    assert id_tag(bytes(32), "86.1/稀") != id_tag(bytes(32), "86.1/土")


def test_a_short_tag_key_is_refused() -> None:
    with pytest.raises(InvalidInput):
        id_tag(bytes(31), "86.1/a")


def test_commitment_joins_what_is_shared_with_a_salted_digest_of_the_rest() -> None:
    salt = bytes(range(32))
    inner = hashlib.sha256(salt[16:] + b'{"b":2}').digest()
    expected = hashlib.sha256(salt[:16] + inner + b'{"a":1}').digest()
    assert commitment(salt, b'{"a":1}\n{"b":2}') == expected


def test_an_opening_shows_what_is_shared_and_leads_to_the_commitment() -> None:
    salt, content = bytes(range(32)), b'{"a":1}\n{"b":2}'
    shown = opening(salt, content)
    assert shown is not None
    assert shown[0] == salt[:16]
    assert shown[2] == b'{"a":1}'
    assert opened(*shown) == commitment(salt, content)
    assert opened(*shown[:2], b'{"a":2}') != commitment(salt, content)


@pytest.mark.parametrize(("salt", "digest"), [(15, 32), (17, 32), (16, 31), (16, 33), (0, 0)])
def test_an_opening_of_other_lengths_is_refused(salt: int, digest: int) -> None:
    with pytest.raises(InvalidInput):
        opened(bytes(salt), bytes(digest), b"{}")


def test_content_of_version_1_is_committed_to_as_a_whole_and_not_opened() -> None:
    salt = bytes(range(32))
    assert commitment(salt, b"{}") == hashlib.sha256(salt + b"{}").digest()
    assert opening(salt, b"{}") is None


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_salt_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput):
        commitment(bytes(length), b"{}")
