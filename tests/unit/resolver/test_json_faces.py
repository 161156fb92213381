"""The two JSON documents of a record: exact bytes for clients that compare, and hostile values.

API-nn are the lines of the conformance list for the Handle.Net JSON API (software 9.3.1).
"""

from __future__ import annotations

import base64
import dataclasses
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import InvalidInput
from resolver import scan_json
from resolver.handle import json_values
from resolver.handle.codes import ResponseCode
from resolver.handle.json_structures import (
    format_public_key,
    read_admin,
    read_site,
    read_value_list,
)
from tests.unit.resolver.fakes import TIMESTAMP, disclosed, stored

KEY = "86.1000/ABC"
_TEXT = struct.Struct(">I")


def text(value: str) -> bytes:
    return _TEXT.pack(len(value.encode())) + value.encode()


def body_of(*values: HandleValue) -> bytes:
    return json_values.render(dataclasses.replace(disclosed(stored(KEY)), values=values))


def url(index: int = 1, **changes: object) -> HandleValue:
    value = HandleValue(index, "URL", b"https://example.org/abc", timestamp=TIMESTAMP)
    return dataclasses.replace(value, **changes)  # type: ignore[arg-type]


ADMIN_DATA = struct.pack(">H", 0xFFF) + text("86.1000/ADMIN") + _TEXT.pack(300)


def test_api_01_and_api_26_success_has_the_exact_form_of_the_reference() -> None:
    admin = HandleValue(100, "HS_ADMIN", ADMIN_DATA, timestamp=TIMESTAMP)
    assert body_of(url(), admin) == (
        b'{"responseCode":1,"handle":"86.1000/ABC","values":['
        b'{"index":1,"type":"URL","data":{"format":"string","value":"https://example.org/abc"},'
        b'"ttl":86400,"timestamp":"2020-01-01T00:00:00Z"},'
        b'{"index":100,"type":"HS_ADMIN","data":{"format":"admin","value":'
        b'{"handle":"86.1000/ADMIN","index":300,"permissions":"111111111111"}},'
        b'"ttl":86400,"timestamp":"2020-01-01T00:00:00Z"}]}'
    )


def test_permissions_and_references_appear_when_they_are_not_the_default() -> None:
    value = url(permissions=0x0A, references=(HandleReference("86.1000/REF", 2),))
    assert (
        b'"permissions":"1010","ttl":86400,"timestamp":"2020-01-01T00:00:00Z",'
        b'"references":[{"handle":"86.1000/REF","index":2}]' in body_of(value)
    )


def test_api_02_not_found() -> None:
    body = json_values.failure(ResponseCode.HANDLE_NOT_FOUND, KEY)
    assert body == b'{"responseCode":100,"handle":"86.1000/ABC"}'


def test_api_03_nothing_selected_is_code_200_with_no_values() -> None:
    body = json_values.select(body_of(url()), types=(), indexes=(9,))
    assert body == b'{"responseCode":200,"handle":"86.1000/ABC","values":[]}'


def test_api_04_type_and_index_select_the_union() -> None:
    values = url(1), url(2, type="DESC"), url(3, type="EMAIL")
    body = json_values.select(body_of(*values), types=("URL",), indexes=(2,))
    assert body == body_of(*values[:2])


@pytest.mark.parametrize(
    ("asked", "found"),
    [("url", [1]), ("URL.", [1, 2]), ("URL.X", [2]), ("URLS", [3]), ("UR", []), (".", [])],
)
def test_types_compare_without_case_and_by_family(asked: str, found: list[int]) -> None:
    values = url(1), url(2, type="Url.x"), url(3, type="URLS")
    body = json_values.select(body_of(*values), types=(asked,), indexes=())
    assert [v["index"] for v in msgspec.json.decode(body)["values"]] == found


def test_api_05_failure_puts_the_message_before_the_handle() -> None:
    body = json_values.failure(ResponseCode.SERVER_NOT_RESPONSIBLE, KEY, "not here")
    assert body == b'{"responseCode":301,"message":"not here","handle":"86.1000/ABC"}'


def test_api_07_callback_name_is_cleaned_and_script_breakers_are_escaped() -> None:
    script = json_values.wrap_in_callback(b'{"a":"</script>&\xe2\x80\xa8"}', "a.b")
    assert script == b'a_b({"a":"\\u003c/script\\u003e\\u0026\\u2028"});'


@pytest.mark.parametrize("data", [b"\x00\xff", b"\x00", b"a\x1f", b"\xed\xa0\x80"])
def test_api_25_binary_data_is_base64(data: bytes) -> None:
    value = msgspec.json.decode(body_of(url(data=data)))["values"][0]
    assert value["data"] == {"format": "base64", "value": base64.b64encode(data).decode()}


def test_tabs_and_line_ends_are_text() -> None:
    value = msgspec.json.decode(body_of(url(data=b"a\tb\r\nc")))["values"][0]
    assert value["data"] == {"format": "string", "value": "a\tb\r\nc"}


