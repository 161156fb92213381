"""One TCP connection of the Handle protocol: requests in, replies out.

Clients differ: some close after one answer, some half-close and read to the end, some keep the
connection and ask on, those of the IDIS dialect ask many things at once and match replies by
RequestId alone. So a connection takes request after request, answers them in order (in the IDIS
dialect side by side), and ends when the client has finished or is silent for too long.

Invariants: a request is looked at when all of it is there, and stays in the buffer until it can be
worked on; no length beyond the protocol's is waited for; while a client does not read, nothing more
is read or made for it. What the server was given is finished even if the client has gone.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from node.domain.resolution_event import Channel, client_part, packed_address
from node.errors import InvalidInput
from resolver.handle.allowances import source_of
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.hot_answers import HotAnswers, ReadyMessage, request_key
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.message import check_length
from resolver.handle.server import Connection, HandleServer
from resolver.tally.outcomes import NotedLookUp
from resolver.tally.tally import AnyTally

_log = structlog.get_logger(__name__)

UNREAD_BYTES = 262_144  # above this, no further answer is made
READ_AHEAD_BYTES = 65_536  # above this, nothing is read while requests are at work
SMALL_BYTES = 4_096  # so much of a request anybody may leave unfinished, however crowded it is
_TCP = Channel.HANDLE_TCP.part
_RESET = struct.pack("ii", 1, 0)  # struct linger: on, no time


@dataclass(frozen=True, slots=True)
class TCPLimits:
    """What one client, and all together, may take.

    Seconds: `idle_s` without a message, `login_idle_s` on a connection with a login or of the IDIS
    dialect, `message_s` for a message to arrive or an answer to be read. Counts: `connections`,
    `source_connections` of one client; `pipelined` requests at work on one IDIS connection. Bytes:
    `unfinished_bytes` of messages that have not all arrived, `unread_bytes` of answers that have
    not been read, each of all connections.
    """

    idle_s: float = 5.0
    login_idle_s: float = 600.0
    message_s: float = 15.0
    connections: int = 10_000
    source_connections: int = 256
    pipelined: int = 64
    unfinished_bytes: int = 64 << 20
    unread_bytes: int = 128 << 20

    @property
    def sweep_s(self) -> float:
        """Return the time between sweeps: a second, or less for short limits."""
        return min(1.0, self.idle_s / 4, self.message_s / 4)


class House(Protocol):
    """What the connections of a process share."""

    hot: HotAnswers
    server: HandleServer
    counts: ListenerCounts
    tally: AnyTally
    limits: TCPLimits
    now: float  # monotonic, of the last sweep
    unix_now: float
    unfinished_bytes: int

    def admit(self, connection: TCPConnection, source: str) -> bool:
        """Enter a new connection; say whether it may stay."""
        ...

    def release(self, connection: TCPConnection, source: str) -> None:
        """Strike a connection that has ended."""
        ...

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a task and keep it until it ends."""
        ...


