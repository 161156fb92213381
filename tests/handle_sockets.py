"""Plain sockets that speak to a Handle node: whole messages in, whole messages out.

Nothing here knows more of the protocol than the envelope (RFC 3652 §2.2.1), so that a test sees
what is on the wire and not what the product's own codecs make of it.

Invariants: nothing waits longer than WAIT_S; a message is bytes with its envelope; `ask` over UDP
puts packets of one message together and checks that they tell one story.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

WAIT_S = 20.0
ENVELOPE_BYTES = 20
DATAGRAM_DATA_BYTES = 492
TRUNCATED = 0x20

_ENVELOPE = struct.Struct(">BBBBIIII")
_HEADER = struct.Struct(">IIIHBBII")


class Envelope(NamedTuple):
    """The first twenty bytes; `flags` holds the suggested major version in its low bits."""

    major: int
    minor: int
    flags: int
    suggested_minor: int
    session: int
    request: int
    sequence: int
    length: int


class Header(NamedTuple):
    """The twenty-four bytes after the envelope."""

    opcode: int
    code: int
    flags: int
    serial: int
    recursion: int
    reserved: int
    expiration: int
    body_length: int


def envelope_of(message: bytes) -> Envelope:
    """Read the envelope of a message or packet."""
    return Envelope(*_ENVELOPE.unpack_from(message))


def header_of(message: bytes) -> Header:
    """Read the header of a whole message."""
    return Header(*_HEADER.unpack_from(message, ENVELOPE_BYTES))


def body_of(message: bytes) -> bytes:
    """Cut the body out of a whole message."""
    start = ENVELOPE_BYTES + _HEADER.size
    return message[start : start + header_of(message).body_length]


def credential_of(message: bytes) -> bytes:
    """Cut the credential out of a whole message; b"" when it has none."""
    start = ENVELOPE_BYTES + _HEADER.size + header_of(message).body_length
    return message[start + 4 :]


def request(
    opcode: int,
    body: bytes,
    *,
    request_id: int = 0x11223344,
    session: int = 0,
    flags: int = 0x1000_0000,
    version: tuple[int, int] = (2, 11),
    credential: bytes = b"",
) -> bytes:
    """Build a request as clients do; `credential` without its length."""
    header = _HEADER.pack(opcode, 0, flags, 0xFFFF, 0, 0, 0x7FFFFFFF, len(body))
    rest = header + body + struct.pack(">I", len(credential)) + credential
    return _ENVELOPE.pack(*version, *version, session, request_id, 0, len(rest)) + rest


def text(value: str | bytes) -> bytes:
    """Write a counted text."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


def resolution(
    handle: str | bytes,
    *,
    indexes: Sequence[int] = (),
    types: Sequence[str] = (),
    request_id: int = 0x11223344,
    flags: int = 0x1100_0000,
) -> bytes:
    """Build a RESOLUTION; the flags are REC and PO unless given."""
    body = text(handle) + struct.pack(f">I{len(indexes)}I", len(indexes), *indexes)
    body += struct.pack(">I", len(types)) + b"".join(map(text, types))
    return request(1, body, request_id=request_id, flags=flags)


def packets_of(message: bytes) -> list[bytes]:
    """Cut a message into packets of at most 512 bytes, TC set when there are several."""
    data = message[ENVELOPE_BYTES:]
    if len(data) <= DATAGRAM_DATA_BYTES:
        return [message]
    head = envelope_of(message)
    marked = head._replace(flags=head.flags | TRUNCATED)
    return [
        _ENVELOPE.pack(*marked._replace(sequence=number)) + data[start : start + 492]
        for number, start in enumerate(range(0, len(data), DATAGRAM_DATA_BYTES))
    ]


@dataclass(frozen=True, slots=True)
class UDPSocket:
    """A connected datagram socket."""

    socket: socket.socket

    def send(self, *datagrams: bytes) -> None:
        """Send datagrams as they are."""
        for datagram in datagrams:
            self.socket.send(datagram)

    def receive(self) -> bytes:
        """Return the next datagram; raises TimeoutError."""
        return self.socket.recv(65_536)

    def receive_message(self) -> bytes:
        """Return the next whole message, packets put together; raises TimeoutError."""
        first = self.receive()
        head, parts = envelope_of(first), {envelope_of(first).sequence: first[ENVELOPE_BYTES:]}
        while sum(map(len, parts.values())) < head.length:
            packet = self.receive()
            other = envelope_of(packet)
            assert other._replace(sequence=0) == head._replace(sequence=0), "packets disagree"
            parts[other.sequence] = packet[ENVELOPE_BYTES:]
        whole = head._replace(sequence=0, flags=head.flags & ~TRUNCATED)
        return _ENVELOPE.pack(*whole) + b"".join(parts[n] for n in sorted(parts))

    def ask(self, message: bytes) -> bytes:
        """Send a message, in packets when it is long, and return the reply."""
        self.send(*packets_of(message))
        return self.receive_message()


@dataclass(frozen=True, slots=True)
class TCPSocket:
    """A connection."""

    socket: socket.socket

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """Return the next message, b"" when the node has closed; raises TimeoutError."""
        head = self._read(ENVELOPE_BYTES)
        return head + self._read(envelope_of(head).length) if head else b""

    def ask(self, message: bytes) -> bytes:
        """Send a message and return the next one that comes."""
        self.send(message)
        return self.receive()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                assert not data, "the connection ended inside a message"
                return b""
            data += part
        return data


@contextmanager
def udp(address: tuple[str, int], *, source: str = "") -> Iterator[UDPSocket]:
    """Open a datagram socket to `address`, from the address `source` when it is given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(WAIT_S)
        opened.bind((source, 0))
        opened.connect(address)
        yield UDPSocket(opened)


@contextmanager
def tcp(address: tuple[str, int], *, source: str = "") -> Iterator[TCPSocket]:
    """Connect to `address`, from the address `source` when it is given."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.settimeout(WAIT_S)
        opened.bind((source, 0))
        opened.connect(address)
        yield TCPSocket(opened)
