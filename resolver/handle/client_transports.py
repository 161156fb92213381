"""How a client's messages reach a Handle server and whole replies come back: UDP and TCP.

Over UDP a request is sent again after 0.5, 1.0 and 1.5 seconds without a whole reply; datagrams
that belong to no request are dropped. Over TCP a connection serves one request after the other as
long as the server keeps it open; one that the server closed meanwhile is replaced once.

Invariants: a message passed on is whole and bears the RequestId that was sent, nothing else of it
has been checked; whatever goes wrong on the way is Unavailable (`handle_no_answer`); nothing waits
longer than its timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from node.errors import InvalidInput, Unavailable
from resolver.handle import envelope as envelopes
from resolver.handle.codes import DEFAULT_PORT
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.fragments import Reassembly, split
from resolver.handle.message import check_length

UDP_WAITS_S = (0.5, 1.0, 1.5)
TCP_TIMEOUT_S = 10.0
_MOST_WAITING_DATAGRAMS = 1024
_MOST_IDLE_CONNECTIONS = 4


class ServerAddress(NamedTuple):
    """Where a server listens, for both transports."""

    host: str
    port: int = DEFAULT_PORT


class _Datagrams(asyncio.DatagramProtocol):
    """Puts what arrives into a bounded queue; an error of the network goes there too."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes | Exception] = asyncio.Queue(_MOST_WAITING_DATAGRAMS)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.arrived.full():
            self.arrived.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        if not self.arrived.full():
            self.arrived.put_nowait(exc)


async def ask_over_udp(
    server: ServerAddress, make: Callable[[], bytes], *, waits_s: Sequence[float] = UDP_WAITS_S
) -> bytes:
    """Send a message and return the whole reply; raise Unavailable.

    `make` gives the message anew for each sending (a MAC may not be used twice), each time with the
    same RequestId. When only a part of a reply arrives there is no second sending: the rest would
    be lost again, and TCP is the better way.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.create_datagram_endpoint(
            _Datagrams, remote_addr=(server.host, server.port)
        )
    except OSError as error:
        raise _no_answer(server, "UDP") from error
    try:
        parts = Reassembly()
        for wait_s in waits_s:
            message = make()
            for packet in split(message):
                transport.sendto(packet)
            reply = await _receive(protocol.arrived, parts, message, wait_s)
            if reply is not None:
                return reply
            if len(parts):
                break
    except OSError as error:
        raise _no_answer(server, "UDP") from error
    finally:
        transport.close()
    raise _no_answer(server, "UDP")


async def _receive(
    arrived: asyncio.Queue[bytes | Exception], parts: Reassembly, asked: bytes, wait_s: float
) -> bytes | None:
    """Return the whole reply to `asked`, None when there is none in time; raise OSError."""
    loop = asyncio.get_running_loop()
    request = envelopes.decode(asked).request
    try:
        async with asyncio.timeout(wait_s):
            while True:
                packet = await arrived.get()
                if isinstance(packet, Exception):
                    raise packet
                reply = _reply_of(parts, packet, request, now=loop.time())
                if reply is not None:
                    return reply
    except TimeoutError:
        return None


def _reply_of(parts: Reassembly, packet: bytes, request: int, *, now: float) -> bytes | None:
    try:
        if envelopes.decode(packet).request != request:
            return None
        return parts.add(packet, None, now=now)
    except InvalidInput:
        return None


class TCPConnection:
    """One connection to a server: messages out, whole messages in."""

    def __init__(
        self, server: ServerAddress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(
        cls, server: ServerAddress, *, timeout_s: float = TCP_TIMEOUT_S
    ) -> TCPConnection:
        """Connect; raise Unavailable."""
        try:
            async with asyncio.timeout(timeout_s):
                streams = await asyncio.open_connection(server.host, server.port)
        except OSError as error:
            raise _no_answer(server, "TCP") from error
        return cls(server, *streams)

    @property
    def is_open(self) -> bool:
        """Say whether the server has not closed the connection, as far as is known."""
        return not self._writer.is_closing() and not self._reader.at_eof()

    async def send(self, message: bytes, *, timeout_s: float = TCP_TIMEOUT_S) -> None:
        """Send a whole message; raise Unavailable."""
        try:
            self._writer.write(message)
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
        except OSError as error:
            raise _no_answer(self._server, "TCP") from error

    async def receive(self, *, timeout_s: float = TCP_TIMEOUT_S) -> bytes:
        """Return the next whole message; raise Unavailable, also for a length of no message."""
        try:
            async with asyncio.timeout(timeout_s):
                head = await self._reader.readexactly(ENVELOPE_BYTES)
                length = envelopes.decode(head).length
                check_length(length)
                return head + await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError, InvalidInput) as error:
            raise _no_answer(self._server, "TCP") from error

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # The other side was first.


class TCPConnections:
    """Connections to one server, kept between requests; any number of tasks may ask at once."""

    def __init__(self, server: ServerAddress, *, timeout_s: float = TCP_TIMEOUT_S) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._idle: list[TCPConnection] = []

    async def ask(self, make: Callable[[], bytes]) -> bytes:
        """Send a message and return the first reply with its RequestId; raise Unavailable."""
        while self._idle:
            kept = self._idle.pop()
            if kept.is_open:
                try:
                    return await self._exchange(kept, make())
                except Unavailable:
                    break  # The server closed it; a new connection tells more.
            await kept.close()
        opened = await TCPConnection.open(self._server, timeout_s=self._timeout_s)
        return await self._exchange(opened, make())

    async def close(self) -> None:
        """End all connections."""
        while self._idle:
            await self._idle.pop().close()

    async def _exchange(self, connection: TCPConnection, message: bytes) -> bytes:
        request = envelopes.decode(message).request
        is_done = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.send(message, timeout_s=self._timeout_s)
                while True:
                    reply = await connection.receive(timeout_s=self._timeout_s)
                    if envelopes.decode(reply).request == request:
                        break
            is_done = True
        except TimeoutError as error:
            raise _no_answer(self._server, "TCP") from error
        finally:
            if is_done and connection.is_open and len(self._idle) < _MOST_IDLE_CONNECTIONS:
                self._idle.append(connection)
            else:
                await connection.close()
        return reply


def _no_answer(server: ServerAddress, transport: str) -> Unavailable:
    where = f"{server.host}:{server.port}"
    return Unavailable(
        f"Handle 服务器 {where} 没有回答({transport})",
        f"No answer from the Handle server {where} over {transport}",
        code="handle_no_answer",
    )
