"""A proxy before a real Redis that stalls, breaks connections and lies.

It understands requests and replies (RESP), so that a lie is a well-formed reply to the very GET it
belongs to, made of entries that the node itself has sealed. Invariants: replies keep the order of
the requests; in the mode HONEST nothing is changed; `lies` counts the replies that were.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from enum import Enum

import hiredis

from loadtest.trials.loopback_proxy import LoopbackProxy

STALL_S = 2.0
_READ_BYTES = 65_536


class Mode(Enum):
    """How the proxy behaves."""

    HONEST = "honest"
    SLOW = "every answer 2 s late"
    CUT = "connections broken in the middle of an answer"
    NOISE = "answers that are no RESP"
    FORGED = "entries altered or made up"
    SWAPPED = "genuine entries of other identifiers"
    REPLAYED = "the first entry ever stored, instead of the latest"


class RedisProxy(LoopbackProxy):
    """Stands before a Redis; `mode` may be set at any time and holds for the answers to come."""

    def __init__(self, upstream_port: int, chance: random.Random) -> None:
        self._chance = chance
        self._first: dict[bytes, bytes] = {}
        self.mode = Mode.HONEST
        self.lies = 0
        super().__init__(upstream_port, "redis-proxy")

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        requests, replies = hiredis.Reader(), hiredis.Reader()
        try:
            while data := await reader.read(_READ_BYTES):
                requests.feed(data)
                asked = _all_of(requests)
                upstream[1].write(data)
                answers = await _answers(upstream[0], replies, len(asked))
                await self._answer(writer, asked, answers)
        finally:
            upstream[1].close()

    async def _answer(
        self, writer: asyncio.StreamWriter, asked: Sequence[object], answers: Sequence[object]
    ) -> None:
        mode = self.mode
        whole = b"".join(
            _packed(self._told(mode, request, answer))
            for request, answer in zip(asked, answers, strict=True)
        )
        if mode is Mode.SLOW:
            self.lies += 1
            await asyncio.sleep(STALL_S)
        elif mode is Mode.CUT:
            self.lies += 1
            writer.write(whole[: len(whole) // 2])
            raise ConnectionResetError("cut")
        elif mode is Mode.NOISE:
            self.lies += 1
            whole = self._chance.randbytes(len(whole))
        writer.write(whole)
        await writer.drain()

    def _told(self, mode: Mode, request: object, answer: object) -> object:
        match request:
            case [b"SET", bytes(key), bytes(entry), *_]:
                self._first.setdefault(key, entry)
            case [b"GET", bytes(key)]:
                lie = self._lie(mode, key, answer if isinstance(answer, bytes) else b"")
                if lie and lie != answer:
                    self.lies += 1
                    return lie
        return answer

    def _lie(self, mode: Mode, key: bytes, entry: bytes) -> bytes:
        """Give what to say in place of `entry`; b"" to say the truth."""
        match mode:
            case Mode.FORGED:
                return self._altered(entry or self._first.get(key, b""))
            case Mode.SWAPPED:
                others = [name for name in self._first if name != key]
                return self._first[self._chance.choice(others)] if others else b""
            case Mode.REPLAYED:
                return self._first.get(key, b"")
        return b""

    def _altered(self, entry: bytes) -> bytes:
        """Give an entry with one bit turned, cut short, or of random bytes."""
        way = self._chance.randrange(3)
        if not entry or way == 0:
            return self._chance.randbytes(200)
        place = self._chance.randrange(len(entry))
        if way == 1:
            return entry[: place or 1]
        turned = bytes([entry[place] ^ 1 << self._chance.randrange(8)])
        return entry[:place] + turned + entry[place + 1 :]


def _all_of(reader: hiredis.Reader) -> list[object]:
    found: list[object] = []
    while (item := reader.gets()) is not False:
        found.append(item)
    return found


async def _answers(
    upstream: asyncio.StreamReader, replies: hiredis.Reader, number: int
) -> list[object]:
    found: list[object] = []
    while len(found) < number:
        data = await upstream.read(_READ_BYTES)
        if not data:
            raise ConnectionResetError("Redis went away")
        replies.feed(data)
        found += _all_of(replies)
    return found


def _packed(reply: object) -> bytes:
    """Write a reply of the kinds that GET, SET, PING and SELECT have."""
    match reply:
        case None:
            return b"$-1\r\n"
        case bytes() if reply in (b"OK", b"PONG"):
            return b"+%s\r\n" % reply
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(reply), reply)
        case int():
            return b":%d\r\n" % reply
        case _:
            return b"-%s\r\n" % str(reply).encode()
