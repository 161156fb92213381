"""Conformance over UDP: packets, their order, and what is never answered (ids UDP-…)."""

from __future__ import annotations

import pytest

from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle.codes import ResponseCode
from tests.conformance.conftest import HandleNode
from tests.handle_administrator import HandleAdministrator, SecretLogin
from tests.handle_register import ABC, ADMIN, SECRET, SECRET_INDEX
from tests.handle_sockets import (
    body_of,
    envelope_of,
    header_of,
    packets_of,
    resolution,
    text,
)

LONG = "86.1000/UDP-LONG"
# Header, name, count of values; index to reference count of the value; credential length.
AROUND_THE_DATA = 24 + (4 + len(LONG)) + 4 + (14 + 4 + len("DESC") + 4 + 4) + 4
MEMORY_KIB = 20_000


@pytest.fixture(scope="module")
def long_record(handle_node: HandleNode) -> str:
    """Create a record whose reply has 1263 bytes after the envelope."""
    login = SecretLogin(HandleReference(ADMIN, SECRET_INDEX), SECRET)
    administrator = HandleAdministrator(handle_node.tcp, login, seed=21)
    description = HandleValue(1, "DESC", b"x" * (1263 - AROUND_THE_DATA))
    assert administrator.create(LONG, [description]).code == ResponseCode.SUCCESS
    return LONG


def long_request(handle: str, *, request_id: int = 0x11223344) -> list[bytes]:
    """Build a resolution in three packets of 512, 512 and 247 bytes."""
    around_the_type = len(resolution(handle, types=[""])) - 20
    kind = "X" * (1211 - around_the_type)
    message = resolution(handle, types=[kind], request_id=request_id)
    packets = packets_of(message)
    assert [len(packet) for packet in packets] == [512, 512, 247]
    return packets


def test_udp_01_long_reply_comes_in_packets_that_tell_the_whole_length(
    handle_node: HandleNode, long_record: str
) -> None:
    for _ in range(2):  # made for the first, ready for the second
        with handle_node.udp() as client:
            client.send(resolution(long_record))
            packets = [client.receive() for _ in range(3)]
        assert [len(packet) for packet in packets] == [512, 512, 299]
        heads = [envelope_of(packet) for packet in packets]
        assert [head.sequence for head in heads] == [0, 1, 2]
        assert {(head.length, head.request, head.flags) for head in heads} == {
            (1263, 0x11223344, 0x22)
        }
        payload = b"".join(packet[20:] for packet in packets)
        assert payload[24:].startswith(text(long_record))


def test_udp_02_packets_in_another_order_are_answered(handle_node: HandleNode) -> None:
    first, second, third = long_request(ABC)
    with handle_node.udp() as client:
        client.send(third, first, second)
        assert header_of(client.receive_message()).code == ResponseCode.VALUES_NOT_FOUND


def test_udp_03_packet_that_comes_twice_does_no_harm(handle_node: HandleNode) -> None:
    first, second, third = long_request(ABC, request_id=3)
    with handle_node.udp() as client:
        client.send(first, first, second, second, third)
        assert envelope_of(client.receive_message()).request == 3
        client.send(resolution(ABC, request_id=4))
        assert envelope_of(client.receive_message()).request == 4


def test_udp_04_message_with_a_packet_missing_is_not_answered(handle_node: HandleNode) -> None:
    first, _, third = long_request(ABC, request_id=5)
    with handle_node.udp() as client:
        client.send(first, third, resolution(ABC, request_id=6))
        assert envelope_of(client.receive_message()).request == 6


@pytest.mark.parametrize("sequence", [3, 1_000, 0xFFFF_FFFF])
def test_udp_05_packet_with_an_impossible_number_is_dropped(
    handle_node: HandleNode, sequence: int
) -> None:
    packet = long_request(ABC)[2]
    outside = packet[:12] + sequence.to_bytes(4) + packet[16:]
    with handle_node.udp() as client:
        client.send(outside, resolution(ABC, request_id=7))
        assert envelope_of(client.receive_message()).request == 7


def test_udp_06_half_sent_messages_take_bounded_memory(handle_node: HandleNode) -> None:
    before = handle_node.resident_kib()
    with handle_node.udp(source="127.6.6.6") as flood, handle_node.udp() as client:
        for number in range(10_000):
            flood.send(long_request(ABC, request_id=number)[0])
            if number % 500 == 0:
                reply = client.ask(resolution(ABC, request_id=number))
                assert envelope_of(reply).request == number
    assert handle_node.resident_kib() - before < MEMORY_KIB


def test_udp_07_one_request_id_from_two_addresses_are_two_requests(
    handle_node: HandleNode,
) -> None:
    one, other = long_request(ABC), long_request(ADMIN)
    with handle_node.udp() as first, handle_node.udp(source="127.0.0.2") as second:
        for packet, different in zip(one, other, strict=True):
            first.send(packet)
            second.send(different)
        for client in (first, second):
            assert header_of(client.receive_message()).code == ResponseCode.VALUES_NOT_FOUND
        first.send(resolution(ABC))
        second.send(resolution(ADMIN))
        assert body_of(first.receive_message()).startswith(text(ABC))
        assert body_of(second.receive_message()).startswith(text(ADMIN))
