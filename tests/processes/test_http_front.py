"""The HTTP front in a real uvicorn server on loopback: order on the wire and slow clients."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from resolver.front import create_front
from resolver.http_deadlines import FrontLimits
from resolver.http_front import lookup_protocol
from resolver.lookup import create_lookup
from tests.unit.resolver.fakes import FakeStore, parse_handle, rendered

IMPATIENT = FrontLimits(
    header_timeout_s=0.4, body_timeout_s=0.4, write_timeout_s=0.4, idle_timeout_s=0.4
)
# Long enough for an ordinary client on a loaded machine.
SHORT_HEADER = FrontLimits(header_timeout_s=1.5)
WAIT_S = 15
GET = b"GET /88.888.1501/%s HTTP/1.1\r\nHost: x\r\n\r\n"


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Take the whole body, then answer with its length."""
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    body = b"app %d" % size
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@dataclass
class Running:
    port: int
    store: FakeStore

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """Run a server; its limits are the fixture's parameter, or the default."""
    store = FakeStore()
    for n in range(200):
        store.register(f"88.888.1501/{n}")
    lookup = create_lookup(store, render=rendered)
    await lookup.start()
    front = create_front(
        lookup,
        parse_handle=parse_handle,
        recognise=parse_handle,
        serves=lambda prefix: True,
        limits=getattr(request, "param", FrontLimits()),
    )
    config = uvicorn.Config(
        app, http=lookup_protocol(front), log_config=None, lifespan="off", ws="none"
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup([listening])
        yield Running(listening.getsockname()[1], store)
        server.should_exit = True
        await server.shutdown([listening])
    await lookup.stop()


async def read_reply(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return await reader.readexactly(int(length[1]) if length else 0)


async def test_pipelined_requests_of_all_kinds_come_back_in_order(node: Running) -> None:
    reader, writer = await node.connect()
    asked, expected = b"", []
    for n in range(200):
        kind = n % 4
        if kind == 0:
            asked += b"POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n + b"b" * n
            expected.append(b"app %d" % n)
        else:
            name = b"%d" % (n if kind == 1 else n // 50)  # New ones miss, repeated ones hit.
            asked += GET % name
            expected.append(b'{"identifier":"88.888.1501/%s",' % name)
    writer.write(asked)
    async with asyncio.timeout(WAIT_S):
        replies = [await read_reply(reader) for _ in expected]
    assert [reply[: len(start)] for reply, start in zip(replies, expected, strict=True)] == expected
    writer.close()
    await writer.wait_closed()


async def test_ordinary_client_gets_look_ups_and_application(node: Running) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.port}") as client:
        first = await client.get("/id/88.888.1501%2F7")
        assert first.json()["valid"] is True
        again = await client.get(
            "/id/88.888.1501%2F7", headers={"If-None-Match": first.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.head("/88.888.1501/7")).headers["content-length"] == str(
            len(first.content)
        )
        assert (await client.get("/api/handles/88.888.1501/NONE")).json() == {
            "responseCode": 100,
            "handle": "88.888.1501/NONE",
        }
        assert (await client.post("/app", content=b"abc")).text == "app 3"


async def closed_by_server(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(WAIT_S):
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            return True
    return True


@pytest.mark.parametrize("node", [IMPATIENT], indirect=True)
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /88.888.1501/1 HTTP/1.1\r\nHost: x\r\nX-A:",
        b"POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na",
        GET % b"1",
    ],
)
async def test_silent_client_is_closed(node: Running, sent: bytes) -> None:
    reader, writer = await node.connect()
    writer.write(sent)
    assert await closed_by_server(reader)
    writer.close()


@pytest.mark.parametrize("node", [SHORT_HEADER], indirect=True)
async def test_dripping_header_is_closed_while_others_are_served(node: Running) -> None:
    reader, writer = await node.connect()
    writer.write(b"GET /88.888.1501/1 HTTP/1.1\r\n")
    closed = asyncio.create_task(closed_by_server(reader))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.port}") as client:
        while not closed.done():
            writer.write(b"a: b\r\n")  # Each byte is progress, the header block never ends.
            assert (await client.get("/88.888.1501/1")).status_code == 200
    writer.close()


@pytest.mark.parametrize("node", [IMPATIENT], indirect=True)
async def test_client_that_does_not_read_is_closed(node: Running) -> None:
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(lazy, ("127.0.0.1", node.port))
        with pytest.raises(ConnectionError):  # noqa: PT012 - whichever write meets the reset
            async with asyncio.timeout(WAIT_S):
                while True:
                    await loop.sock_sendall(lazy, GET % b"1" * 50)
