"""TLS between a transport and a protocol: bytes pass both ways, faults end the connection."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from resolver.tls_context import server_context
from resolver.tls_protocol import ASGI_TLS, TLSProtocol, TLSService
from tests.unit.resolver.fakes import FakeTransport

NAME = "301:86.1000/ADMIN"


def self_signed(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return certificate, key


SERVER_CERTIFICATE, SERVER_KEY = self_signed("localhost")
CONTEXT = server_context([SERVER_CERTIFICATE], SERVER_KEY)


class Inner(asyncio.Protocol):
    """Notes what it is told; echoes lines that begin with `echo`."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.received = b""
        self.is_lost = False
        self.is_write_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if data.startswith(b"echo"):
            self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def pause_writing(self) -> None:
        self.is_write_paused = True

    def resume_writing(self) -> None:
        self.is_write_paused = False


class RawTransport(FakeTransport):
    """The transport below; tells its protocol when it is closed, as a loop would."""

    protocol: asyncio.Protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def take(self) -> bytes:
        written, self.written = self.written, b""
        return written


class Pair:
    """A client of Python's `ssl` and the protocol under test, joined in memory."""

    def __init__(self, service: TLSService, client: ssl.SSLContext | None = None) -> None:
        self.inner = Inner()
        self.raw = RawTransport()
        self.protocol = TLSProtocol(service, lambda: self.inner)
        self.raw.set_protocol(self.protocol)
        self.protocol.connection_made(self.raw)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = (client or trusting()).wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )

    def exchange(self) -> None:
        """Carry bytes both ways until there are none."""
        while True:
            to_server, to_client = self._outgoing.read(), self.raw.take()
            if to_server and not self.raw.is_closed:
                self.protocol.data_received(to_server)
            if to_client:
                self._incoming.write(to_client)
            if not to_server and not to_client:
                return

    def shake_hands(self) -> None:
        for _ in range(3):
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.exchange()
        self.exchange()

    def send(self, data: bytes) -> None:
        self.client.write(data)
        self.exchange()

    def receive(self) -> bytes:
        self.exchange()
        parts = b""
        while True:
            try:
                part = self.client.read(65_536)
            except ssl.SSLWantReadError:
                return parts
            if not part:
                return parts
            parts += part


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.fixture
async def service() -> TLSService:
    return TLSService(CONTEXT)


