"""What the load suites read out of answers; the messages are put together by hand (RFC 3652)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.suites.shown_answer import (
    CannotAnswer,
    Shown,
    WrongAnswer,
    read_handle,
    read_json,
    read_page,
)

PAGE = (
    "<!doctype html><title>86.1/A {mark}</title>"
    '<dt>版本 <span lang="en">Revision</span></dt><dd>3</dd>'
    '<th scope="row">企业批号 <small lang="en">Lot number</small></th>'
    '<td class="data"><bdi>L&amp;1</bdi></td>'
)


def text(value: str) -> bytes:
    """Return a field of UTF-8 behind its length."""
    return struct.pack(">I", len(value.encode())) + value.encode()


def value(index: int, kind: str, data: str) -> bytes:
    """Return one Handle value with a reference, as RFC 3651 §3.1 lists its fields."""
    fixed = struct.pack(">iIBIB", index, 0, 0, 86_400, 0x0E)
    reference = struct.pack(">I", 1) + text("0.NA/86") + struct.pack(">I", 300)
    return fixed + text(kind) + text(data) + reference


def message(code: int, body: bytes) -> bytes:
    """Return envelope, header and body."""
    header = struct.pack(">IIIHBBII", 1, code, 0, 0, 0, 0, 0, len(body))
    return struct.pack(">BBBBIIII", 2, 11, 0, 0, 0, 7, 0, len(header + body)) + header + body


def test_json_of_a_look_up_is_read() -> None:
    body = (
        b'{"identifier":"86.1/A","status":"active","valid":true,"revision":2,'
        b'"attributes":[{"name":"lot_no","value":"L1"}]}'
    )
    assert read_json(body) == Shown("86.1/A", "active", 2, {"lot_no": "L1"})


def test_a_suspended_record_that_says_valid_is_wrong() -> None:
    body = b'{"identifier":"86.1/A","status":"suspended","valid":true,"revision":2,"attributes":[]}'
    with pytest.raises(WrongAnswer, match="valid is True"):
        read_json(body)


@pytest.mark.parametrize(
    ("mark", "status"), [("有效", "active"), ("已暂停,请勿使用", "suspended"), ("?", "?")]
)
def test_a_page_is_read(mark: str, status: str) -> None:
    shown = read_page(PAGE.replace("{mark}", mark).encode())
    assert shown == Shown("86.1/A", status, 3, {"lot_no": "L&1"})


def test_a_handle_answer_is_read() -> None:
    values = value(2001, "lot_no", "批 1") + value(1900, "XIBIAO_STATUS", "active")
    body = text("86.1/A") + struct.pack(">I", 2) + values
    assert read_handle(message(1, body)) == Shown("86.1/A", "active", 0, {"lot_no": "批 1"})
    assert read_handle(message(100, b"")) is None
    with pytest.raises(WrongAnswer, match="response code 2"):
        read_handle(message(2, b""))
    with pytest.raises(CannotAnswer):
        read_handle(message(3, b""))


@given(st.binary(max_size=200), st.sampled_from([1, 100, 5]))
def test_other_bytes_are_told_apart(body: bytes, code: int) -> None:
    for read, data in ((read_json, body), (read_page, body), (read_handle, message(code, body))):
        try:
            read(data)
        except WrongAnswer:
            continue
