"""Conformance of message headers (ids HDR-…)."""

from __future__ import annotations

import hashlib
import struct
import time

import pytest

from tests.conformance.conftest import HandleNode
from tests.handle_prover import Reply
from tests.handle_register import ABC
from tests.handle_sockets import ENVELOPE_BYTES, envelope_of, header_of, request, resolution, text

BODY = text(ABC) + bytes(8)
CT, ENC, CA, PO, RD, DNRF = (
    0x4000_0000,
    0x2000_0000,
    0x0800_0000,
    0x0100_0000,
    0x0080_0000,
    0x0010_0000,
)


def changed(message: bytes, offset: int, data: bytes) -> bytes:
    """Overwrite bytes of the header."""
    at = ENVELOPE_BYTES + offset
    return message[:at] + data + message[at + len(data) :]


def test_hdr_01_primary_site_sets_authoritative(handle_node: HandleNode) -> None:
    assert Reply(handle_node.ask(resolution(ABC, flags=0x1100_0000))).flags == 0x9100_0000


@pytest.mark.parametrize("flag", [CT, ENC, CA, PO, DNRF])
def test_hdr_02_flags_are_copied(handle_node: HandleNode, flag: int) -> None:
    reply = Reply(handle_node.ask(resolution(ABC, flags=flag)))
    assert (reply.code, reply.flags) == (1, 0x9000_0000 | flag)


def test_hdr_03_recursion_count_is_echoed(handle_node: HandleNode) -> None:
    reply = handle_node.ask(changed(resolution(ABC), 14, b"\x09"))
    assert (header_of(reply).code, header_of(reply).recursion) == (1, 9)


@pytest.mark.parametrize("serial", [0, 1, 2, 0xFFFF])
def test_hdr_04_any_serial_is_answered_with_the_sites_own(
    handle_node: HandleNode, serial: int
) -> None:
    reply = handle_node.ask(changed(resolution(ABC), 12, struct.pack(">H", serial)))
    site = Reply(handle_node.ask(request(2, text("/")))).body
    assert header_of(reply).code == 1
    assert header_of(reply).serial == struct.unpack_from(">H", site, 4)[0]


def test_hdr_05_request_that_has_expired_is_answered(handle_node: HandleNode) -> None:
    for expiration in (0, 1, 0xFFFF_FFFF):
        message = changed(resolution(ABC), 16, struct.pack(">I", expiration))
        assert Reply(handle_node.ask(message)).code == 1


def test_hdr_06_every_reply_expires_within_a_day(handle_node: HandleNode) -> None:
    for message in (
        resolution(ABC),
        resolution("86.1000/NONE"),
        request(2, text("/")),
        request(100, text("86.1000/HDR") + bytes(4)),
        request(0, b""),
        request(999, b""),
    ):
        expiration = header_of(handle_node.ask(message)).expiration
        assert time.time() + 1 < expiration <= time.time() + 86_400


def test_hdr_07_response_code_in_a_request_is_a_protocol_error(handle_node: HandleNode) -> None:
    assert Reply(handle_node.ask(changed(resolution(ABC), 4, struct.pack(">I", 1)))).code == 4


def test_hdr_08_opcode_0_is_a_protocol_error(handle_node: HandleNode) -> None:
    reply = Reply(handle_node.ask(request(0, b"")))
    assert (reply.code, reply.text) == (4, "Unknown opCode in message: 0")
    assert envelope_of(reply.raw).request == 0x11223344


def test_hdr_09_unknown_opcode_is_not_supported(handle_node: HandleNode) -> None:
    assert Reply(handle_node.ask(request(999, b""))).code == 5


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0x7FFF_FFFF, 200])
def test_hdr_10_body_beyond_the_message_is_a_protocol_error(
    handle_node: HandleNode, length: int
) -> None:
    message = changed(resolution(ABC), 20, struct.pack(">I", length))
    assert Reply(handle_node.ask(message)).code == 4
    assert Reply(handle_node.ask(resolution(ABC))).code == 1


@pytest.mark.parametrize("length", [1, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_hdr_11_credential_beyond_the_message_is_a_protocol_error(
    handle_node: HandleNode, length: int
) -> None:
    assert Reply(handle_node.ask(resolution(ABC)[:-4] + struct.pack(">I", length))).code == 4


def test_hdr_12_message_may_end_with_its_body(handle_node: HandleNode) -> None:
    whole = resolution(ABC)
    length = struct.pack(">I", len(whole) - ENVELOPE_BYTES - 4)
    assert Reply(handle_node.ask(whole[:16] + length + whole[20:-4])).code == 1


def test_hdr_13_digest_of_the_request_is_sha_256(handle_node: HandleNode) -> None:
    message = resolution(ABC, flags=0x1100_0000 | RD)
    reply = Reply(handle_node.ask(message))
    digest = hashlib.sha256(message[ENVELOPE_BYTES:-4]).digest()
    assert reply.flags & RD
    assert reply.body[:33] == b"\x03" + digest
    assert reply.body[33:] == Reply(handle_node.ask(resolution(ABC))).body


def test_hdr_14_digest_of_an_older_version_is_sha_1(handle_node: HandleNode) -> None:
    message = resolution(ABC, flags=0x1100_0000 | RD)
    message = bytes((2, 5, 2, 5)) + message[4:]
    reply = Reply(handle_node.ask(message))
    digest = hashlib.sha1(message[ENVELOPE_BYTES:-4], usedforsecurity=False).digest()
    assert reply.flags & RD
    assert reply.body[:21] == b"\x02" + digest


def test_hdr_15_unknown_flag_is_ignored(handle_node: HandleNode) -> None:
    reply = Reply(handle_node.ask(resolution(ABC, flags=0x1100_0001)))
    assert (reply.code, reply.flags) == (1, 0x9100_0000)
