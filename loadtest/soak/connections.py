"""HTTP and the Handle protocol for many askers on one event loop.

Invariants: a connection carries one question at a time; an answer is whole when it is given; after
NoAnswer the next question opens a new connection, and a late answer to the old one is passed over.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import cast

from loadtest.suites.handle_sockets import NoAnswer, question

_ENVELOPE = struct.Struct(">BBBBIIII")
_TRUNCATED = 0x20
_PACKET_DATA_BYTES = 492
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and body."""

    status: int
    body: bytes


class _Stream(asyncio.Protocol):
    """Collects bytes until `_whole` finds an answer in them."""

    def __init__(self, whole: _Whole) -> None:
        self._whole = whole
        self._buffer = bytearray()
        self._waiting: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        size = self._whole.size(self._buffer)
        if 0 < size <= len(self._buffer):
            answer = bytes(self._buffer[:size])
            del self._buffer[:size]
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NoAnswer(f"the connection ended: {exc}"))

    def ask(self, data: bytes) -> asyncio.Future[bytes]:
        """Send and return what will be the answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self.transport is None:
            self._waiting.set_exception(NoAnswer("the connection ended"))
        else:
            self._buffer.clear()
            self.transport.write(data)
        return self._waiting


class _Whole:
    """Says how long the answer at the beginning of a buffer is, 0 while that is not known."""

    def size(self, buffer: bytearray) -> int:
        raise NotImplementedError


class _WholeHttp(_Whole):
    def size(self, buffer: bytearray) -> int:
        end = buffer.find(_END_OF_HEAD)
        if end < 0:
            return 0
        head = buffer[:end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        return end + len(_END_OF_HEAD) + length


class _WholeMessage(_Whole):
    def size(self, buffer: bytearray) -> int:
        if len(buffer) < _ENVELOPE.size:
            return 0
        return _ENVELOPE.size + int.from_bytes(buffer[16:20])


class _KeptStream:
    """A connection opened when it is needed, from an address of its own if wished."""

    def __init__(self, server: Address, whole: _Whole, source: str, patience_s: float) -> None:
        self._server = server
        self._whole = whole
        self._source = (source, 0) if source else None
        self._patience_s = patience_s
        self._stream: _Stream | None = None

    async def ask(self, data: bytes) -> bytes:
        """Send bytes and return the whole answer; raises NoAnswer."""
        try:
            async with asyncio.timeout(self._patience_s):
                if self._stream is None or self._stream.transport is None:
                    self._stream = await self._connect()
                return await self._stream.ask(data)
        except NoAnswer:
            self.close()
            raise
        except (OSError, TimeoutError) as error:
            self.close()
            raise NoAnswer(f"{type(error).__name__} {error}") from error

    def close(self) -> None:
        """Close at once."""
        if self._stream is not None and self._stream.transport is not None:
            self._stream.transport.abort()
        self._stream = None

    async def _connect(self) -> _Stream:
        _, stream = await asyncio.get_running_loop().create_connection(
            lambda: _Stream(self._whole), *self._server, local_addr=self._source
        )
        return stream


class HttpConnection:
    """Requests over one kept connection; `headers` are lines sent with each."""

    def __init__(self, server: Address, headers: str, *, patience_s: float) -> None:
        self._stream = _KeptStream(server, _WholeHttp(), "", patience_s)
        self._fixed = f"Host: {server[0]}\r\n{headers}"

    async def ask(self, method: str, path: str, body: bytes = b"", more: str = "") -> HttpAnswer:
        """Send a request, `more` being further header lines; raises NoAnswer."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}{more}{length}\r\n"
        answer = await self._stream.ask(head.encode() + body)
        return HttpAnswer(int(answer[9:12]), answer[answer.find(_END_OF_HEAD) + 4 :])

    def close(self) -> None:
        """Close at once."""
        self._stream.close()


class HandleStream:
    """Look-ups over one kept TCP connection."""

    def __init__(self, server: Address, source: str, *, patience_s: float) -> None:
        self._stream = _KeptStream(server, _WholeMessage(), source, patience_s)

    async def ask(self, handle: str, request_id: int) -> bytes:
        """Ask once and return the whole message; raises NoAnswer."""
        answer = await self._stream.ask(question(handle, request_id))
        if int.from_bytes(answer[8:12]) != request_id:
            self.close()
            raise NoAnswer("an answer to something else")
        return answer

    def close(self) -> None:
        """Close at once."""
        self._stream.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Puts the packets of one answer together."""

    def __init__(self) -> None:
        self._request_id = 0
        self._parts: dict[int, bytes] = {}
        self._waiting: asyncio.Future[bytes] | None = None

    def expect(self, request_id: int) -> asyncio.Future[bytes]:
        """Return what will be the answer to a request."""
        self._request_id, self._parts = request_id, {}
        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self._waiting is None or self._waiting.done() or len(data) < _ENVELOPE.size:
            return
        _, _, flags, _, _, number, sequence, length = _ENVELOPE.unpack_from(data)
        if number != self._request_id:
            return
        if not flags & _TRUNCATED:
            self._waiting.set_result(data)
            return
        self._parts[sequence] = data[_ENVELOPE.size :]
        if len(self._parts) * _PACKET_DATA_BYTES >= length:
            whole = b"".join(self._parts[place] for place in sorted(self._parts))
            self._waiting.set_result(data[: _ENVELOPE.size] + whole)

    def error_received(self, exc: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NoAnswer(f"UDP: {exc}"))


class HandleDatagrams:
    """Look-ups over UDP from one address and port."""

    def __init__(self, server: Address, source: str, *, patience_s: float) -> None:
        self._server = server
        self._source = (source or "127.0.0.1", 0)
        self._patience_s = patience_s
        self._open: tuple[asyncio.DatagramTransport, _Datagrams] | None = None

    async def ask(self, handle: str, request_id: int) -> bytes:
        """Ask once and return the whole answer; raises NoAnswer."""
        if self._open is None:
            self._open = await asyncio.get_running_loop().create_datagram_endpoint(
                _Datagrams, local_addr=self._source, remote_addr=self._server
            )
        transport, protocol = self._open
        try:
            async with asyncio.timeout(self._patience_s):
                answer = protocol.expect(request_id)
                transport.sendto(question(handle, request_id))
                return await answer
        except (OSError, TimeoutError) as error:
            # Another socket is another way: the kernel gives each to one process of the server.
            self.close()
            raise NoAnswer(f"UDP: {type(error).__name__}") from error

    def close(self) -> None:
        """Close the socket."""
        if self._open is not None:
            self._open[0].close()
            self._open = None
