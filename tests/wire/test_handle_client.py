"""The Handle client against servers that lose, cut, forge, close and stall."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from node.domain.handle_value import HandleValue
from node.errors import IntegrityFailure, Unavailable
from resolver.handle import bodies, credentials, fragments, message
from resolver.handle.client import PUBLIC_FLAGS, HandleClient
from resolver.handle.client_replies import Absent, Found, Outcome, Referred, Refused
from resolver.handle.client_transports import ServerAddress
from resolver.handle.codes import EnvelopeFlag, OpFlag, ResponseCode, Transport
from resolver.handle.digests import Digest
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.message import Message
from resolver.handle.versions import OWN, reply_envelope

HANDLE = "86.1000/ABC"
URL = HandleValue(1, "URL", b"https://example.org/abc")
BOTH = (Transport.UDP, Transport.TCP)
FAST = (0.05, 0.05, 0.05)
SLOW = (10.0,)

Answer = Callable[[Message], Sequence[bytes]]


def reply_to(
    request: Message,
    body: bytes = b"",
    code: int = ResponseCode.SUCCESS,
    flags: int = OpFlag.AUTHORITATIVE,
) -> Message:
    return Message(
        reply_envelope(request.envelope),
        request.opcode,
        body,
        code,
        flags,
        expiration=int(time.time()) + 43_200,
    )


def found(request: Message, *values: HandleValue) -> Message:
    asked = bodies.ResolutionRequest.decode(request.body)
    return reply_to(request, bodies.ResolutionReply(asked.handle, values or (URL,)).encode())


def usual(request: Message) -> Sequence[bytes]:
    return [message.encode(found(request))]


def silence(request: Message) -> Sequence[bytes]:
    return []


@dataclass
class FakeServer:
    """Answers as told; keeps what it was asked."""

    over_udp: Answer = usual
    over_tcp: Answer = usual
    closes: bool = False
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self, transport: str, data: bytes) -> Sequence[bytes]:
        self.asked.append(transport)
        answer = self.over_udp if transport == "udp" else self.over_tcp
        return answer(message.decode(data))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(ENVELOPE_BYTES)
                rest = await reader.readexactly(int.from_bytes(head[16:]))
                for reply in self.answer("tcp", head + rest):
                    writer.write(reply)
                await writer.drain()
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class FakeDatagrams(asyncio.DatagramProtocol):
    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.parts = fragments.Reassembly()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        whole = self.parts.add(data, addr, now=0)
        if whole is not None:
            for packet in self.server.answer("udp", whole):
                self.transport.sendto(packet, addr)


@asynccontextmanager
async def running(server: FakeServer) -> AsyncIterator[FakeServer]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(
        lambda: FakeDatagrams(server), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        datagrams.close()
        listener.close()
        await listener.wait_closed()


def client_of(
    server: FakeServer,
    *transports: Transport,
    waits_s: Sequence[float] = SLOW,
    site_key: rsa.RSAPublicKey | None = None,
) -> HandleClient:
    return HandleClient(
        ServerAddress("127.0.0.1", server.port),
        transports=transports or BOTH,
        udp_waits_s=waits_s,
        tcp_timeout_s=10,
        site_key=site_key,
    )


async def ask(
    server: FakeServer,
    *transports: Transport,
    waits_s: Sequence[float] = SLOW,
    flags: int = PUBLIC_FLAGS,
    site_key: rsa.RSAPublicKey | None = None,
    handle: str = HANDLE,
) -> Outcome:
    async with (
        running(server),
        client_of(server, *transports, waits_s=waits_s, site_key=site_key) as client,
    ):
        return (await client.resolve(handle, flags=flags)).outcome


FOUND = Found(HANDLE, (URL,), is_authoritative=True)


@pytest.mark.parametrize("transport", BOTH)
async def test_values_are_found_over_either_transport(transport: Transport) -> None:
    server = FakeServer()
    assert await ask(server, transport) == FOUND
    assert server.asked == [transport.name.lower()]


async def test_long_answers_come_in_packets_and_long_questions_go_in_packets() -> None:
    values = tuple(replace_data(URL, n, bytes(300)) for n in range(1, 12))

    def answer(request: Message) -> Sequence[bytes]:
        return fragments.split(message.encode(found(request, *values)))[::-1]

    server = FakeServer(over_udp=answer)
    handle = "86.1000/" + "X" * 1_500
    assert await ask(server, handle=handle) == Found(handle, values, is_authoritative=True)
    assert server.asked == ["udp"]


def replace_data(value: HandleValue, index: int, data: bytes) -> HandleValue:
    return HandleValue(index, value.type, data)


async def test_question_is_repeated_when_datagrams_are_lost() -> None:
    tries: list[int] = []

    def third_time(request: Message) -> Sequence[bytes]:
        tries.append(request.envelope.request)
        return usual(request) if len(tries) == 3 else []

    assert (
        await ask(FakeServer(over_udp=third_time), Transport.UDP, waits_s=(0.05, 0.05, 10)) == FOUND
    )
    assert len(set(tries)) == 1


async def test_lost_udp_falls_back_to_tcp() -> None:
    server = FakeServer(over_udp=silence)
    assert await ask(server, waits_s=FAST) == FOUND
    assert server.asked == ["udp"] * 3 + ["tcp"]


async def test_truncated_udp_falls_back_to_tcp_without_asking_again() -> None:
    def first_packet_only(request: Message) -> Sequence[bytes]:
        whole = message.encode(found(request, replace_data(URL, 1, bytes(2_000))))
        return fragments.split(whole)[:1]

    server = FakeServer(over_udp=first_packet_only)
    assert await ask(server, waits_s=FAST) == FOUND
    assert server.asked == ["udp", "tcp"]


async def test_silence_everywhere_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await ask(FakeServer(over_udp=silence), Transport.UDP, waits_s=FAST)


@pytest.mark.parametrize("transport", BOTH)
async def test_port_that_nobody_listens_on_is_unavailable(transport: Transport) -> None:
    server = FakeServer()
    async with running(server):
        pass
    async with client_of(server, transport, waits_s=FAST) as client:
        with pytest.raises(Unavailable):
            await client.resolve(HANDLE)


async def test_several_questions_share_a_connection() -> None:
    server = FakeServer()
    async with running(server), client_of(server, Transport.TCP) as client:
        answers = [await client.resolve(HANDLE) for _ in range(3)]
        at_once = await asyncio.gather(*[client.resolve(HANDLE) for _ in range(8)])
    assert answers + at_once == [(FOUND, Transport.TCP)] * 11


async def test_server_that_closes_after_each_answer_is_asked_over_new_connections() -> None:
    server = FakeServer(closes=True)
    async with running(server), client_of(server, Transport.TCP) as client:
        answers = [await client.resolve(HANDLE) for _ in range(3)]
    assert answers == [(FOUND, Transport.TCP)] * 3


async def test_server_that_closes_in_the_middle_is_unavailable() -> None:
    def half(request: Message) -> Sequence[bytes]:
        return [usual(request)[0][:-5]]

    with pytest.raises(Unavailable):
        await ask(FakeServer(over_tcp=half, closes=True), Transport.TCP)


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\4\0\1"])
async def test_length_of_no_message_ends_the_connection(length: bytes) -> None:
    def lie(request: Message) -> Sequence[bytes]:
        whole = usual(request)[0]
        return [whole[:16] + length + whole[20:]]

    with pytest.raises(Unavailable):
        await ask(FakeServer(over_tcp=lie), Transport.TCP)


def changed(**changes: int) -> Answer:
    return lambda request: [message.encode(replace(found(request), **changes))]


def about_another(request: Message) -> Sequence[bytes]:
    return [message.encode(reply_to(request, bodies.ResolutionReply("86.1/Y", (URL,)).encode()))]


def unreadable(request: Message) -> Sequence[bytes]:
    return [message.encode(reply_to(request, b"\xff\xff\xff\xff"))]


def with_a_wrong_digest(request: Message) -> Sequence[bytes]:
    reply = found(request)
    body = Digest.of(b"another request", OWN).encode() + reply.body
    return [message.encode(replace(reply, body=body, flags=OpFlag.REQUEST_DIGEST))]


@pytest.mark.parametrize(
    "forged",
    [
        changed(expiration=1),
        changed(expiration=0),
        changed(opcode=100),
        changed(response_code=0),
        changed(flags=OpFlag.REQUEST_DIGEST),
        about_another,
        unreadable,
        with_a_wrong_digest,
    ],
)
async def test_reply_that_cannot_be_trusted_is_refused_and_asked_for_over_tcp(
    forged: Answer,
) -> None:
    with pytest.raises(IntegrityFailure):
        await ask(FakeServer(over_tcp=forged), Transport.TCP)
    server = FakeServer(over_udp=forged)
    assert await ask(server) == FOUND
    assert server.asked == ["udp", "tcp"]


async def test_replies_to_other_questions_and_garbage_are_passed_over() -> None:
    def among_others(request: Message) -> Sequence[bytes]:
        whole = message.encode(found(request))
        other = whole[:8] + bytes(4) + whole[12:]
        return [other, b"", b"garbage", whole[:30], other, whole]

    assert await ask(FakeServer(over_udp=among_others), Transport.UDP) == FOUND

    def after_another(request: Message) -> Sequence[bytes]:
        whole = message.encode(found(request))
        return [whole[:8] + bytes(4) + whole[12:], whole]

    assert await ask(FakeServer(over_tcp=after_another), Transport.TCP) == FOUND


def with_its_digest(request: Message) -> Sequence[bytes]:
    reply = found(request)
    body = Digest.of(message.signed_part(request), OWN).encode() + reply.body
    flags = OpFlag.AUTHORITATIVE | OpFlag.REQUEST_DIGEST
    return [message.encode(replace(reply, body=body, flags=flags))]


async def test_digest_that_was_asked_for_is_checked_and_must_not_be_missing() -> None:
    flags = PUBLIC_FLAGS | OpFlag.REQUEST_DIGEST
    assert await ask(FakeServer(over_tcp=with_its_digest), Transport.TCP, flags=flags) == FOUND
    with pytest.raises(IntegrityFailure):
        await ask(FakeServer(), Transport.TCP, flags=flags)


async def test_signature_that_was_asked_for_is_checked_and_must_not_be_missing() -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    def signed(request: Message) -> Sequence[bytes]:
        reply = found(request)
        signature = credentials.make_signature(key, reply.envelope, message.signed_part(reply))
        return [message.encode(replace(reply, credential=signature.encode()))]

    flags = PUBLIC_FLAGS | OpFlag.CERTIFIED
    server = FakeServer(over_tcp=signed)
    trusted = await ask(server, Transport.TCP, flags=flags, site_key=key.public_key())
    assert trusted == FOUND
    for forged in (FakeServer(), server):
        with pytest.raises(IntegrityFailure):
            await ask(forged, Transport.TCP, flags=flags, site_key=other.public_key())


@pytest.mark.parametrize(
    ("code", "body", "outcome"),
    [
        (100, bytes(4), Absent(100)),
        (200, b"", Absent(200)),
        (301, bodies.ErrorReply("not here").encode(), Refused(301, "not here")),
        (3, bodies.ErrorReply("busy", (1, 2)).encode(), Refused(3, "busy")),
        (2, b"\0\0\0\1\xff", Refused(2, "\ufffd")),
        (302, bodies.Referral("0.SERV/10").encode(), Referred(302, "0.SERV/10")),
        (303, bodies.Referral("", (URL,)).encode(), Referred(303, "", (URL,))),
    ],
)
async def test_everything_else_a_server_says_is_an_outcome(
    code: int, body: bytes, outcome: Outcome
) -> None:
    def answer(request: Message) -> Sequence[bytes]:
        return [message.encode(reply_to(request, body, code))]

    assert await ask(FakeServer(over_udp=answer), Transport.UDP) == outcome


async def test_server_that_read_nothing_may_answer_with_operation_0() -> None:
    def answer(request: Message) -> Sequence[bytes]:
        reply = reply_to(request, bodies.ErrorReply("?").encode(), ResponseCode.PROTOCOL_ERROR)
        return [message.encode(replace(reply, opcode=0))]

    assert await ask(FakeServer(over_tcp=answer), Transport.TCP) == Refused(4, "?")


async def test_handle_is_compared_without_case() -> None:
    def in_capitals(request: Message) -> Sequence[bytes]:
        body = bodies.ResolutionReply("86.1000/ABC", (URL,)).encode()
        return [message.encode(reply_to(request, body))]

    server = FakeServer(over_tcp=in_capitals)
    assert await ask(server, Transport.TCP, handle="86.1000/abc") == FOUND


async def test_flag_for_truncation_on_a_whole_reply_changes_nothing() -> None:
    def marked(request: Message) -> Sequence[bytes]:
        whole = bytearray(message.encode(found(request)))
        whole[2] |= EnvelopeFlag.TRUNCATED
        return [bytes(whole)]

    assert await ask(FakeServer(over_udp=marked), Transport.UDP) == FOUND
