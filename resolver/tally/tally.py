"""Notes the look-ups of one process in memory and writes them to its spool, often.

Noting is adding some forty bytes to a buffer. Every `flush_s`, and at FULL events, the buffer
becomes one block of one write. So a process that is killed loses what it noted in `flush_s` at
most, or FULL events: what is counted is never more than what was answered.

Invariants: nothing here raises into an answer; an event is written once or counted as dropped, and
the number dropped is written with the next block that can be; agents are named in the file that
refers to them. One event loop owns a Tally.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from node.domain.resolution_spool import encode_block
from resolver.tally.spool_files import SpoolFiles
from resolver.tally.web_clients import Visitor, WebClients

_log = structlog.get_logger(__name__)

FULL = 8_192
PARTS = 2  # of an event: channel with subject, client
SYNC_S = 1.0


@dataclass(slots=True)
class TallyCounts:
    """What became of the look-ups noted since the process started.

    `written`: events in spools; `blocks`: writes; `dropped`: events for which there was no room, or
    which the disk did not take; `failures`: writes that failed.
    """

    written: int = 0
    blocks: int = 0
    dropped: int = 0
    failures: int = 0


class Tally:
    """Notes look-ups; `start` before use, `close` at the end. `clock_ms` gives Unix time in ms."""

    def __init__(
        self,
        spool: SpoolFiles,
        clients: WebClients,
        *,
        clock_ms: Callable[[], int],
        flush_s: float,
        counts: TallyCounts,
    ) -> None:
        self._spool = spool
        self._clock_ms = clock_ms
        self._flush_s = flush_s
        self._counts = counts
        # Copied at once: bytes of an answer are in the processor's cache now, and later not.
        self._buffer = bytearray()
        self._events = 0  # in the buffer
        self._dropped = 0  # and not yet written
        self._is_dropping = False
        self._timer: asyncio.TimerHandle | None = None
        self._synced_at = 0.0
        self._web = clients
        self.epoch = clients.epoch  # differs when parts made by `web_client` must be made anew

    def start(self) -> None:
        """Write from now on what is noted."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._flush_s, self._tick)

    async def close(self) -> None:
        """Write what is noted and bring it to the disk; nothing may be noted afterwards."""
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        await asyncio.to_thread(self._spool.close)

    def note(self, event: bytes, client: bytes) -> None:
        """Note a look-up: channel with subject, and client (`node.domain.resolution_event`)."""
        buffer = self._buffer
        buffer += event
        buffer += client
        self._events += 1
        if self._events >= FULL:
            self.flush()

    def note_all(self, parts: list[bytes]) -> None:
        """Note look-ups: of each in turn channel with subject, and client."""
        self._buffer += b"".join(parts)
        self._events += len(parts) // PARTS
        if self._events >= FULL:
            self.flush()

    def web_client(self, peer: str, forwarded: bytes, agent: bytes) -> bytes:
        """Return the client part of who speaks HTTP, as in `WebClients.part`."""
        return self._web.part(peer, forwarded, agent)

    def note_visit(self, channel: bytes, subject: bytes, visitor: Visitor, actor: str = "") -> None:
        """Note a look-up over HTTP, as in `WebClients.part_of_visitor`."""
        self.note(channel + subject, self._web.part_of_visitor(visitor, actor))

    def is_proxy(self, peer: str) -> bool:
        """Say whether what an HTTP peer forwards is believed."""
        return self._web.is_proxy(peer)

    def flush(self) -> None:
        """Write what is noted, as one block."""
        spool, events = self._spool, self._events
        if events and not spool.has_room:
            self._drop(events, reason="spool_limit")
            events = 0
        at_ms = self._clock_ms()
        if events or self._dropped:
            self._write(at_ms, events)
        self._buffer.clear()
        self._events = 0
        spool.close_if_over(at_ms)
        if not spool.is_open:
            # Agents have numbers of one file, and the next event may be in another.
            self._web.forget()
            self.epoch = self._web.epoch

    def _write(self, at_ms: int, events: int) -> None:
        payload = b"".join((*self._web.names, self._buffer)) if events else b""
        block = encode_block(at_ms, payload, events=events, dropped=self._dropped)
        try:
            self._spool.append(block, at_ms)
        except OSError as error:
            self._counts.failures += 1
            self._drop(events, reason=repr(error))
            return
        self._counts.blocks += 1
        self._counts.written += events
        self._dropped = 0
        if events:
            self._web.names.clear()
            if self._is_dropping:
                self._is_dropping = False
                _log.warning("tally_goes_on", dropped=self._counts.dropped)

    def _drop(self, events: int, *, reason: str) -> None:
        self._dropped += events
        self._counts.dropped += events
        if not self._is_dropping:
            self._is_dropping = True
            _log.error("tally_drops", reason=reason)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._flush_s, self._tick)
        self.flush()
        now = self._loop.time()
        if now - self._synced_at >= SYNC_S:
            self._synced_at = now
            self._spool.look_after()


class NoTally:
    """Notes nothing: for processes that do not count."""

    def __init__(self) -> None:
        self.epoch = 0

    def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    def note(self, _event: bytes, _client: bytes) -> None:
        """Do nothing."""

    def note_all(self, _parts: list[bytes]) -> None:
        """Do nothing."""

    def web_client(self, _peer: str, _forwarded: bytes, _agent: bytes) -> bytes:
        """Return nothing."""
        return b""

    def note_visit(
        self, _channel: bytes, _subject: bytes, _visitor: Visitor, _actor: str = ""
    ) -> None:
        """Do nothing."""

    def is_proxy(self, _peer: str) -> bool:
        """Believe nobody: it is of no use here."""
        return False


AnyTally: TypeAlias = Tally | NoTally
NO_TALLY = NoTally()
