"""The HTTP front on a transport without a network: order, conditions, limits, hostile bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.server import ServerState

from resolver.front import Front, create_front
from resolver.http_deadlines import FrontLimits
from resolver.http_front import LookupProtocol, lookup_protocol
from resolver.lookup import create_lookup
from tests.unit.resolver.fakes import FakeStore, FakeTransport, parse_handle, rendered

A = b"/88.888.1501/A"
GET_A = b"GET " + A + b" HTTP/1.1\r\nHost: x\r\n\r\n"
GET_APP = b"GET /app HTTP/1.1\r\nHost: x\r\n\r\n"
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]+\r\n((?:[!-9;-~]+: [^\r\n]*\r\n)*)\r\n")


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the body and say how long it was."""
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


class Client:
    """One connection to a front; what was written to it is split into replies."""

    def __init__(self, front: Front) -> None:
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.state = ServerState()
        self.protocol: LookupProtocol = lookup_protocol(front)(config, self.state, {})
        self.transport = FakeTransport()
        self.protocol.connection_made(self.transport)

    def is_closed(self) -> bool:
        return self.transport.is_closed

    def send(self, data: bytes) -> None:
        if not self.transport.is_closed:
            self.protocol.data_received(data)

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    def replies(self, *, heads: frozenset[int] = frozenset()) -> list[tuple[int, bytes]]:
        """Return (status, body) of every reply; fail on bytes that are no whole reply."""
        data = self.transport.written
        found: list[tuple[int, bytes]] = []
        while data:
            match = _HEAD.match(data)
            assert match is not None, data[:200]
            status, fields = int(match[1]), match[2].lower()
            length = re.search(rb"content-length: (\d+)", fields)
            has_body = status not in (204, 304) and len(found) not in heads
            size = int(length[1]) if length and has_body else 0
            body = data[match.end() : match.end() + size]
            assert len(body) == size
            found.append((status, body))
            data = data[match.end() + size :]
        return found

    def statuses(self) -> list[int]:
        return [status for status, _ in self.replies()]


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    for name in "ABC":
        store.register(f"88.888.1501/{name}")
    return store


Connect = Callable[..., Client]


@pytest.fixture
async def connect(store: FakeStore) -> AsyncIterator[Connect]:
    lookup = create_lookup(store, render=rendered)
    await lookup.follower.poll()
    fronts: dict[FrontLimits, Front] = {}

    def client(limits: FrontLimits | None = None) -> Client:
        limits = limits or FrontLimits()
        if limits not in fronts:
            fronts[limits] = front_of(lookup, limits)
        return Client(fronts[limits])

    yield client
    await lookup.stop()


def front_of(lookup: object, limits: FrontLimits) -> Front:
    return create_front(
        lookup,  # type: ignore[arg-type]
        parse_handle=parse_handle,
        recognise=parse_handle,
        serves=lambda prefix: prefix.startswith("88"),
        limits=limits,
        clock=lambda: 1_577_836_800.0,
    )


async def test_miss_then_hit_write_the_same_bytes(connect: Connect, store: FakeStore) -> None:
    client = connect()
    client.send(GET_A)
    await client.settle()
    first = client.transport.written
    client.transport.written = b""
    client.send(GET_A)
    assert client.transport.written == first
    assert b"Date: Wed, 01 Jan 2020 00:00:00 GMT\r\n" in first
    assert len(store.finds) == 1


async def test_pipelined_hits_misses_and_app_requests_are_answered_in_order(
    connect: Connect, store: FakeStore
) -> None:
    client = connect()
    client.send(GET_A)
    await client.settle()
    client.transport.written = b""
    store.gate.clear()
    miss = GET_A.replace(b"/A ", b"/B ")
    client.send(GET_A + miss + GET_A + GET_APP + GET_A + GET_APP + miss)
    await client.settle()
    assert client.statuses() == [200]
    store.gate.set()
    await client.settle()
    bodies = [body[:39] for _, body in client.replies()]
    scan_a, scan_b = (b'{"identifier":"88.888.1501/%c","status":' % name for name in b"AB")
    assert bodies == [scan_a, scan_b, scan_a, b"app 0", scan_a, b"app 0", scan_b]
    assert not client.transport.is_reading_paused


async def test_suspended_record_is_not_served_from_ready_bytes(
    connect: Connect, store: FakeStore
) -> None:
    client = connect()
    client.send(GET_A)
    await client.settle()
    store.change("88.888.1501/A", status="suspended")
    await client.protocol.front.lookup.follower.poll()
    client.send(GET_A)
    await client.settle()
    assert [b'"valid":true' in body for _, body in client.replies()] == [True, False]


