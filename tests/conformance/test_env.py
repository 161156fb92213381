"""Conformance of envelopes (ids ENV-…)."""

from __future__ import annotations

import struct

import pytest

from tests.conformance.conftest import HandleNode
from tests.handle_prover import Reply
from tests.handle_register import ABC
from tests.handle_sockets import ENVELOPE_BYTES, envelope_of, header_of, resolution

GOOD = resolution(ABC)


def with_version(major: int, minor: int, suggested: int, suggested_minor: int) -> bytes:
    return bytes((major, minor, suggested, suggested_minor)) + GOOD[4:]


def with_length(length: int, rest: bytes = b"") -> bytes:
    return GOOD[:16] + struct.pack(">I", length) + rest


def test_env_01_request_id_is_echoed(handle_node: HandleNode) -> None:
    for request_id in (0x11223344, 0, 0xFFFFFFFF):
        for ask in (handle_node.udp, handle_node.tcp):
            with ask() as connection:
                reply = connection.ask(resolution(ABC, request_id=request_id))
            envelope = envelope_of(reply)
            assert (envelope.request, envelope.sequence) == (request_id, 0)


def test_env_02_request_of_2_11_is_answered_in_2_11(handle_node: HandleNode) -> None:
    assert handle_node.ask(GOOD)[:4] == bytes((2, 11, 2, 11))


def test_env_03_request_of_2_1_is_answered_in_2_1(handle_node: HandleNode) -> None:
    assert handle_node.ask(with_version(2, 1, 2, 1))[:4] == bytes((2, 1, 2, 11))


def test_env_04_request_of_3_0_is_answered_in_2_11(handle_node: HandleNode) -> None:
    assert handle_node.ask(with_version(3, 0, 3, 0))[:4] == bytes((2, 11, 2, 11))


def test_env_05_sender_that_suggests_nothing_suggests_its_own_version(
    handle_node: HandleNode,
) -> None:
    assert handle_node.ask(with_version(2, 1, 0, 0))[:2] == bytes((2, 1))
    assert handle_node.ask(with_version(2, 11, 0, 0))[:2] == bytes((2, 11))


def test_env_06_compression_flag_on_a_plain_body_is_ignored(handle_node: HandleNode) -> None:
    reply = handle_node.ask(with_version(2, 11, 0x82, 11))
    assert header_of(reply).code == 1
    assert reply[ENVELOPE_BYTES + 24 :] == handle_node.ask(GOOD)[ENVELOPE_BYTES + 24 :]


@pytest.mark.parametrize("length", [0, 10, 23])
def test_env_07_length_below_a_header_is_a_protocol_error(
    handle_node: HandleNode, length: int
) -> None:
    reply = Reply(handle_node.ask(with_length(length, bytes(length))))
    assert reply.code == 4
    assert envelope_of(reply.raw).request == 0x11223344


@pytest.mark.parametrize("length", [262_145, 0x8000_0000, 0xFFFF_FFFF])
def test_env_08_length_beyond_the_limit_is_refused_at_once_and_the_connection_closed(
    handle_node: HandleNode, length: int
) -> None:
    with handle_node.tcp() as connection:
        reply = Reply(connection.ask(with_length(length)))
        assert reply.code == 4
        assert connection.receive() == b""
    assert Reply(handle_node.ask(GOOD)).code == 1


def test_env_09_longest_message_is_answered(handle_node: HandleNode) -> None:
    body_size = 262_144 - 24 - 4
    whole = resolution(ABC)
    body = whole[ENVELOPE_BYTES + 24 : -4]
    body += bytes(body_size - len(body))
    header = whole[ENVELOPE_BYTES : ENVELOPE_BYTES + 20] + struct.pack(">I", len(body))
    reply = Reply(handle_node.ask(with_length(262_144, header + body + bytes(4))))
    assert (reply.code, reply.indexes) == (1, [1, 2, 100])


def test_env_10_tcp_message_that_ends_early_is_answered_and_others_still_are(
    handle_node: HandleNode,
) -> None:
    for size in (12, 20, 40):
        with handle_node.tcp() as connection:
            connection.send(GOOD[:size])
            connection.socket.shutdown(1)
            received = connection.receive()
            assert received == b"" or Reply(received).code == 4
    assert Reply(handle_node.ask(GOOD)).code == 1


def test_env_11_datagram_of_5_bytes_is_dropped(handle_node: HandleNode) -> None:
    with handle_node.udp() as socket:
        socket.send(GOOD[:5])
        assert Reply(socket.ask(GOOD)).code == 1
