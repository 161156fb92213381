"""A bad line between a node and its secondary node: late, thin, in crumbs, cut or noisy.

It knows nothing of gRPC: what it spoils are bytes, as a network does. Invariants: over a line that
is OPEN or SLICED every byte arrives, in order; `spoilt` counts the connections that were cut or
made noise of; `hung_up` counts, by side, which end closed a connection first.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from loadtest.trials.loopback_proxy import LoopbackProxy

NODE, PEER = "node", "peer"
_Spoiler = Callable[[bytes], Iterable[bytes]]
_READ_BYTES = 65_536
_CRUMB_BYTES = 7
# Where a connection is spoilt: at its first byte as likely as behind a thousand messages.
_SPOILT_WITHIN_DECADES = 5
# A thin line is read in small pieces, and holds no more than a network does.
_THIN_BYTES, _PIECES_ON_THE_LINE = 4_096, 256


class Manner(Enum):
    """How a connection carries what the peer answers."""

    OPEN = "whole"
    SLICED = "in pieces of a few bytes"
    CUT = "broken in the middle of an answer"
    NOISE = "turned into random bytes from some place on"


@dataclass(frozen=True, slots=True)
class Shape:
    """`delay_s` is added to answers; `bytes_per_s` bounds each direction, 0 = not at all."""

    delay_s: float = 0.0
    bytes_per_s: int = 0


class LinkProxy(LoopbackProxy):
    """Stands before a secondary node. `manners` and `shape` hold for connections opened later."""

    def __init__(self, upstream_port: int, chance: random.Random) -> None:
        self._chance = chance
        self.manners: Sequence[Manner] = (Manner.OPEN,)
        self.shape = Shape()
        self.connections = 0
        self.spoilt: Counter[Manner] = Counter()
        self.hung_up: Counter[str] = Counter()
        super().__init__(upstream_port, "link-proxy")

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        self.connections += 1
        manner, shape = self._chance.choice(self.manners), self.shape
        asking = _Direction(reader, upstream[1], Shape(0.0, shape.bytes_per_s))
        answering = _Direction(upstream[0], writer, shape)
        ways = {
            asyncio.ensure_future(asking.carry(_whole)): NODE,
            asyncio.ensure_future(answering.carry(self._spoiler(manner))): PEER,
        }
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            self.hung_up.update({ways[way] for way in done})
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            upstream[1].close()

    def _spoiler(self, manner: Manner) -> _Spoiler:
        place = int(10 ** self._chance.uniform(0, _SPOILT_WITHIN_DECADES))
        match manner:
            case Manner.SLICED:
                return _Sliced()
            case Manner.CUT:
                return _Cut(place, self.spoilt)
            case Manner.NOISE:
                return _Noise(place, self.spoilt, self._chance)
            case Manner.OPEN:
                return _whole


class _Direction:
    """Bytes one way: read, kept for as long as the line takes, written."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, shape: Shape
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._shape = shape
        self._line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_ON_THE_LINE)

    async def carry(self, spoil: _Spoiler) -> None:
        """Carry until either end closes; return when the last byte was written."""
        departing = asyncio.ensure_future(self._depart())
        arriving = asyncio.ensure_future(self._arrive(spoil))
        try:
            # Arriving ends by itself after the last byte, or fails: then at once.
            await asyncio.wait({departing, arriving}, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            departing.cancel()
            arriving.cancel()
            await asyncio.gather(departing, arriving, return_exceptions=True)

    async def _depart(self) -> None:
        """Put what is read on the line, b"" at the end."""
        free_at, rate = 0.0, self._shape.bytes_per_s
        while True:
            data = await self._reader.read(_THIN_BYTES if rate else _READ_BYTES)
            now = time.monotonic()
            free_at = max(now, free_at) + (len(data) / rate if rate else 0.0)
            await self._line.put((free_at + self._shape.delay_s, data))
            if not data:
                return

    async def _arrive(self, spoil: _Spoiler) -> None:
        while True:
            due, data = await self._line.get()
            if not data:
                return
            if (wait_s := due - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            for piece in spoil(data):
                self._writer.write(piece)
                await self._writer.drain()


def _whole(data: bytes) -> Iterable[bytes]:
    return (data,)


class _Sliced:
    """Crumbs; each is written by itself, so that it may well arrive by itself."""

    def __call__(self, data: bytes) -> Iterable[bytes]:
        for start in range(0, len(data), _CRUMB_BYTES):
            yield data[start : start + _CRUMB_BYTES]


class _Cut:
    """Ends the connection after `left` bytes."""

    def __init__(self, left: int, spoilt: Counter[Manner]) -> None:
        self._left = left
        self._spoilt = spoilt

    def __call__(self, data: bytes) -> Iterable[bytes]:
        yield data[: self._left]
        self._left -= len(data)
        if self._left < 0:
            self._spoilt[Manner.CUT] += 1
            raise ConnectionResetError("cut")


class _Noise:
    """Puts random bytes in the place of everything after the first `left` bytes."""

    def __init__(self, left: int, spoilt: Counter[Manner], chance: random.Random) -> None:
        self._left = left
        self._spoilt = spoilt
        self._chance = chance
        self._has_begun = False

    def __call__(self, data: bytes) -> Iterable[bytes]:
        if len(data) > self._left and not self._has_begun:
            self._has_begun = True
            self._spoilt[Manner.NOISE] += 1
        true = data[: self._left]
        self._left -= len(true)
        yield true + self._chance.randbytes(len(data) - len(true))
