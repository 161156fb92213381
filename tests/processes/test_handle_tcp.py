"""The TCP listener on real sockets: many kinds of clients, and those who mean no good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from resolver.handle.tcp_connection import TCPLimits
from tests.handle_listeners import Listeners, running
from tests.handle_sockets import WAIT_S, body_of, envelope_of, header_of, request, resolution

NOT_PLAIN = 0x4000_0000  # CT: for the server
IMPATIENT = TCPLimits(idle_s=0.3, message_s=0.3)
FEW = TCPLimits(source_connections=8)
TINY = TCPLimits(unfinished_bytes=20_000)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self) -> bytes:
        """Return the next message, b"" at the end of the connection."""
        async with asyncio.timeout(WAIT_S):
            try:
                head = await self.reader.readexactly(20)
                return head + await self.reader.readexactly(envelope_of(head).length)
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return b""

    async def ask(self, message: bytes) -> bytes:
        self.send(message)
        return await self.receive()


@pytest.fixture
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Listeners]:
    async with running(limits=getattr(request, "param", None)) as listeners:
        listeners.store.register("1/A")
        yield listeners


@pytest.fixture
async def opened() -> AsyncIterator[list[Client]]:
    clients: list[Client] = []
    yield clients
    for client in clients:
        client.writer.close()


async def connect(node: Listeners, opened: list[Client]) -> Client:
    client = Client(*await asyncio.open_connection(*node.address))
    opened.append(client)
    return client


async def test_one_connection_answers_request_after_request(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    for number in range(5):
        reply = await client.ask(resolution("1/A", request_id=number))
        assert (envelope_of(reply).request, header_of(reply).code) == (number, 1)
    assert (node.lookup.counts.store, node.lookup.counts.memory) == (1, 4)
    assert node.server.asked == []


async def test_each_answer_is_noted(node: Listeners, opened: list[Client]) -> None:
    client = await connect(node, opened)
    for message, noted in (
        (resolution("1/A"), "handle_tcp found 1/A"),
        (resolution("1/A"), "handle_tcp found 1/A"),
        (resolution("1/B"), "handle_tcp absent 1/B"),
        (resolution("1/A", flags=NOT_PLAIN), "handle_tcp denied asked handle:1:X"),
    ):
        await client.ask(message)
        assert node.noted.told() == [noted]
    client.send(resolution("1/A") + resolution("1/A")[:30])
    await client.receive()
    client.send(resolution("1/A")[30:])
    await client.receive()
    noted_clients = [event.client.address for event in node.noted.take()]
    assert noted_clients == [bytes((127, 0, 0, 1))] * 2


async def test_pipelined_requests_of_all_kinds_are_answered_in_order(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    asked = [
        resolution(
            f"1/{'AB'[number % 2]}{number // 6 or ''}",
            request_id=number,
            flags=NOT_PLAIN if number % 3 == 0 else 0x1100_0000,
        )
        for number in range(300)
    ]
    client.send(b"".join(asked))
    for number in range(300):
        assert envelope_of(await client.receive()).request == number
    assert len(node.server.asked) == 100


async def test_request_may_come_byte_by_byte(node: Listeners, opened: list[Client]) -> None:
    client = await connect(node, opened)
    for byte in resolution("1/A") + resolution("1/A"):
        client.send(bytes((byte,)))
        await client.writer.drain()
        await asyncio.sleep(0)
    assert header_of(await client.receive()).code == 1
    assert header_of(await client.receive()).code == 1


async def test_client_that_half_closes_gets_all_answers_and_then_the_end(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    client.send(resolution("1/A") + request(2, b"server") + resolution("1/A"))
    client.writer.write_eof()
    assert header_of(await client.receive()).code == 1
    assert body_of(await client.receive()) == b"server"
    assert header_of(await client.receive()).code == 1
    assert await client.receive() == b""


@pytest.mark.parametrize("size", [1, 12, 20, 40, 62])
async def test_message_that_ends_early_is_shown_to_the_server(
    node: Listeners, opened: list[Client], size: int
) -> None:
    client = await connect(node, opened)
    client.send(resolution("1/A")[:size])
    client.writer.write_eof()
    await node.server.has_been_asked()
    assert node.server.asked[0][0] == resolution("1/A")[:size]
    assert await client.reader.read() == resolution("1/A")[:size]


@pytest.mark.parametrize("length", [0, 10, 23, 262_145, 0xFFFF_FFFF])
async def test_impossible_length_is_answered_at_once_and_ends_the_connection(
    node: Listeners, opened: list[Client], length: int
) -> None:
    client = await connect(node, opened)
    sound = resolution("1/A")
    wrong = sound[:16] + length.to_bytes(4) + sound[20:]
    node.server.replies[wrong] = [request(0, b"error")]
    client.send(wrong)
    assert body_of(await client.receive()) == b"error"
    client.send(bytes(100_000))  # what comes now is taken, and thrown away
    assert await client.receive() == b""
    assert node.counts.tcp_malformed == 1
    assert node.tcp.unfinished_bytes == 0


async def test_largest_message_is_taken(node: Listeners, opened: list[Client]) -> None:
    client = await connect(node, opened)
    message = request(2, bytes(262_144 - 28))
    assert envelope_of(message).length == 262_144
    assert await client.ask(message) == message


async def test_idis_requests_are_answered_side_by_side(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    await client.ask(request(2, b"first"))
    node.server.asked[0][1].dialect = "idis"
    node.server.gate.clear()
    client.send(request(2, b"slow") + resolution("1/A"))
    assert header_of(await client.receive()).code == 1
    node.server.gate.set()
    assert body_of(await client.receive()) == b"slow"


@pytest.mark.parametrize("node", [IMPATIENT], indirect=True)
async def test_silent_and_slow_clients_are_closed_and_lasting_ones_kept(
    node: Listeners, opened: list[Client]
) -> None:
    silent, slow, lying, lasting = [await connect(node, opened) for _ in range(4)]
    slow.send(resolution("1/A")[:30])
    lying.send(request(2, bytes(200_000))[:100_000])
    await lasting.ask(request(2, b"login"))
    node.server.asked[0][1].dialect = "idis"
    for client in (silent, slow, lying):
        assert await client.receive() == b""
    assert header_of(await lasting.ask(resolution("1/A"))).code == 1
    assert (len(node.tcp), node.counts.tcp_slow) == (1, 3)
    assert node.tcp.unfinished_bytes == 0


@pytest.mark.parametrize("node", [IMPATIENT], indirect=True)
async def test_client_is_not_closed_while_it_waits_for_us(
    node: Listeners, opened: list[Client]
) -> None:
    client, silent = await connect(node, opened), await connect(node, opened)
    node.server.gate.clear()
    client.send(request(2, b"slow"))
    assert await silent.receive() == b""
    node.server.gate.set()
    assert body_of(await client.receive()) == b"slow"


@pytest.mark.parametrize("node", [IMPATIENT], indirect=True)
async def test_client_that_does_not_read_stops_the_work_for_it_and_is_closed(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    question = request(2, b"list")
    made: list[int] = []

    def pages() -> Iterator[bytes]:
        for number in range(1_000):
            made.append(number)
            yield request(2, bytes(200_000))

    node.server.replies[question] = pages()
    client.send(question)
    while len(node.tcp):  # noqa: ASYNC110 - there is no event for a client
        await asyncio.sleep(0.01)
    assert node.counts.tcp_slow == 1
    assert 1 < len(made) < 100


@pytest.mark.parametrize("node", [FEW], indirect=True)
async def test_newcomer_takes_the_place_of_the_oldest_idle_connection(
    node: Listeners, opened: list[Client]
) -> None:
    busy = await connect(node, opened)
    node.server.gate.clear()
    busy.send(request(2, b"busy"))
    idle = [await connect(node, opened) for _ in range(7)]
    newcomer = await connect(node, opened)
    assert header_of(await newcomer.ask(resolution("1/A"))).code == 1
    assert await idle[0].receive() == b""
    node.server.gate.set()
    assert body_of(await busy.receive()) == b"busy"
    assert node.counts.tcp_crowded == 1


@pytest.mark.parametrize("node", [FEW], indirect=True)
async def test_newcomer_is_turned_away_when_all_others_are_busy(
    node: Listeners, opened: list[Client]
) -> None:
    node.server.gate.clear()
    busy = [await connect(node, opened) for _ in range(8)]
    for client in busy:
        client.send(request(2, b"busy"))
    await node.server.has_been_asked(times=8)
    assert await (await connect(node, opened)).ask(resolution("1/A")) == b""
    node.server.gate.set()
    for client in busy:
        assert body_of(await client.receive()) == b"busy"


@pytest.mark.parametrize("node", [TINY], indirect=True)
async def test_unfinished_messages_have_a_bound_over_all_connections(
    node: Listeners, opened: list[Client]
) -> None:
    large = [await connect(node, opened) for _ in range(3)]
    for client in large:
        client.send(request(2, bytes(50_000))[:9_000])
    small = await connect(node, opened)
    assert header_of(await small.ask(resolution("1/A"))).code == 1
    assert node.counts.tcp_crowded == 1
    assert node.tcp.unfinished_bytes == 18_000


async def test_server_failure_leaves_the_connection_usable(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    node.server.is_broken = True
    client.send(request(2, b"fails"))
    assert header_of(await client.ask(resolution("1/A"))).code == 1
    assert node.counts.failed == 1


async def test_client_that_vanishes_does_not_end_what_it_asked_for(
    node: Listeners, opened: list[Client]
) -> None:
    client = await connect(node, opened)
    node.server.gate.clear()
    client.send(request(2, b"asked"))
    await node.server.has_been_asked()
    client.writer.transport.abort()
    await client.writer.wait_closed()
    node.server.gate.set()
    assert header_of(await (await connect(node, opened)).ask(resolution("1/A"))).code == 1
    assert node.counts.failed == 0


async def test_stop_finishes_what_is_under_way_and_closes_the_rest(
    node: Listeners, opened: list[Client]
) -> None:
    idle, busy = await connect(node, opened), await connect(node, opened)
    node.server.gate.clear()
    busy.send(request(2, b"slow"))
    await node.server.has_been_asked()
    stopping = asyncio.create_task(node.tcp.stop(WAIT_S))
    assert await idle.receive() == b""
    node.server.gate.set()
    assert body_of(await busy.receive()) == b"slow"
    assert await busy.receive() == b""
    await stopping
    with pytest.raises(ConnectionRefusedError):
        await connect(node, opened)