async def test_record_suspended_while_its_request_waits_is_not_served_as_valid(
    connect: Connect, store: FakeStore
) -> None:
    client = connect()
    client.send(GET_A)
    await client.settle()
    store.gate.clear()
    client.send(GET_A.replace(b"/A ", b"/B ") + GET_A)
    store.change("88.888.1501/A", status="suspended")
    await client.protocol.front.lookup.follower.poll()
    store.gate.set()
    await client.settle()
    assert [b'"valid":true' in body for _, body in client.replies()] == [True, True, False]


async def test_head_conditions_options_and_origin(connect: Connect) -> None:
    client = connect()
    client.send(GET_A.replace(b"GET", b"HEAD"))
    await client.settle()
    assert client.replies(heads=frozenset({0})) == [(200, b"")]
    tag = re.search(rb'ETag: ("\w+")', client.transport.written)
    assert tag is not None
    client.transport.written = b""
    client.send(GET_A.replace(b"Host: x", b"If-None-Match: " + tag[1]))
    client.send(GET_A.replace(b"GET", b"OPTIONS").replace(b"Host: x", b"Origin: http://o"))
    client.send(GET_A.replace(b"Host: x", b"Origin: http://o"))
    assert client.statuses() == [304, 204, 200]
    assert client.transport.written.count(b"Access-Control-Allow-Origin: http://o\r\n") == 2


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize(
    "request_line",
    [
        GET_A.replace(b"Host: x", b"Connection: close"),
        GET_A.replace(b"1.1", b"1.0"),
        GET_A.replace(b"1.1", b"1.0").replace(b"Host: x", b"Connection: keep-alive"),
    ],
)
async def test_connection_that_should_end_is_closed_and_says_so(
    connect: Connect, request_line: bytes, is_warm: bool
) -> None:
    client = connect()
    if is_warm:
        client.send(GET_A)
        await client.settle()
        client.transport.written = b""
    client.send(request_line + GET_A)
    await client.settle()
    assert client.statuses() == [200]
    assert b"Connection: close" in client.transport.written
    assert client.is_closed()


async def test_authorized_handle_requests_and_other_methods_go_to_the_app(
    connect: Connect,
) -> None:
    client = connect()
    handle = b"GET /api/handles" + A + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    client.send(handle)
    await client.settle()
    client.send(handle.replace(b"Host: x", b"Authorization: Basic eA=="))
    await client.settle()
    client.send(handle.replace(b"GET", b"PUT").replace(b"Host: x", b"Content-Length: 3") + b"abc")
    await client.settle()
    bodies = [body for _, body in client.replies()]
    assert bodies[0].startswith(b'{"responseCode":1,')
    assert bodies[1:] == [b"app 0", b"app 3"]


async def test_body_of_a_get_is_passed_over(connect: Connect) -> None:
    client = connect()
    with_body = GET_A.replace(b"Host: x", b"Content-Length: 5") + b"hello"
    for _ in range(2):
        client.send(with_body + GET_A)
        await client.settle()
    assert client.statuses() == [200, 200, 200, 200]


async def test_byte_by_byte_request_is_answered(connect: Connect) -> None:
    client = connect()
    for byte in GET_A + GET_APP + GET_A:
        client.send(bytes([byte]))
    await client.settle()
    assert client.statuses() == [200, 200, 200]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * 100_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 100_000, 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"GET  HTTP/1.1\r\n\r\n", 400),
        (b"GET " + A + b" HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (
            b"GET " + A + b" HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ],
)
async def test_oversized_and_malformed_requests_get_json_and_are_closed(
    connect: Connect, data: bytes, status: int
) -> None:
    client = connect()
    client.protocol.on_message_begin()  # As if the first byte had come in a chunk before.
    for start in range(0, len(data), 20_000):
        client.send(data[start : start + 20_000])
    await client.settle()
    assert client.statuses() == [status]
    assert b"application/problem+json" in client.transport.written
    assert client.is_closed()


async def test_client_that_does_not_read_gets_no_more_until_it_does(connect: Connect) -> None:
    client = connect()
    client.send(GET_A)
    await client.settle()
    client.protocol.pause_writing()
    client.send(GET_A * 3 + GET_APP)
    await client.settle()
    assert (client.statuses(), client.transport.is_reading_paused) == ([200], True)
    client.protocol.resume_writing()
    await client.settle()
    assert (client.statuses(), client.transport.is_reading_paused) == ([200] * 5, False)


async def test_resumed_writing_does_not_overtake_a_look_up_under_way(
    connect: Connect, store: FakeStore
) -> None:
    client = connect()
    store.gate.clear()
    client.send(GET_A + GET_APP)
    await client.settle()
    client.protocol.pause_writing()
    client.protocol.resume_writing()
    await client.settle()
    assert client.statuses() == []
    store.gate.set()
    await client.settle()
    assert [body[:5] for _, body in client.replies()] == [b'{"ide', b"app 0"]


