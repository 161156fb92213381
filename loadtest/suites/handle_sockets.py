"""The Handle protocol over blocking sockets, which Locust makes gevent's: UDP and kept TCP.

Invariants: a datagram that belongs to another request is passed over; an answer is whole when it
is returned; each user has a port, and when wished an address, of his own.
"""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import Self

from loadtest.bench.handle_messages import resolution

_ENVELOPE = struct.Struct(">BBBBIIII")
_TRUNCATED = 0x20
_PACKET_DATA_BYTES = 492
_MOST_BYTES = 1 << 20
PATIENCE_S = 5.0


class NoAnswer(Exception):
    """Nothing came in time, or the connection broke."""


def question(handle: str, request_id: int) -> bytes:
    """Build the request for all public values of a handle."""
    message = resolution(handle)
    return message[:8] + struct.pack(">I", request_id) + message[12:]


class DatagramClient:
    """Asks one server over UDP; use with `with`. `source` "": any address of this machine."""

    def __init__(self, server: tuple[str, int], source: str = "") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.connect(server)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Close the socket."""
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, handle: str, request_id: int, patience_s: float = PATIENCE_S) -> bytes:
        """Ask once and return the whole answer; raises NoAnswer."""
        deadline = time.monotonic() + patience_s
        parts: dict[int, bytes] = {}
        try:
            self._socket.send(question(handle, request_id))
            while (left_s := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left_s)
                packet = self._socket.recv(65_536)
                if len(packet) < _ENVELOPE.size:
                    continue
                _, _, flags, _, _, number, sequence, length = _ENVELOPE.unpack_from(packet)
                if number != request_id:
                    continue
                if not flags & _TRUNCATED:
                    return packet
                parts[sequence] = packet[_ENVELOPE.size :]
                if len(parts) * _PACKET_DATA_BYTES >= length:
                    whole = b"".join(parts[place] for place in sorted(parts))
                    return packet[: _ENVELOPE.size] + whole
        except OSError as error:
            raise NoAnswer(f"UDP: {error}") from error
        raise NoAnswer(f"UDP: no answer within {patience_s} s")


class StreamClient:
    """Asks one server over a TCP connection that is kept; it is opened anew when it broke."""

    def __init__(self, server: tuple[str, int], source: str = "") -> None:
        self._server = server
        self._source = source
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, handle: str, request_id: int, patience_s: float = PATIENCE_S) -> bytes:
        """Ask once and return the whole answer; raises NoAnswer."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(
                    self._server, patience_s, (self._source, 0) if self._source else None
                )
            self._socket.settimeout(patience_s)
            self._socket.sendall(question(handle, request_id))
            head = self._receive(_ENVELOPE.size)
            *_, number, _, length = _ENVELOPE.unpack(head)
            if number != request_id or length > _MOST_BYTES:
                raise OSError("an answer to something else")
            return head + self._receive(length)
        except OSError as error:
            self.close()
            raise NoAnswer(f"TCP: {error}") from error

    def _receive(self, size: int) -> bytes:
        assert self._socket is not None
        parts: list[bytes] = []
        while size:
            part = self._socket.recv(min(size, 65_536))
            if not part:
                raise ConnectionResetError("the connection ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
