"""Requests and answers of the Handle protocol as a bench needs them, written by hand.

Invariants: messages are whole, envelope included; a file of messages has each behind its length in
four bytes, big endian, as `handle_load.c` and `udp_fixed_answer.c` read it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from loadtest.bench.processes import BenchFailed

_ENVELOPE = struct.Struct(">BBBBIIII")
_HEADER = struct.Struct(">IIIHBBII")
_PACKET_DATA_BYTES = 492
_TRUNCATED = 0x20
_SUCCESS, _RESOLUTION = 1, 1
_RECURSIVE_AND_PUBLIC = 0x1100_0000


def resolution(handle: str, indexes: Sequence[int] = ()) -> bytes:
    """Build the request for values of a handle, all of them without `indexes`."""
    name = handle.encode()
    body = struct.pack(f">I{len(name)}s", len(name), name)
    body += struct.pack(f">I{len(indexes)}II", len(indexes), *indexes, 0)
    header = _HEADER.pack(
        _RESOLUTION, 0, _RECURSIVE_AND_PUBLIC, 0xFFFF, 0, 0, 0x7FFF_FFFF, len(body)
    )
    payload = header + body + bytes(4)
    return _ENVELOPE.pack(2, 11, 2, 11, 0, 0, 0, len(payload)) + payload


def write_messages(path: Path, messages: Iterable[bytes]) -> None:
    """Write a file of messages, or of datagrams."""
    path.write_bytes(b"".join(struct.pack(">I", len(m)) + m for m in messages))


def packets(message: bytes) -> list[bytes]:
    """Cut an answer into the datagrams it comes in over UDP."""
    payload = message[_ENVELOPE.size :]
    if len(payload) <= _PACKET_DATA_BYTES:
        return [message]
    major, minor, flags, suggested, session, request, _, length = _ENVELOPE.unpack_from(message)
    return [
        _ENVELOPE.pack(major, minor, flags | _TRUNCATED, suggested, session, request, n, length)
        + payload[start : start + _PACKET_DATA_BYTES]
        for n, start in enumerate(range(0, len(payload), _PACKET_DATA_BYTES))
    ]


def ask_once(port: int, messages: Iterable[bytes]) -> list[bytes]:
    """Ask a node on the loopback interface over one TCP connection; raise BenchFailed on errors."""
    answers: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        stream = connection.makefile("rwb")
        for message in messages:
            stream.write(message)
            stream.flush()
            head = stream.read(_ENVELOPE.size)
            answer = head + stream.read(int.from_bytes(head[16:20]))
            if int.from_bytes(answer[24:28]) != _SUCCESS:
                raise BenchFailed(f"answer to {message!r}: {answer[:200]!r}")
            answers.append(answer)
    return answers
