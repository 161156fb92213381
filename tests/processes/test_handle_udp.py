"""The UDP listener on a real socket: what is answered, in how many packets, and what never is."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from resolver.handle.hot_answers import LONGEST_DATAGRAM_REPLY_BYTES
from tests.handle_listeners import SERIAL, Listeners, running
from tests.handle_sockets import (
    WAIT_S,
    body_of,
    envelope_of,
    header_of,
    packets_of,
    request,
    resolution,
    text,
)

NOT_PLAIN = 0x4000_0000  # CT: for the server


@pytest.fixture
async def node() -> AsyncIterator[Listeners]:
    async with running() as listeners:
        listeners.store.register("1/A")
        yield listeners


class Client:
    """A datagram socket beside the listeners, in the same event loop."""

    def __init__(self, node: Listeners, *, source: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((source, 0))
        self.socket.connect(node.address)

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.socket.send(datagram)

    async def receive(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await asyncio.get_running_loop().sock_recv(self.socket, 65_536)

    def count_waiting_bytes(self) -> int:
        """Take what has come and count its bytes."""
        size = 0
        with suppress(BlockingIOError):
            while True:
                size += len(self.socket.recv(65_536))
        return size

    async def ask(self, message: bytes) -> bytes:
        self.send(*packets_of(message))
        return await self.receive()


@pytest.fixture
async def client(node: Listeners) -> AsyncIterator[Client]:
    client = Client(node)
    yield client
    client.socket.close()


async def test_miss_hit_and_absence_are_answered_without_the_server(
    node: Listeners, client: Client
) -> None:
    first = await client.ask(resolution("1/A", request_id=1))
    again = await client.ask(resolution("1/A", request_id=0xFFFF_FFFE))
    absent = await client.ask(resolution("1/B"))
    assert envelope_of(first).request == 1
    assert envelope_of(again).request == 0xFFFF_FFFE
    assert first[12:] == again[12:]
    assert body_of(first).startswith(text("1/A") + struct.pack(">I", 2))
    header = header_of(first)
    assert (header.code, header.flags, header.serial) == (1, 0x9100_0000, SERIAL)
    assert (header_of(absent).code, body_of(absent)) == (100, bytes(4))
    assert node.server.asked == []
    counts = node.lookup.counts
    assert (counts.store, counts.memory, counts.absent) == (1, 1, 1)


async def test_each_answer_is_noted_and_nothing_else(node: Listeners, client: Client) -> None:
    for message, noted in (
        (resolution("1/A"), "handle_udp found 1/A"),
        (resolution("1/A"), "handle_udp found 1/A"),
        (resolution("1/A", indexes=[5]), "handle_udp absent 1/A"),
        (resolution("1/A", indexes=[5]), "handle_udp absent 1/A"),
        (resolution("1/B"), "handle_udp absent 1/B"),
        (resolution("1/A", flags=NOT_PLAIN), "handle_udp denied asked handle:1:X"),
    ):
        await client.ask(message)
        assert node.noted.told() == [noted]
    node.store.change("1/A", status="suspended")
    await node.lookup.follower.poll()
    await client.ask(resolution("1/A"))
    (event,) = node.noted.take()
    assert (event.outcome.label, event.client.address) == ("status", bytes((127, 0, 0, 1)))
    # A datagram that is no message, and an answer that is too long to be sent.
    client.send(b"junk")
    question = request(2, text("/"))
    node.server.replies[question] = [answered(request(1, bytes(LONGEST_DATAGRAM_REPLY_BYTES)))]
    client.send(question)
    await node.server.has_been_asked(2)
    await client.ask(resolution("1/A"))
    assert node.noted.told() == ["handle_udp status 1/A"]


async def test_handle_is_repeated_as_it_was_asked_for(client: Client) -> None:
    assert body_of(await client.ask(resolution("1/a"))).startswith(text("1/a"))


async def test_selection_is_answered_and_an_empty_one_is_code_200(client: Client) -> None:
    for _ in range(2):
        one = await client.ask(resolution("1/A", types=["url"]))
        none = await client.ask(resolution("1/A", indexes=[5]))
        assert body_of(one).startswith(text("1/A") + struct.pack(">II", 1, 2000))
        assert (header_of(none).code, body_of(none)) == (200, bytes(4))


async def test_change_is_seen_by_the_next_request(node: Listeners, client: Client) -> None:
    for _ in range(2):
        assert b"https://example.org/x" in await client.ask(resolution("1/A"))
    node.store.change("1/A", status="suspended")
    await node.lookup.follower.poll()
    reply = await client.ask(resolution("1/A"))
    assert b"https://example.org/x" not in reply
    assert b"suspended" in reply


async def test_kept_reply_is_made_anew_before_its_expiration_time(
    node: Listeners, client: Client
) -> None:
    await client.ask(resolution("1/A"))
    node.clock.now += 3_500
    old = header_of(await client.ask(resolution("1/A"))).expiration
    node.clock.now += 200
    new = header_of(await client.ask(resolution("1/A"))).expiration
    assert (old, new) == (node.clock.now - 3_700 + 43_200, node.clock.now + 43_200)


async def test_what_is_not_plain_goes_to_the_server(node: Listeners, client: Client) -> None:
    asked = [
        resolution("1/A", flags=NOT_PLAIN),
        resolution("99.9/x"),
        resolution("not a handle"),
        resolution(b"1/\xff\xfe"),
        resolution("1/A", indexes=range(1, 100)),
        request(2, text("/")),
        request(1, text("1/A"), session=7),
        request(1, text("1/A") + bytes(8), credential=b"x"),
    ]
    for message in asked:
        assert await client.ask(message) == message
    assert [message for message, _ in node.server.asked] == asked
    connection = node.server.asked[0][1]
    assert (connection.peer, connection.transport) == ("127.0.0.1", "udp")
    assert not connection.allows_administration


async def test_long_reply_is_cut_into_packets_and_a_longer_one_is_left_to_tcp(
    node: Listeners, client: Client
) -> None:
    whole = request(1, bytes(1263 - 28))
    question = request(2, text("/"))
    node.server.replies[question] = [answered(whole)]
    client.send(question)
    packets = [await client.receive() for _ in range(3)]
    assert [len(packet) for packet in packets] == [512, 512, 299]
    assert [envelope_of(packet).sequence for packet in packets] == [0, 1, 2]
    assert {envelope_of(packet).length for packet in packets} == {1263}
    assert all(envelope_of(packet).flags & 0x20 for packet in packets)
    node.server.replies[question] = [answered(request(1, bytes(LONGEST_DATAGRAM_REPLY_BYTES)))]
    client.send(question)
    assert body_of(await client.ask(request(3, b"next"))) == b"next"
    assert node.counts.udp_withheld == 1


def answered(message: bytes) -> bytes:
    """Write response code 1 into a message."""
    return message[:24] + (1).to_bytes(4) + message[28:]


def failed(message: bytes) -> bytes:
    """Write response code 2 into a message."""
    return message[:24] + (2).to_bytes(4) + message[28:]


async def test_error_is_sent_up_to_one_and_a_half_times_its_question(
    node: Listeners, client: Client
) -> None:
    question = request(2, bytes(52))  # 100 bytes
    assert len(question) == 100
    node.server.replies[question] = [failed(request(2, bytes(102)))]
    assert len(await client.ask(question)) == 150
    node.server.replies = {question: [failed(request(2, bytes(103)))]}
    client.send(question)
    assert await client.ask(request(3, b"next")) == request(3, b"next")
    assert node.counts.udp_withheld == 1


async def test_packets_in_any_order_and_repeated_make_one_request(
    node: Listeners, client: Client
) -> None:
    message = request(2, bytes(range(256)) * 5)
    first, second, third = packets_of(message)
    node.server.replies[message] = [answered(request(2, b"done"))]
    client.send(third, first, first, third, second)
    assert body_of(await client.receive()) == b"done"
    assert [asked for asked, _ in node.server.asked] == [message]
    assert len(node.noted.take()) == 1


async def test_what_is_no_packet_of_a_message_is_dropped(node: Listeners, client: Client) -> None:
    sound = resolution("1/A")
    packets = packets_of(request(2, bytes(1_300)))
    outside = packets[0][:12] + (1_000).to_bytes(4) + packets[0][16:]
    hostile = [
        *(b"", bytes(5), bytes(20), b"\xff" * 600),
        *(sound[:19], sound[:20], sound[:40], sound + b"junk"),
        *(sound[:16] + length + sound[20:] for length in (bytes(4), b"\xff" * 4)),
        outside,
    ]
    client.send(*hostile)
    assert header_of(await client.ask(sound)).code == 1
    assert node.counts.udp_malformed == len(hostile)
    assert node.server.asked == []


async def test_network_that_had_its_share_is_not_answered_and_others_are() -> None:
    async with running(rate=8_000, unlimited=("127.0.2.0/24",)) as node:
        node.store.register("1/A")
        flood, beside, trusted = (
            Client(node, source=source) for source in ("127.0.0.7", "127.0.1.7", "127.0.2.7")
        )
        flood.send(*[resolution("1/A")] * 200)
        trusted.send(*[resolution("1/A")] * 50)
        for _ in range(50):
            assert header_of(await trusted.receive()).code == 1
        assert header_of(await beside.ask(resolution("1/A"))).code == 1
        sent_bytes = flood.count_waiting_bytes()
        assert 0 < sent_bytes <= 2_000
        answers = sent_bytes // len(await beside.ask(resolution("1/A")))
        noted = [event.client.address for event in node.noted.take()]
        assert noted.count(bytes((127, 0, 0, 7))) == answers
        assert noted.count(bytes((127, 0, 2, 7))) == 50
        assert node.counts.udp_limited > 180
        for client in (flood, beside, trusted):
            client.socket.close()


async def test_server_failure_ends_nothing_but_the_request(node: Listeners, client: Client) -> None:
    node.server.is_broken = True
    client.send(request(2, b"fails"))
    assert header_of(await client.ask(resolution("1/A"))).code == 1
    node.server.is_broken = False
    assert await client.ask(request(2, b"works")) == request(2, b"works")
    assert node.counts.failed == 1


async def test_stop_lets_requests_under_way_end(node: Listeners, client: Client) -> None:
    node.server.gate.clear()
    client.send(request(2, b"slow"))
    await node.server.has_been_asked()
    stopping = asyncio.create_task(node.udp.stop(WAIT_S))
    await asyncio.sleep(0)
    node.server.gate.set()
    await stopping
    assert await client.receive() == request(2, b"slow")


async def test_socket_that_fails_is_reported(node: Listeners) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, node.udp._socket.fileno())
    os.close(nothing)
    node.udp._wake()
    with pytest.raises(OSError, match="non-socket"):
        await node.udp.failure()