def test_admin_permissions_have_the_list_right_leftmost() -> None:
    data = struct.pack(">H", 0x0801) + text("86.1000/ADMIN") + _TEXT.pack(200)
    assert read_admin(data + b"\0\0").permissions == "100000000001"


def test_value_list_lists_its_references() -> None:
    data = _TEXT.pack(2) + text("86.1000/A") + _TEXT.pack(1) + text("86.1000/B") + _TEXT.pack(2)
    shown = [(r.handle, r.index) for r in read_value_list(data)]
    assert shown == [("86.1000/A", 1), ("86.1000/B", 2)]


RSA_KEY = text("RSA_PUB_KEY") + b"\0\0" + text("\x01\0\x01") + _TEXT.pack(2) + b"\0\x99" + bytes(4)


def site_data() -> bytes:
    server = (
        _TEXT.pack(1)
        + bytes(12)
        + bytes((127, 0, 0, 1))
        + _TEXT.pack(len(RSA_KEY))
        + RSA_KEY
        + _TEXT.pack(1)
        + struct.pack(">BBI", 2, 1, 2641)
    )
    head = struct.pack(">HBBHBB", 1, 2, 11, 5, 0x80, 2)
    return head + text("") + _TEXT.pack(1) + text("desc") + text("Baotou") + _TEXT.pack(1) + server


def test_site_is_shown_in_full() -> None:
    value = msgspec.json.decode(body_of(url(type="HS_SITE", data=site_data())))["values"][0]
    assert value["data"] == {
        "format": "site",
        "value": {
            "version": 1,
            "protocolVersion": "2.11",
            "serialNumber": 5,
            "primarySite": True,
            "multiPrimary": False,
            "attributes": [{"name": "desc", "value": "Baotou"}],
            "servers": [
                {
                    "serverId": 1,
                    "address": "127.0.0.1",
                    "publicKey": {
                        "format": "key",
                        "value": {"kty": "RSA", "n": "mQ", "e": "AQAB"},
                    },
                    "interfaces": [
                        {"query": True, "admin": False, "protocol": "TCP", "port": 2641}
                    ],
                }
            ],
        },
    }


def test_unknown_public_key_is_base64() -> None:
    assert format_public_key(b"?").format == "base64"


@given(st.binary(max_size=120))
def test_structures_refuse_garbage_with_one_error(data: bytes) -> None:
    for read in (read_admin, read_value_list, read_site):
        try:
            read(data)
        except InvalidInput:
            continue


@given(st.integers(0), st.integers(1, 255))
def test_damaged_site_is_refused_or_read(place: int, change: int) -> None:
    data = bytearray(site_data())
    data[place % len(data)] ^= change
    shown = msgspec.json.decode(body_of(url(type="HS_SITE", data=bytes(data))))["values"][0]
    assert shown["data"]["format"] in ("site", "base64")


@given(
    st.builds(
        HandleValue,
        index=st.integers(1, 2**31 - 1),
        type=st.sampled_from(["URL", "HS_ADMIN", "HS_VLIST", "HS_SITE", "HS_PUBKEY", "x"]),
        data=st.binary(max_size=60),
        ttl=st.integers(0, 2**32 - 1),
        permissions=st.integers(0, 15),
        timestamp=st.integers(0, 2**32 - 1),
    )
)
def test_every_value_renders_and_survives_selection(value: HandleValue) -> None:
    body = body_of(value)
    assert json_values.select(body, types=(), indexes=(value.index,)) == body
    assert msgspec.json.decode(json_values.indent(body)) == msgspec.json.decode(body)


def test_scan_of_an_active_record_has_names_in_both_languages() -> None:
    assert scan_json.render(disclosed(stored(KEY))).decode() == (
        '{"identifier":"86.1000/ABC","status":"active","valid":true,"object_class":"batch",'
        '"template":"ree-batch/1","revision":1,"registered_at":"2026-11-21T09:00:00.123Z",'
        '"updated_at":"2026-11-21T09:00:00.123Z","test":false,"attributes":[{"name":"net_kg",'
        '"zh":"净重","en":"Net","value":"51.09","unit":"kg"}],'
        '"links":{"proof":"/log/proof/86.1000/ABC","handle":"/api/handles/86.1000/ABC"}}'
    )


@pytest.mark.parametrize("status", ["reserved", "suspended", "revoked"])
def test_scan_of_any_other_record_is_not_valid(status: str) -> None:
    shown = msgspec.json.decode(scan_json.render(disclosed(stored(KEY, status=status))))
    assert (shown["valid"], shown["attributes"]) == (False, [])


def test_only_handles_link_to_the_handle_api_and_links_are_encoded() -> None:
    links = [
        msgspec.json.decode(scan_json.render(disclosed(stored(key))))["links"]
        for key in ("ecode:300121ABC", "86.1000/净 ?#")
    ]
    assert links == [
        {"proof": "/log/proof/ecode:300121ABC"},
        {
            "proof": "/log/proof/86.1000/%E5%87%80%20%3F%23",
            "handle": "/api/handles/86.1000/%E5%87%80%20%3F%23",
        },
    ]
