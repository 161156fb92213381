"""Values as clients of the JSON API write them: every form, round trips, hostile input."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import InvalidInput
from resolver.handle.api_values import read_body, read_data
from resolver.handle.codes import MAX_VALUES, InterfaceKind, Transport
from resolver.handle.json_values import render_values
from resolver.handle.predefined import Admin, encode_value_list
from resolver.handle.site import Interface, Server, Site

ADMIN = HandleReference("86.1000/ADMIN", 300)
VALUE = {"index": 1, "type": "URL", "data": "https://example.org/"}
# RFC 7517 appendix A.1: the modulus and exponent of its RSA key.
MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKR"
    "XjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAt"
    "aSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPk"
    "sINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)


def read(body: object) -> tuple[HandleValue, ...]:
    return read_body(msgspec.json.encode(body)).values


def data_of(form: str, value: object) -> bytes:
    return read_data(msgspec.json.encode({"format": form, "value": value}))


@pytest.mark.parametrize("body", [[VALUE], {"values": [VALUE]}, VALUE, {"handle": None} | VALUE])
def test_array_object_and_single_value_say_the_same(body: object) -> None:
    assert read(body) == (HandleValue(1, "URL", b"https://example.org/"),)


def test_what_is_left_out_has_its_default() -> None:
    (value,) = read([VALUE])
    assert (value.ttl, value.is_ttl_absolute, value.permissions) == (86_400, False, 0x0E)
    assert (value.timestamp, value.references) == (0, ())


def test_handle_of_the_body_is_told() -> None:
    body = {"handle": "86.1000/ABC", "values": [VALUE]}
    assert read_body(msgspec.json.encode(body)).handle == "86.1000/ABC"
    assert read_body(b'{"values":null}').values == ()


def test_given_timestamp_is_not_read() -> None:
    (value,) = read([VALUE | {"timestamp": "2001-01-01T00:00:00Z", "unknown": [1]}])
    assert value.timestamp == 0


@pytest.mark.parametrize(
    ("text", "bits"),
    [("1110", 0x0E), ("0010", 0x02), ("01100", 0x0C), ("0000", 0), ("*", 0x0F)],
)
def test_permissions_are_honoured_exactly(text: str, bits: int) -> None:
    (value,) = read([VALUE | {"permissions": text}])
    assert value.permissions == bits


@pytest.mark.parametrize("ttl", ["2030-01-01T00:00:00Z", "2030-01-01T08:00:00+08:00"])
def test_ttl_as_text_is_absolute(ttl: str) -> None:
    (value,) = read([VALUE | {"ttl": ttl}])
    assert (value.ttl, value.is_ttl_absolute) == (1_893_456_000, True)


def test_numbers_may_be_numeric_texts() -> None:
    reference = {"handle": "86.1000/ADMIN", "index": "300"}
    (value,) = read([VALUE | {"index": "17", "references": [reference]}])
    assert (value.index, value.references) == (17, (ADMIN,))


@pytest.mark.parametrize(
    ("json", "data"),
    [
        (b'"plain"', b"plain"),
        (b"51.090", b"51.090"),
        (b"true", b"true"),
        (b'{"format":"String","value":"\xe7\xa8\x80"}', "稀".encode()),
        (b'{"format":"string","value":5}', b"5"),
        (b'{"format":"base64","value":"AP8="}', b"\0\xff"),
        (b'{"format":"base64","value":"-_8"}', b"\xfb\xff"),
        (b'{"format":"hex","value":"00fF"}', b"\0\xff"),
    ],
)
def test_text_and_bytes(json: bytes, data: bytes) -> None:
    assert read_data(json) == data


@pytest.mark.parametrize(
    ("permissions", "bits"),
    [
        ("111111111111", 0xFFF),
        ("011111110011", 0x7F3),
        ("1", 0x001),
        ("*", 0xFFF),
        (True, 0xFFF),
        (False, 0),
        (None, 0),
        (0x0800, 0x800),
        ([True, False, True], 0x005),
        ([0, 1], 0x002),
    ],
)
def test_administrator_permissions_in_every_form(permissions: object, bits: int) -> None:
    value = {"handle": ADMIN.handle, "index": "300", "permissions": permissions}
    assert data_of("admin", value) == Admin(bits, ADMIN).encode()


def test_value_list() -> None:
    entries = [{"handle": ADMIN.handle, "index": 300}, {"handle": "86.1000/OPS", "index": 301}]
    group = [ADMIN, HandleReference("86.1000/OPS", 301)]
    assert data_of("vlist", entries) == encode_value_list(group)


def test_site() -> None:
    interfaces = [
        {"query": True, "admin": True, "protocol": "TCP", "port": 2641},
        {"query": True, "admin": False, "protocol": "UDP", "port": 2641},
    ]
    server = {
        "serverId": 1,
        "address": "192.0.2.10",
        "publicKey": {"format": "base64", "value": ""},
        "interfaces": interfaces,
    }
    json = {
        "version": 1,
        "protocolVersion": "2.11",
        "serialNumber": 7,
        "primarySite": True,
        "attributes": [{"name": "desc", "value": "node A"}],
        "servers": [server],
    }
    wire = (
        Interface(InterfaceKind.BOTH, Transport.TCP, 2641),
        Interface(InterfaceKind.RESOLUTION, Transport.UDP, 2641),
    )
    site = Site(7, (Server(1, "192.0.2.10", b"", wire),), attributes=(("desc", "node A"),))
    assert data_of("site", json) == site.encode()


def test_key() -> None:
    data = data_of("key", {"kty": "RSA", "n": MODULUS, "e": "AQAB", "alg": "RS256"})
    assert data.startswith(b"\0\0\0\x0bRSA_PUB_KEY\0\0\0\0\0\x03\x01\0\x01\0\0\x01\x01\0\xd2\xfc")
    assert data.endswith(bytes(4))


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("nonsense", "x"),
        ("string", None),
        ("string", ["x"]),
        ("base64", "?"),
        ("hex", "abc"),
        ("admin", {"handle": "86.1000/ADMIN", "index": 1, "permissions": "yes"}),
        ("admin", {"handle": "86.1000/ADMIN"}),
        ("admin", "x"),
        ("vlist", {}),
        ("vlist", [{"handle": "x", "index": 2**40}]),
        ("site", {"servers": [], "protocolVersion": "2"}),
        ("site", {"servers": [], "serialNumber": 70_000}),
        ("key", {"kty": "EC"}),
        ("key", {"kty": "RSA", "n": "AQAB"}),
        ("key", {"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        ("key", {"kty": "RSA", "n": MODULUS, "e": MODULUS}),
        ("key", {"kty": "RSA", "n": MODULUS * 5, "e": "AQAB"}),
        ("key", {"kty": 5}),
    ],
)
def test_malformed_data_is_refused(form: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        data_of(form, value)
    assert refused.value.code in ("handle_json", "handle_message")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"5",
        b"[5]",
        b"{}",
        b'{"values":5}',
        b'{"type":"URL","data":"x"}',
        b'[{"index":1,"type":"URL"}]',
        b'[{"index":1,"type":"URL","data":null}]',
        b'[{"index":"one","type":"URL","data":"x"}]',
        b'[{"index":1e400,"type":"URL","data":"x"}]',
        b'[{"index":4294967296,"type":"URL","data":"x"}]',
        b'[{"index":1,"type":"URL","data":"x","ttl":-1}]',
        b'[{"index":1,"type":"URL","data":"x","ttl":"soon"}]',
        b'[{"index":1,"type":"URL","data":"x","ttl":"1900-01-01T00:00:00Z"}]',
        b'[{"index":1,"type":"URL","data":"x","permissions":"11"}]',
        b'[{"index":1,"type":"URL","data":"x","permissions":"rwrw"}]',
        b'[{"index":1,"type":"URL","data":"\\ud800"}]',
        b'[{"index":1,"type":"URL","data":"\xff"}]',
        b"[" * 100_000,
        b'{"values":[{"index":1,"type":"U","data":' + b"[" * 100_000,
        b'[{"index":1,"type":"U","data":{"format":"string","value":' + b"[" * 100_000,
        msgspec.json.encode([VALUE] * (MAX_VALUES + 1)),
    ],
)
def test_malformed_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_body(body)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
indexes = st.integers(0, 2**31 - 1)
references = st.builds(HandleReference, texts, indexes)
structures = st.one_of(
    st.tuples(st.sampled_from(["URL", "HS_ADMIN", "HS_SITE", "x"]), st.binary(max_size=40)),
    st.tuples(st.just("DESC"), texts.map(str.encode)),
    st.tuples(
        st.just("HS_ADMIN"), st.builds(Admin, st.integers(0, 0xFFF), references).map(Admin.encode)
    ),
    st.tuples(st.just("HS_VLIST"), st.lists(references, max_size=3).map(encode_value_list)),
)


@given(
    st.lists(
        st.tuples(
            indexes,
            structures,
            st.integers(0, 2**32 - 1),
            st.booleans(),
            st.integers(0, 0x0F),
            st.lists(references, max_size=2),
        ),
        max_size=4,
    )
)
def test_shown_values_read_back(given_values: list[Any]) -> None:
    values = tuple(
        HandleValue(index, kind, data, ttl, bits, 5, tuple(refs), is_ttl_absolute=is_absolute)
        for index, (kind, data), ttl, is_absolute, bits, refs in given_values
    )
    read_back = read_body(render_values("86.1000/ABC", values))
    assert read_back.handle == "86.1000/ABC"
    assert read_back.values == tuple(replace(value, timestamp=0) for value in values)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for hostile in (body, b"[" + body, b'[{"index":1,"type":"U","data":' + body + b"}]"):
        with contextlib.suppress(InvalidInput):
            read_body(hostile)


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["string", "base64", "hex", "admin", "vlist", "site", "key"]),
    st.one_of(
        json_trees,
        st.fixed_dictionaries(
            {},
            optional={
                name: json_trees
                for name in ("handle", "index", "permissions", "servers", "attributes", "kty", "n")
            },
        ),
    ),
)
def test_no_structure_raises_anything_else(form: str, value: object) -> None:
    with contextlib.suppress(InvalidInput):
        data_of(form, value)


def test_long_data_is_read() -> None:
    data = bytes(range(256)) * 512
    assert data_of("base64", base64.b64encode(data).decode()) == data