async def test_bytes_pass_both_ways_once_hands_are_shaken(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    pair.send(b"echo one")
    assert pair.receive() == b"echo one"
    assert pair.client.version() == "TLSv1.3"
    assert not service.handshakes


async def test_long_data_passes_whole(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    data = bytes(range(256)) * 4096
    pair.send(data)
    pair.inner.transport.write(data)
    assert pair.inner.received == data
    assert pair.receive() == data


async def test_http_is_negotiated_where_the_client_offers_it(service: TLSService) -> None:
    client = trusting()
    client.set_alpn_protocols(["h2", "http/1.1"])
    pair = Pair(service, client)
    pair.shake_hands()
    assert pair.client.selected_alpn_protocol() == "http/1.1"


async def test_client_of_tls_1_1_is_refused(service: TLSService) -> None:
    pair = Pair(service)
    # A ClientHello of TLS 1.1 with one suite, written by hand: `ssl` will not make it any more.
    hello = bytes.fromhex("0302") + bytes(32) + b"\0" + bytes.fromhex("0002002f0100")
    record = bytes.fromhex("160302") + (len(hello) + 4).to_bytes(2, "big")
    pair.protocol.data_received(record + b"\x01" + len(hello).to_bytes(3, "big") + hello)
    assert pair.raw.is_closed
    assert service.counts.cut_tls == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_self_signed_client_certificate_is_shown_to_the_application(
    service: TLSService, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    certificate, key = self_signed(NAME)
    pem = certificate.public_bytes(Encoding.PEM)
    file = tmp_path / "client.pem"
    file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    client = trusting()
    client.minimum_version = client.maximum_version = version
    client.load_cert_chain(file)
    pair = Pair(service, client)
    pair.shake_hands()
    extension = pair.inner.transport.get_extra_info(ASGI_TLS)
    assert extension["client_cert_chain"] == [pem.decode()]
    assert extension["client_cert_name"] == f"CN={NAME}"
    assert extension["tls_version"] == version


async def test_client_without_certificate_is_served(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    extension = pair.inner.transport.get_extra_info(ASGI_TLS)
    assert extension["client_cert_chain"] == []
    assert extension["client_cert_name"] is None
    assert pair.inner.transport.get_extra_info("sslcontext")
    assert pair.inner.transport.get_extra_info("peername") == ("127.0.0.1", 50_000)


async def test_nothing_is_handed_on_while_reading_is_paused(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    pair.inner.transport.pause_reading()
    pair.send(b"later")
    assert pair.raw.is_reading_paused
    assert pair.inner.received == b""
    pair.inner.transport.resume_reading()
    await asyncio.sleep(0)
    assert pair.inner.received == b"later"
    assert not pair.raw.is_reading_paused


async def test_full_send_buffer_is_told_inside(service: TLSService) -> None:
    pair = Pair(service)
    pair.protocol.pause_writing()  # nobody is inside yet
    pair.shake_hands()
    pair.protocol.pause_writing()
    assert pair.inner.is_write_paused
    pair.protocol.resume_writing()
    assert not pair.inner.is_write_paused


async def test_client_that_says_goodbye_is_let_go(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.unwrap()
    pair.exchange()
    assert pair.raw.is_closed
    pair.protocol.connection_lost(None)
    assert pair.inner.is_lost


async def test_server_says_goodbye_and_takes_nothing_more(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    pair.inner.transport.close()
    pair.inner.transport.write(b"too late")
    pair.inner.transport.close()
    assert pair.receive() == b""
    assert pair.inner.transport.is_closing()


async def test_forged_record_ends_the_connection(service: TLSService) -> None:
    pair = Pair(service)
    pair.shake_hands()
    pair.protocol.data_received(bytes.fromhex("1703030020") + bytes(32))
    assert pair.raw.is_closed
    assert service.counts.cut_tls == 1
    assert pair.inner.received == b""


async def test_handshake_that_does_not_end_is_cut() -> None:
    service = TLSService(CONTEXT, handshake_timeout_s=0.0)
    pair = Pair(service)
    for _ in range(3):
        await asyncio.sleep(0)
    assert pair.raw.is_closed
    pair.protocol.connection_lost(None)
    assert not service.handshakes
    assert not pair.inner.is_lost


async def test_handshakes_under_way_are_bounded() -> None:
    service = TLSService(CONTEXT, handshakes_limit=2)
    pairs = [Pair(service) for _ in range(3)]
    assert [pair.raw.is_closed for pair in pairs] == [False, False, True]
    for pair in pairs[1:]:
        pair.protocol.connection_lost(None)
    assert not Pair(service).raw.is_closed


async def test_plain_client_is_refused_unless_allowed() -> None:
    refusing, allowing = Pair(TLSService(CONTEXT)), Pair(TLSService(CONTEXT, allows_plain=True))
    for pair in (refusing, allowing):
        pair.raw.protocol.data_received(b"echo GET / HTTP/1.1\r\n")
    assert refusing.raw.is_closed
    assert refusing.inner.transport is None
    assert allowing.inner.transport is allowing.raw
    assert allowing.raw.take() == b"echo GET / HTTP/1.1\r\n"
    allowing.raw.protocol.data_received(b"more")
    assert allowing.inner.received.endswith(b"more")


async def test_tls_client_is_served_where_plain_is_allowed_too() -> None:
    pair = Pair(TLSService(CONTEXT, allows_plain=True))
    pair.shake_hands()
    pair.send(b"echo one")
    assert pair.receive() == b"echo one"


@given(st.lists(st.binary(min_size=1, max_size=600), max_size=4), st.booleans())
def test_no_bytes_raise_or_reach_the_application(chunks: list[bytes], looks_like_tls: bool) -> None:
    async def feed() -> None:
        pair = Pair(TLSService(CONTEXT))
        for chunk in chunks:
            if pair.raw.is_closed:
                break
            pair.protocol.data_received(b"\x16\x03\x01\x02" + chunk if looks_like_tls else chunk)
        pair.protocol.connection_lost(None)
        assert pair.inner.received == b""

    asyncio.run(feed())
