"""Requests answered before the application: which they are, in which order, and to whom."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.server import ServerState

from resolver.front import Fields, Respond, create_front
from resolver.http_early import LARGEST_BODY, request_protocol
from resolver.http_front import LookupProtocol
from resolver.lookup import create_lookup
from tests.unit.resolver.fakes import FakeStore, FakeTransport, parse_handle, rendered

GET = b"GET /88.888.1501/A HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body: bytes, *fields: bytes, path: bytes = b"/early") -> bytes:
    """Return a POST request with a Content-Length."""
    lines = [b"POST %s HTTP/1.1" % path, b"Host: x", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the body and answer with 418."""
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 418, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class Clerk:
    """The handler: keeps what it is given until the test lets it answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[Fields, bytes]] = []
        self._open: list[Respond] = []

    def serve(self, fields: Fields, body: bytes, respond: Respond) -> None:
        """Take a request."""
        self.asked.append((fields, body))
        self._open.append(respond)

    def answer(self) -> None:
        """Answer the request that has waited longest."""
        self._open.pop(0)(201, b"Content-Length: 2\r\n\r\n", b"ok")


class Client:
    """One connection."""

    def __init__(self, protocol: LookupProtocol) -> None:
        self.protocol = protocol
        self.transport = FakeTransport()
        protocol.connection_made(self.transport)

    async def send(self, data: bytes) -> None:
        """Send bytes and let everything happen that can."""
        self.protocol.data_received(data)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    def statuses(self) -> list[int]:
        """Return the statuses written so far."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", self.transport.written)]


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


Connect = Callable[[], Client]


@pytest.fixture
async def connect(clerk: Clerk) -> AsyncIterator[Connect]:
    store = FakeStore()
    store.register("88.888.1501/A")
    lookup = create_lookup(store, render=rendered)
    await lookup.follower.poll()
    front = create_front(
        lookup,
        parse_handle=parse_handle,
        recognise=parse_handle,
        serves=lambda _: True,
        early={(b"POST", b"/early"): clerk.serve},
        clock=lambda: 1_577_836_800.0,
    )
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
    yield lambda: Client(request_protocol(front)(config, ServerState(), {}))
    await lookup.stop()


async def test_a_handler_is_given_the_whole_request_however_it_arrives(
    connect: Connect, clerk: Clerk
) -> None:
    client = connect()
    for byte in post(b'{"a":1}', b"X-Name: v"):
        await client.send(bytes([byte]))
    ((fields, body),) = clerk.asked
    assert body == b'{"a":1}'
    assert (b"x-name", b"v") in fields
    clerk.answer()
    assert client.transport.written == (
        b"HTTP/1.1 201 Created\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )


async def test_replies_leave_in_the_order_of_their_requests(connect: Connect, clerk: Clerk) -> None:
    client = connect()
    await client.send(GET + post(b"1") + GET + post(b"2") + post(b"3", path=b"/app") + GET)
    assert client.statuses() == [200]
    assert [body for _, body in clerk.asked] == [b"1"]
    clerk.answer()
    await client.settle()
    assert client.statuses() == [200, 201, 200]
    assert [body for _, body in clerk.asked] == [b"1", b"2"]
    clerk.answer()
    await client.settle()
    assert client.statuses() == [200, 201, 200, 201, 418, 200]


@pytest.mark.parametrize(
    "request_",
    [
        post(b"x" * (LARGEST_BODY + 1)),
        post(b"x", path=b"/early?wait=proof"),
        post(b"x").replace(b"POST", b"PUT"),
        post(b"x", b"Expect: 100-continue"),
        b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"POST /early HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["large", "query", "method", "expect", "chunked", "no length"],
)
async def test_every_other_request_goes_to_the_application(
    connect: Connect, clerk: Clerk, request_: bytes
) -> None:
    client = connect()
    await client.send(request_)
    assert client.statuses()[-1] == 418
    assert clerk.asked == []


async def test_a_body_of_the_largest_size_is_served(connect: Connect, clerk: Clerk) -> None:
    await connect().send(post(b"x" * LARGEST_BODY))
    assert [len(body) for _, body in clerk.asked] == [LARGEST_BODY]


async def test_a_client_that_wants_to_leave_is_answered_and_let_go(
    connect: Connect, clerk: Clerk
) -> None:
    client = connect()
    await client.send(post(b"x", b"Connection: close"))
    clerk.answer()
    assert b"Connection: close\r\n" in client.transport.written
    assert client.transport.is_closed


async def test_a_server_that_stops_answers_first(connect: Connect, clerk: Clerk) -> None:
    client = connect()
    await client.send(post(b"x"))
    client.protocol.shutdown()
    assert not client.transport.is_closed
    clerk.answer()
    assert client.statuses() == [201]
    assert client.transport.is_closed


async def test_nobody_is_answered_who_has_left(connect: Connect, clerk: Clerk) -> None:
    client = connect()
    await client.send(post(b"x"))
    client.transport.close()
    client.protocol.connection_lost(None)
    clerk.answer()
    assert client.statuses() == []


async def test_a_body_that_ends_early_is_never_served(connect: Connect, clerk: Clerk) -> None:
    client = connect()
    await client.send(post(b"xyz")[:-1])
    client.transport.close()
    client.protocol.connection_lost(None)
    assert clerk.asked == []
