"""Files of noted look-ups: the header, the blocks a resolver writes, and their reader (codec).

docs/decisions/0008-honest-counts.md is the format:

    file:  "XBTALLY1" ‖ length(4) ‖ JSON {"process","started_ms","v":1}, then blocks
    block: "BLK1" ‖ Unix ms(8) ‖ payload bytes(4) ‖ events(4) ‖ dropped(4) ‖ CRC-32(4) ‖ payload

Whoever writes a file holds an exclusive `flock` on it until it is complete, so a reader that gets a
shared one knows that nothing will be added, even if the writer was killed.

Invariants: numbers are little-endian; what is read is what was written up to some block, in order,
or InvalidInput; a block that is cut short or damaged ends the file; no more than one block of
MAX_PAYLOAD_BYTES is held at once.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from node.domain.resolution_event import AgentTable, Event, read_payload
from node.errors import InvalidInput

MAX_PAYLOAD_BYTES = 32 << 20
MAX_HEADER_BYTES = 1024
BLOCK_HEAD_BYTES = 28

_MAGIC = b"XBTALLY1"
_LENGTH = struct.Struct("<I")
_BLOCK_MAGIC = b"BLK1"
_BLOCK = struct.Struct("<4sQIIII")
_PROCESS = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _HeaderText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    process: str
    started_ms: int
    v: int


@dataclass(frozen=True, slots=True)
class SpoolHeader:
    """Which process wrote the file, and since when (Unix ms)."""

    process: str
    started_ms: int

    def __post_init__(self) -> None:
        """Refuse what the format cannot hold; raises InvalidInput."""
        if not _PROCESS.fullmatch(self.process) or not 0 <= self.started_ms < 1 << 63:
            raise _malformed("a header that names no process")

    def encode(self) -> bytes:
        """Return what a file begins with."""
        text = msgspec.json.encode(_HeaderText(self.process, self.started_ms, 1))
        return _MAGIC + _LENGTH.pack(len(text)) + text


@dataclass(frozen=True, slots=True)
class Block:
    """What was written at once: `at_ms` is the time of all events, `dropped` were not noted.

    It lies in the file from `begins` up to `ends`.
    """

    at_ms: int
    dropped: int
    events: list[Event]
    begins: int
    ends: int


def encode_block(at_ms: int, payload: bytes, *, events: int, dropped: int) -> bytes:
    """Return a block; `payload` is at most MAX_PAYLOAD_BYTES of records (`resolution_event`)."""
    check = zlib.crc32(payload)
    return (
        _BLOCK.pack(_BLOCK_MAGIC, at_ms, len(payload), events, min(dropped, 0xFFFF_FFFF), check)
        + payload
    )


class SpoolReader:
    """Reads one file from its beginning as it grows, in pieces of the caller's choice.

    `offset` is how far it has been understood. Agents are named along the way, so who reads on
    after a restart reads from the beginning and passes over blocks that end before his place.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.header: SpoolHeader | None = None
        self.is_damaged = False  # What follows `offset` is there, and is no block.
        self._agents = AgentTable()

    def read(self, data: bytes) -> Iterator[Block]:
        """Yield the whole blocks of `data`, the bytes of the file from `offset` on.

        `offset` moves behind a block before it is yielded. Nothing is yielded when `data` ends
        within a block: come again with more, or not at all when the file is complete; a piece of
        BLOCK_HEAD_BYTES + MAX_PAYLOAD_BYTES always holds one. Raises InvalidInput for what no
        resolver writes.
        """
        at = 0
        if self.header is None:
            header = _read_header(data)
            if header is None:
                return
            self.header, at = header
            self.offset += at
        while not self.is_damaged:
            block = self._read_block(data, at)
            if block is None:
                return
            at += block.ends - block.begins
            self.offset = block.ends
            yield block

    def _read_block(self, data: bytes, at: int) -> Block | None:
        payload_at = at + _BLOCK.size
        if len(data) < payload_at:
            # Less than a head may be the beginning of one.
            self.is_damaged = not _BLOCK_MAGIC.startswith(data[at : at + len(_BLOCK_MAGIC)])
            return None
        magic, at_ms, size, events, dropped, check = _BLOCK.unpack_from(data, at)
        if magic != _BLOCK_MAGIC:
            self.is_damaged = True
            return None
        if size > MAX_PAYLOAD_BYTES or at_ms >= 1 << 63:
            raise _malformed("a block that is too large")
        payload = data[payload_at : payload_at + size]
        if len(payload) < size:
            return None
        if zlib.crc32(payload) != check:
            self.is_damaged = True
            return None
        found = read_payload(payload, self._agents)
        if len(found) != events:
            raise _malformed("a block with another number of events")
        return Block(at_ms, dropped, found, self.offset, self.offset + _BLOCK.size + size)


def _read_header(data: bytes) -> tuple[SpoolHeader, int] | None:
    """Return the header and its length; None when it is cut short."""
    text_at = len(_MAGIC) + _LENGTH.size
    if not data.startswith(_MAGIC[: len(data)]):
        raise _malformed("another kind of file")
    if len(data) < text_at:
        return None
    (length,) = _LENGTH.unpack_from(data, len(_MAGIC))
    if length > MAX_HEADER_BYTES:
        raise _malformed("a header that is too long")
    if len(data) < text_at + length:
        return None
    try:
        read = msgspec.json.decode(data[text_at : text_at + length], type=_HeaderText)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed("a header that cannot be read") from error
    if read.v != 1:
        raise _malformed("another version of the format")
    return SpoolHeader(read.process, read.started_ms), text_at + length


def _malformed(what: str) -> InvalidInput:
    return InvalidInput("解析计数文件有误", f"the spool file is or holds {what}", code="spool")