async def test_too_many_pipelined_requests_end_the_connection(
    connect: Connect, store: FakeStore
) -> None:
    client = connect(FrontLimits(pipelined=4))
    store.gate.clear()
    client.send(GET_A * 5)
    assert not client.is_closed()
    client.send(GET_A)
    assert client.is_closed()
    store.gate.set()
    await client.settle()


async def test_long_pipeline_of_hits_does_not_recurse(connect: Connect, store: FakeStore) -> None:
    client = connect(FrontLimits(pipelined=5000))
    store.gate.clear()
    client.send(GET_A * 3000)
    await client.settle()
    store.gate.set()
    await client.settle()
    assert client.statuses() == [200] * 3000


async def test_connection_beyond_the_limit_is_told_503(connect: Connect) -> None:
    limits = FrontLimits(connections=1)
    first, second = connect(limits), connect(limits)
    assert (second.statuses(), second.is_closed()) == ([503], True)
    second.protocol.connection_lost(None)
    first.send(GET_A)
    await first.settle()
    assert first.statuses() == [200]


async def test_lost_connection_drops_its_look_up(connect: Connect, store: FakeStore) -> None:
    client = connect()
    store.gate.clear()
    client.send(GET_A + GET_A)
    await client.settle()
    client.transport.close()
    client.protocol.connection_lost(None)
    store.gate.set()
    await client.settle()
    assert client.transport.written == b""


LIMITS = FrontLimits()


@pytest.mark.parametrize(
    ("sent", "limit_s"),
    [
        (b"", LIMITS.header_timeout_s),
        (b"GET /x HTTP/1.1\r\nHost:", LIMITS.header_timeout_s),
        (b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\na", LIMITS.body_timeout_s),
        (GET_A, LIMITS.idle_timeout_s),
    ],
)
async def test_slow_client_is_cut_once_its_limit_has_passed(
    connect: Connect, sent: bytes, limit_s: float
) -> None:
    client = connect()
    client.send(sent)
    await client.settle()
    now = client.protocol.front.deadlines.now
    client.protocol.cut_if_overdue(now + limit_s - 0.1)
    assert not client.is_closed()
    client.protocol.cut_if_overdue(now + limit_s + 0.1)
    assert client.is_closed()
    await client.settle()


async def test_slow_reader_is_cut_and_own_slowness_is_not(
    connect: Connect, store: FakeStore
) -> None:
    store.gate.clear()
    waiting, reader = connect(), connect()
    for client in (waiting, reader):
        client.send(GET_A)
        await client.settle()
    reader.protocol.pause_writing()
    for client in (waiting, reader):
        client.protocol.cut_if_overdue(client.protocol.front.deadlines.now + 3600)
    assert (waiting.is_closed(), reader.is_closed()) == (False, True)
    store.gate.set()
    await waiting.settle()


async def test_body_that_makes_progress_is_not_cut(connect: Connect) -> None:
    client = connect()
    client.send(b"POST /x HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
    now = client.protocol.front.deadlines.now
    for _ in range(10):
        now += LIMITS.body_timeout_s + 1
        client.send(b"a" * 20_000)
        await client.settle()
        client.protocol.cut_if_overdue(now)
    assert not client.is_closed()


PIECES = st.sampled_from(
    [
        GET_A,
        GET_APP,
        b"GET /id/%zz HTTP/1.1\r\n\r\n",
        b"HEAD",
        b"GET ",
        A,
        b"/id/%2e%2e",
        b"\r\n",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Connection: close\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"POST /x",
        b"OPTIONS ",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
        b"Expect: 100-continue\r\n",
        b"CONNECT x:1",
        b"Authorization: x\r\n",
        b"/api/handles/88.1/%00?index=x",
        b"If-None-Match: *\r\n",
        b"PRI * ",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | st.binary(max_size=20), max_size=14), st.integers(1, 400))
def test_any_bytes_end_in_whole_replies_or_a_closed_connection(
    pieces: list[bytes], chunk: int
) -> None:
    asyncio.run(throw(b"".join(pieces), chunk))


async def throw(data: bytes, chunk: int) -> None:
    store = FakeStore()
    store.register("88.888.1501/A")
    lookup = create_lookup(store, render=rendered)
    await lookup.follower.poll()
    client = Client(front_of(lookup, FrontLimits()))
    for start in range(0, len(data), chunk):
        client.send(data[start : start + chunk])
        await client.settle()
    heads = re.findall(rb"HTTP/1\.1 \d{3} ", client.transport.written)
    if b"HEAD" not in data:
        client.transport.written = client.transport.written.replace(
            b"HTTP/1.1 100 Continue\r\n\r\n", b""
        )
        assert len(client.replies()) <= len(heads)
    client.transport.close()
    client.protocol.connection_lost(None)
    await client.settle()
    await lookup.stop()