class TCPConnection(asyncio.Protocol):
    """One connection; the event loop calls what asyncio.Protocol names."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._memory = house.hot.memory
        self._counts = house.hot.counts
        self._note = house.tally.note
        self._client = b""  # what is noted of who asks
        self._buffer = bytearray()
        self._needed = ENVELOPE_BYTES  # bytes of the buffer until it can be looked at again
        self._counted_bytes = 0  # of the buffer, in `House.unfinished_bytes`
        self._under_way = 0
        # Nothing is buffered, under way or unread: what comes may be answered on the spot.
        self._is_clear = True
        self._is_going_on = False
        self._is_reading = True
        self._is_at_end = False  # no further request will come, or be looked at
        self._has_finished = False  # the client: it will send nothing more
        self._is_finishing = False
        self._is_shut = False
        self._can_write = True
        self._writable: asyncio.Future[None] | None = None
        self._heard_at = self._began_at = self._unread_since = house.now

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place in the house, or leave at once."""
        self._transport = transport
        transport.set_write_buffer_limits(high=UNREAD_BYTES)
        address = transport.get_extra_info("peername")
        host = address[0] if address else ""
        self._source = source_of(host)
        self._address = packed_address(host)
        self._client = client_part(self._address)
        self.peer = Connection(peer=host, transport="tcp", allows_administration=True)
        if not self._house.admit(self, self._source):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place free; what is under way ends by itself."""
        self._house.release(self, self._source)
        self._buffer.clear()
        self._count_bytes()
        self._release_writer()

    def data_received(self, data: bytes) -> None:
        """Answer one ready request on the spot, or keep the bytes until a request is whole."""
        house = self._house
        self._heard_at = house.now
        if self._is_clear:
            ready = self._memory.young_ready.get(data[:8] + data[12:36] + data[40:])
            if (
                isinstance(ready, ReadyMessage)
                and ready.answer.alive
                and ready.stale_at > house.unix_now
            ):
                self._counts.memory += 1
                self._transport.write(b"".join((ready.head, data[8:12], ready.body)))
                self._note(_TCP + ready.subject, self._client)
                return
        if not self._is_at_end:
            if not self._buffer:
                self._began_at = house.now
            self._buffer += data
            self._go_on()

    def eof_received(self) -> bool:
        """Answer what was asked before the client finished, then close."""
        self._is_at_end = self._has_finished = True
        self._go_on()
        return True

    def pause_writing(self) -> None:
        """Make no further answers until the client has read."""
        self._can_write, self._unread_since = False, self._house.now
        self._go_on()

    def resume_writing(self) -> None:
        """Go on answering."""
        self._can_write = not self._is_shut
        self._release_writer()
        self._go_on()

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is lost but a reconnection if it is closed now."""
        return not self._under_way and not self._is_lasting

    @property
    def unread_bytes(self) -> int:
        """How many bytes the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def is_overdue(self, now: float) -> bool:
        """Say whether the client has been too slow, or silent for too long."""
        limits = self._house.limits
        if not self._can_write:
            return now - self._unread_since > limits.message_s
        if self._under_way:
            return False
        if self._buffer and now - self._began_at > limits.message_s:
            return True
        return now - self._heard_at > (limits.login_idle_s if self._is_lasting else limits.idle_s)

    def finish(self) -> None:
        """Start on no further request and close after the last answer."""
        self._is_finishing = True
        self._go_on()

    def abort(self) -> None:
        """Close at once; what the client has not read is not kept for it, nor by the kernel."""
        if self.unread_bytes:
            opened = self._transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    @property
    def _is_lasting(self) -> bool:
        return self.peer.dialect == "idis" or self.peer.login is not None

    def _may_start(self) -> bool:
        at_once = self._house.limits.pipelined if self.peer.dialect == "idis" else 1
        return (
            self._can_write
            and self._under_way < at_once
            and not self._is_finishing
            and not self._transport.is_closing()
        )

    def _go_on(self) -> None:
        """Start what can be started, in a loop: an answer from memory would else recurse."""
        if self._is_going_on:
            return
        self._is_going_on = True
        while self._may_start() and (request := self._take_request()):
            self._under_way += 1
            self._start(request)
        self._is_going_on = False
        self._count_bytes()
        self._read_or_pause()
        self._is_clear = self._may_start() and not (self._buffer or self._under_way)
        if not self._under_way and (self._is_finishing or self._is_at_end):
            self._close()

    def _take_request(self) -> bytes:
        """Return the next request, at the end even one that is not whole, or b""."""
        buffer = self._buffer
        if len(buffer) >= ENVELOPE_BYTES and self._needed == ENVELOPE_BYTES:
            length = int.from_bytes(buffer[16:20])
            try:
                check_length(length)
            except InvalidInput:
                # Where the next one would begin is unknown. The server says what was wrong.
                self._house.counts.tcp_malformed += 1
                self._is_at_end = True
                return self._take(len(buffer))
            self._needed += length
        if len(buffer) < self._needed:
            return self._take(len(buffer)) if self._is_at_end else b""
        return self._take(self._needed)

    def _take(self, size: int) -> bytes:
        request = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._needed = ENVELOPE_BYTES
        return request

    def _start(self, request: bytes) -> None:
        ready = self._house.hot.find(request_key(request))
        if ready is not None:
            self._counts.memory += 1
            self._deliver(request, ready.for_request(request), ready.subject)
        else:
            self._house.hot.answer(request, partial(self._deliver, request))

    def _deliver(self, request: bytes, reply: bytes | None, subject: bytes) -> None:
        if reply is None:
            self._house.spawn(self._serve(request))
            return
        if not self._transport.is_closing():
            self._transport.write(reply)
            self._note(_TCP + subject, self._client)
        self._end_one()

    async def _serve(self, request: bytes) -> None:
        noted: list[NotedLookUp] = []
        try:
            async for reply in self._house.server.answer(request, self.peer, noted.append):
                if self._transport.is_closing():
                    break
                self._transport.write(reply)
                for subject, actor in noted:
                    self._note(_TCP + subject, client_part(self._address, actor))
                noted.clear()
                await self._until_writable()
        except Exception as error:  # noqa: BLE001 - stream edge: a request ends nothing but itself
            self._house.counts.failed += 1
            _log.error("handle_request_failed", transport="tcp", error=repr(error))
        finally:
            self._end_one()

    def _end_one(self) -> None:
        self._under_way -= 1
        self._heard_at = self._began_at = self._house.now
        self._go_on()

    async def _until_writable(self) -> None:
        if not self._can_write and not self._transport.is_closing():
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._writable)

    def _release_writer(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def _read_or_pause(self) -> None:
        wanted = self._may_start() or len(self._buffer) < READ_AHEAD_BYTES
        if self._transport.is_closing() or wanted == self._is_reading:
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _count_bytes(self) -> None:
        size, house = len(self._buffer), self._house
        house.unfinished_bytes += size - self._counted_bytes
        self._counted_bytes = size
        if size > SMALL_BYTES and house.unfinished_bytes > house.limits.unfinished_bytes:
            house.counts.tcp_crowded += 1
            self._transport.abort()

    def _close(self) -> None:
        """End it when the last answer has been read, or the deadline for reading has passed."""
        if self._can_write:
            self._can_write, self._unread_since = False, self._house.now
        if self._has_finished or self._is_finishing:
            self._transport.close()
        elif not self._is_shut:
            # Closing while the client still sends would destroy the answer on its way.
            self._is_shut = True
            self._transport.write_eof()
