"""Bodies, values and primitives: what is written reads back, and nothing hostile gets through."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import InvalidInput
from resolver.handle import bodies, digests, values
from resolver.handle.credentials import Credential
from resolver.handle.cursor import Cursor, encode_name, is_text
from resolver.handle.predefined import Admin, decode_handle, decode_value_list, encode_value_list
from resolver.handle.site import Interface, Server, Site
from resolver.handle.versions import OWN, Version

T = TypeVar("T")

NAMES = st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INDEXES = st.integers(-(2**31), 2**31 - 1)
WORDS = st.integers(0, 2**32 - 1)
DATA = st.binary(max_size=30)
REFERENCES = st.builds(HandleReference, TEXTS, INDEXES)
NAMED_REFERENCES = st.builds(HandleReference, NAMES, INDEXES)
VALUES = st.builds(
    HandleValue,
    index=INDEXES,
    type=TEXTS,
    data=DATA,
    ttl=WORDS,
    permissions=st.integers(0, 255),
    timestamp=WORDS,
    references=st.lists(REFERENCES, max_size=3).map(tuple),
    is_ttl_absolute=st.booleans(),
)
VALUE_TUPLES = st.lists(VALUES, max_size=4).map(tuple)
INDEX_TUPLES = st.lists(INDEXES, max_size=5).map(tuple)
NAME_TUPLES = st.lists(NAMES, max_size=4).map(tuple)

BODIES = st.one_of(
    st.builds(bodies.ResolutionRequest, NAMES, INDEX_TUPLES, NAME_TUPLES),
    st.builds(bodies.HandleRequest, NAMES),
    st.builds(bodies.ValuesRequest, NAMES, VALUE_TUPLES),
    st.builds(bodies.IndexesRequest, NAMES, INDEX_TUPLES),
    st.builds(bodies.ChallengeAnswer, NAMES, NAMED_REFERENCES, DATA),
    st.builds(bodies.VerifyRequest, NAMED_REFERENCES, DATA, DATA, DATA),
    st.builds(bodies.SessionSetup, st.sampled_from([1, 4]), WORDS, NAMED_REFERENCES, key=DATA),
    st.builds(
        bodies.SessionSetup, st.just(3), WORDS, NAMED_REFERENCES, key_reference=NAMED_REFERENCES
    ),
    st.builds(bodies.SessionSetup, st.sampled_from([0, 2, 9]), WORDS, NAMED_REFERENCES),
    st.builds(bodies.SessionKeyRequest, DATA),
    st.builds(bodies.LoginRequest, NAMED_REFERENCES),
    st.builds(bodies.ResolutionReply, NAMES, VALUE_TUPLES),
    st.builds(bodies.CreateReply, NAMES),
    st.builds(bodies.NamesReply, NAME_TUPLES),
    st.builds(bodies.VerifyReply, st.booleans()),
    st.builds(bodies.SessionSetupReply, st.integers(0, 65_535), DATA),
    st.builds(bodies.ErrorReply, NAMES, INDEX_TUPLES),
    st.builds(bodies.Referral, NAMES, st.none() | VALUE_TUPLES),
)


def read_or_refused(read: Callable[[], T]) -> T | None:
    """Return what was read, None if it was refused with the one error of this package."""
    try:
        return read()
    except InvalidInput as error:
        code = error.code
    assert code == "handle_message"
    return None


@given(BODIES)
def test_every_body_reads_back(body: bodies.HandleRequest) -> None:
    assert type(body).decode(body.encode()) == body


@given(BODIES, st.binary(min_size=1, max_size=9))
def test_bytes_behind_a_body_are_accepted_or_refused(
    body: bodies.HandleRequest, junk: bytes
) -> None:
    try:
        read = type(body).decode(body.encode() + junk)
    except InvalidInput:
        assert isinstance(body, (bodies.ErrorReply, bodies.Referral))
        return
    assert read == body or isinstance(read, (bodies.ErrorReply, bodies.Referral))


@given(BODIES)
def test_body_cut_anywhere_is_refused_or_reads_as_a_shorter_one(
    body: bodies.HandleRequest,
) -> None:
    whole = body.encode()
    for end in range(len(whole)):
        read = read_or_refused(partial(type(body).decode, whole[:end]))
        assert read is None or len(read.encode()) <= len(whole)


@given(st.binary(max_size=80))
@example(b"")
@example(b"\xff" * 80)
@example(b"\0\0\0\1/" + b"\x7f\xff\xff\xff" * 4)
def test_garbage_is_read_or_refused_by_every_body(data: bytes) -> None:
    for shape in (
        bodies.ResolutionRequest,
        bodies.HandleRequest,
        bodies.ValuesRequest,
        bodies.IndexesRequest,
        bodies.ChallengeAnswer,
        bodies.VerifyRequest,
        bodies.SessionSetup,
        bodies.SessionKeyRequest,
        bodies.LoginRequest,
        bodies.ResolutionReply,
        bodies.CreateReply,
        bodies.NamesReply,
        bodies.VerifyReply,
        bodies.SessionSetupReply,
        bodies.ErrorReply,
        bodies.Referral,
        Site,
        Admin,
        Credential,
    ):
        read_or_refused(partial(shape.decode, data))


HUGE = [0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x4000_0001, 60_000]


@pytest.mark.parametrize("count", HUGE)
def test_count_beyond_the_bytes_left_is_refused_before_anything_is_made(count: int) -> None:
    lie = struct.pack(">I", count)
    handle = b"\0\0\0\x01/"
    for read in (
        lambda: bodies.ResolutionRequest.decode(handle + lie + b"\0\0\0\1"),
        lambda: bodies.ResolutionRequest.decode(handle + bytes(4) + lie + b"\0\0\0\1"),
        lambda: bodies.ResolutionRequest.decode(lie + b"86.1000/ABC" + bytes(8)),
        lambda: bodies.ValuesRequest.decode(handle + lie + bytes(40)),
        lambda: bodies.IndexesRequest.decode(handle + lie + bytes(40)),
        lambda: bodies.NamesReply.decode(lie + bytes(40)),
        lambda: values.decode_values(lie + bytes(60)),
        lambda: decode_value_list(lie + bytes(60)),
    ):
        with pytest.raises(InvalidInput):
            read()


def test_list_of_60000_indexes_is_read() -> None:
    request = bodies.ResolutionRequest("86.1000/ABC", tuple(range(60_000)))
    assert bodies.ResolutionRequest.decode(request.encode()) == request


def test_handle_that_is_not_utf8_keeps_its_bytes() -> None:
    request = bodies.ResolutionRequest.decode(b"\0\0\0\2\xff\xfe" + bytes(8))
    assert not is_text(request.handle)
    assert encode_name(request.handle) == b"\xff\xfe"
    assert is_text("86.1000/稀土")


def test_type_that_is_not_utf8_is_refused() -> None:
    value = values.encode_values((HandleValue(1, "??", b""),)).replace(b"??", b"\xff\xfe")
    with pytest.raises(InvalidInput):
        values.decode_values(value)


def test_cursor_stays_within_its_part() -> None:
    cursor = Cursor(b"\0\0\0\x01ab", 0, 5)
    assert (cursor.data(), cursor.left) == (b"a", 0)
    for read in (
        cursor.u8,
        cursor.u16,
        cursor.u32,
        cursor.i32,
        cursor.data,
        lambda: cursor.take(-1),
    ):
        with pytest.raises(InvalidInput):
            read()
    assert cursor.rest() == b""


@given(VALUE_TUPLES, INDEX_TUPLES, st.lists(TEXTS, max_size=2))
def test_choosing_in_bytes_equals_choosing_values(
    all_values: tuple[HandleValue, ...], indexes: tuple[int, ...], types: list[str]
) -> None:
    asked = values.fold_types(types)
    chosen = [
        v for v in all_values if values.is_asked(v.index, v.type, indexes=indexes, types=asked)
    ]
    encoded = values.select_encoded(values.encode_values(all_values), indexes=indexes, types=asked)
    assert encoded == (values.encode_values(chosen) if chosen else None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("url", [1]), ("URL.", [1, 2]), ("Url.X", [2]), ("HS_", []), ("", []), (".", [])],
)
def test_types_are_asked_for_without_case_and_by_family(asked: str, found: list[int]) -> None:
    kinds = {1: "URL", 2: "Url.x", 3: "URLS", 4: "HS_ADMIN"}
    types = values.fold_types((asked,))
    assert [n for n, k in kinds.items() if values.is_asked(n, k, indexes=(), types=types)] == found


def test_letters_beyond_ascii_keep_their_case() -> None:
    assert not values.is_asked(1, "é", indexes=(), types=values.fold_types(("É",)))


def test_digest_of_a_value_leaves_out_index_and_timestamp() -> None:
    value = HandleValue(1, "URL", b"x", timestamp=5)
    moved = HandleValue(2, "URL", b"x", timestamp=6)
    assert values.value_digest(value) == values.value_digest(moved)
    assert values.value_digest(value) != values.value_digest(HandleValue(1, "URL", b"y"))


@given(st.integers(0, 65_535), REFERENCES)
def test_administrator_reads_back(permissions: int, administrator: HandleReference) -> None:
    admin = Admin(permissions, administrator)
    assert Admin.decode(admin.encode()) == admin


@given(st.lists(REFERENCES, max_size=4).map(tuple))
def test_value_list_reads_back(references: tuple[HandleReference, ...]) -> None:
    assert decode_value_list(encode_value_list(references)) == references


def test_alias_must_be_a_handle() -> None:
    assert decode_handle("86.1000/稀".encode()) == "86.1000/稀"
    for data in (b"\xff/", b"nothing"):
        with pytest.raises(InvalidInput):
            decode_handle(data)


INTERFACES = st.builds(Interface, st.integers(0, 3), st.integers(0, 3), WORDS)
SERVERS = st.builds(
    Server,
    WORDS,
    st.ip_addresses().map(str),
    DATA,
    st.lists(INTERFACES, max_size=3).map(tuple),
)


@given(
    st.builds(
        Site,
        st.integers(0, 65_535),
        st.lists(SERVERS, max_size=3).map(tuple),
        flags=st.integers(0, 255),
        attributes=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
        hash_option=st.integers(0, 255),
        hash_filter=TEXTS,
    )
)
def test_site_reads_back(site: Site) -> None:
    read = Site.decode(site.encode())
    assert read.encode() == site.encode()
    assert read.servers == site.servers or any(s.address.startswith("::") for s in site.servers)


@pytest.mark.parametrize(("option", "place"), [(0, 1), (1, 0), (2, 2), (7, 2)])
def test_site_places_a_handle_by_what_its_option_hashes(option: int, place: int) -> None:
    # 86.1000 → 2016476248, ABC → 891676978, 86.1000/ABC → 1108584302 (Handle.Net 9.3.1).
    counts = {0: 3, 1: 2, 2: 5, 7: 5}
    servers = tuple(Server(n, "192.0.2.1", b"", ()) for n in range(counts[option]))
    assert Site(1, servers, hash_option=option).server_of("86.1000/abc").server_id == place


def test_site_without_servers_holds_no_handle() -> None:
    with pytest.raises(InvalidInput):
        Site(1, ()).server_of("86.1000/ABC")


@given(st.sampled_from([(1, 16), (2, 20), (3, 32)]), st.binary(max_size=40), st.data())
def test_challenge_reads_back(
    algorithm: tuple[int, int], nonce: bytes, data: st.DataObject
) -> None:
    number, size = algorithm
    digest = digests.Digest(number, data.draw(st.binary(min_size=size, max_size=size)))
    challenge = digests.Challenge(digest, nonce)
    assert digests.Challenge.decode(challenge.encode(OWN), OWN) == challenge
    assert digests.split(digest.encode() + nonce) == (digest, nonce)


@pytest.mark.parametrize("body", [b"", b"\x04" + bytes(40), b"\x03" + bytes(31)])
def test_unknown_or_short_digest_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        digests.Challenge.decode(body, OWN)


def test_old_challenge_with_a_digest_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidInput):
        digests.Challenge.decode(b"\0\0\0\1n\0\0\0\1d", Version(2, 0))
