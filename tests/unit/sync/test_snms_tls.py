"""TLS to an SNMS interface: chain, name and pin are checked before a word is said."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from admin.link_certificates import KeyPair, issue, make_authority
from node.errors import Unavailable
from sync.snms.answers import Envelope
from sync.snms.channel import Call, open_channel
from sync.snms.exchange_book import ExchangeBook
from sync.snms.transport import TlsFiles, tls_context

NOW = datetime.now(UTC)
AUTHORITY = make_authority("测试 authority", NOW)
SERVER = issue(AUTHORITY, "server", ["127.0.0.1"], now=NOW)
OTHER_NAME = issue(AUTHORITY, "server", ["192.0.2.1"], now=NOW)
NODE = issue(AUTHORITY, "node", ["127.0.0.1"], now=NOW)
BODY = b'{"status":1,"message":"success","data":true}'


class Heard:
    """What a server was told over TLS."""

    def __init__(self) -> None:
        self.text = b""


def files(directory: Path, name: str, pair: KeyPair) -> tuple[str, str]:
    """Write a certificate and its key; return where they lie."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    certificate.write_bytes(pair.certificate_pem())
    key.write_bytes(pair.key_pem())
    return str(certificate), str(key)


@asynccontextmanager
async def server(
    directory: Path, pair: KeyPair, *, asks_for_certificates: bool = False
) -> AsyncIterator[tuple[str, Heard]]:
    """Serve one good answer to everybody; yield the address and what was heard."""
    context, heard = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), Heard()
    context.load_cert_chain(*files(directory, "server", pair))
    if asks_for_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=AUTHORITY.certificate_pem().decode())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.text += await reader.read(1 << 16)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + BODY)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heard


async def asked(directory: Path, url: str, tls: TlsFiles) -> object:
    """Ask with a token."""
    book = ExchangeBook(directory / "book", lambda: NOW)
    async with open_channel(url, tls_context(tls), book, 10.0) as channel:
        return await channel.ask(Call("GET", "/x"), "a-token")


def trusted(directory: Path, *pins: str) -> TlsFiles:
    (directory / "authority.pem").write_bytes(AUTHORITY.certificate_pem())
    return TlsFiles(authority=str(directory / "authority.pem"), pins=frozenset(pins))


@pytest.mark.parametrize("pins", [(), (SERVER.pin,), ("0" * 64, SERVER.pin)])
async def test_the_right_peer_is_spoken_to(tmp_path: Path, pins: tuple[str, ...]) -> None:
    async with server(tmp_path, SERVER) as (url, heard):
        assert isinstance(await asked(tmp_path, url, trusted(tmp_path, *pins)), Envelope)
        assert b"Bearer a-token" in heard.text


async def test_a_peer_with_another_key_is_told_nothing(tmp_path: Path) -> None:
    async with server(tmp_path, SERVER) as (url, heard):
        with pytest.raises(Unavailable):
            await asked(tmp_path, url, trusted(tmp_path, "0" * 64))
        assert heard.text == b""


async def test_another_authority_is_not_believed(tmp_path: Path) -> None:
    async with server(tmp_path, SERVER) as (url, heard):
        with pytest.raises(Unavailable):
            await asked(tmp_path, url, TlsFiles())
        assert heard.text == b""


async def test_a_certificate_for_another_name_is_not_believed(tmp_path: Path) -> None:
    async with server(tmp_path, OTHER_NAME) as (url, heard):
        with pytest.raises(Unavailable):
            await asked(tmp_path, url, trusted(tmp_path, OTHER_NAME.pin))
        assert heard.text == b""


async def test_our_own_certificate_is_shown_to_a_peer_that_asks(tmp_path: Path) -> None:
    own = files(tmp_path, "node", NODE)
    authority = trusted(tmp_path).authority
    async with server(tmp_path, SERVER, asks_for_certificates=True) as (url, _):
        tls = TlsFiles(authority=authority, certificate=own[0], private_key=own[1])
        assert isinstance(await asked(tmp_path, url, tls), Envelope)
