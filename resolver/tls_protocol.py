"""TLS between asyncio and a protocol that knows nothing of it, with pyOpenSSL's memory buffers.

asyncio's own TLS takes contexts of Python's `ssl` alone, which cannot accept certificates as
`tls_context` must. The protocol inside sees an ordinary transport once the handshake is done, and
nothing at all of a connection whose handshake fails.

Invariants: backpressure passes through in both directions (what is decrypted already waits while
reading is paused); a handshake ends within `handshake_timeout_s`, and at most `handshakes_limit`
are under way; no fault in what a client sends leaves this module: it ends the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from OpenSSL import SSL

from resolver.lookup_counts import LookupCounts
from resolver.tls_context import tls_extension

ASGI_TLS = "asgi_tls"
_HANDSHAKE_RECORD = 0x16
_CHUNK_BYTES = 65_536


@dataclass(slots=True)
class TLSService:
    """What the connections of one listener share.

    `context` may be replaced at any time and holds for connections to come. With `allows_plain`
    a connection that does not begin with a TLS record goes on without TLS, as on the one port of
    the Handle.Net software. `counts.cut_tls`: connections that a fault or delay of TLS ended.
    """

    context: SSL.Context
    counts: LookupCounts = field(default_factory=LookupCounts)
    handshake_timeout_s: float = 10.0
    handshakes_limit: int = 1_000
    allows_plain: bool = False
    handshakes: set[TLSProtocol] = field(default_factory=set)


class TLSProtocol(asyncio.Protocol):
    """One connection: encrypted bytes outside, `make_inner()`'s protocol inside."""

    def __init__(self, service: TLSService, make_inner: Callable[[], asyncio.Protocol]) -> None:
        self._service = service
        self._make_inner = make_inner
        self._inner: asyncio.Protocol | None = None
        self._raw: asyncio.Transport
        self._transport: TLSTransport
        self._timer: asyncio.TimerHandle
        self._tls = SSL.Connection(service.context, None)
        self._tls.set_accept_state()
        self._is_fresh = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        service = self._service
        self._timer = asyncio.get_running_loop().call_later(service.handshake_timeout_s, self._cut)
        if len(service.handshakes) >= service.handshakes_limit:
            self._cut()
        service.handshakes.add(self)

    def data_received(self, data: bytes) -> None:
        is_fresh, self._is_fresh = self._is_fresh, False
        if is_fresh and self._service.allows_plain and data[0] != _HANDSHAKE_RECORD:
            self._go_on_plain(data)
            return
        self._tls.bio_write(data)
        if self._inner is not None or self._shake_hands():
            self.read_on()

    def eof_received(self) -> None:
        """End with the client: half a TLS connection is none."""
        if self._inner is not None:
            self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_handshake()
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def set_inner(self, protocol: asyncio.Protocol) -> None:
        """Let another protocol go on with the connection."""
        self._inner = protocol

    def read_on(self) -> None:
        """Decrypt what has arrived and hand it inside, while that wants it."""
        while self._inner is not None and self._transport.wants_data:
            try:
                data = self._tls.recv(_CHUNK_BYTES)
            except SSL.WantReadError:
                self.flush()
                return
            except SSL.ZeroReturnError:
                self._inner.eof_received()
                self._transport.close()
                return
            except SSL.Error:
                self.flush()
                self._cut()
                return
            self._inner.data_received(data)

    def encrypt(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, encrypted, at once or when the client reads."""
        try:
            self._tls.sendall(data)
        except SSL.Error:
            self._cut()
        else:
            self.flush()

    def say_goodbye(self) -> None:
        """Send the alert that nothing more will come (RFC 8446 §6.1)."""
        try:
            self._tls.shutdown()
        except SSL.Error:
            return
        self.flush()

    def flush(self) -> None:
        """Send what TLS has produced."""
        parts: list[bytes] = []
        try:
            while True:
                parts.append(self._tls.bio_read(_CHUNK_BYTES))
        except SSL.WantReadError:
            if parts and not self._raw.is_closing():
                self._raw.write(b"".join(parts))

    def _shake_hands(self) -> bool:
        """Go on with the handshake; say whether it is done."""
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self.flush()
            return False
        except SSL.Error:
            self.flush()  # the alert that says why
            self._service.counts.cut_tls += 1
            self._raw.close()
            return False
        self.flush()
        self._end_handshake()
        self._transport = TLSTransport(self, self._raw, self._tls)
        self._inner = inner = self._make_inner()
        inner.connection_made(self._transport)
        return True

    def _go_on_plain(self, data: bytes) -> None:
        self._end_handshake()
        inner = self._make_inner()
        self._raw.set_protocol(inner)
        inner.connection_made(self._raw)
        inner.data_received(data)

    def _end_handshake(self) -> None:
        self._timer.cancel()
        self._service.handshakes.discard(self)

    def _cut(self) -> None:
        self._service.counts.cut_tls += 1
        self._raw.abort()


class TLSTransport(asyncio.Transport):
    """What the inner protocol writes to; made when the handshake is done."""

    def __init__(
        self, protocol: TLSProtocol, raw: asyncio.Transport, connection: SSL.Connection
    ) -> None:
        super().__init__()
        self._protocol = protocol
        self._raw = raw
        self._is_paused = False
        self._is_closing = False
        self._extra = {
            "sslcontext": connection.get_context(),
            ASGI_TLS: tls_extension(connection),
        }

    @property
    def wants_data(self) -> bool:
        """Say whether the inner protocol takes data now."""
        return not self._is_paused and not self.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._extra.get(name) or self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data and not self.is_closing():
            self._protocol.encrypt(data)

    def is_closing(self) -> bool:
        return self._is_closing or self._raw.is_closing()

    def close(self) -> None:
        if not self.is_closing():
            self._is_closing = True
            self._protocol.say_goodbye()
            self._raw.close()

    def abort(self) -> None:
        self._is_closing = True
        self._raw.abort()

    def pause_reading(self) -> None:
        self._is_paused = True
        if not self._raw.is_closing():
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        if not self._raw.is_closing():
            self._raw.resume_reading()
            # What was decrypted or received before the pause brings no new event.
            asyncio.get_running_loop().call_soon(self._protocol.read_on)

    def is_reading(self) -> bool:
        return self._raw.is_reading()

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol.set_inner(cast(asyncio.Protocol, protocol))

    def can_write_eof(self) -> bool:
        return False


def over_tls(
    service: TLSService, protocol: Callable[..., asyncio.Protocol]
) -> type[asyncio.Protocol]:
    """Return the class to give to uvicorn as `Config(http=…)`: `protocol` inside TLS."""

    class BoundTLSProtocol(TLSProtocol):
        def __init__(self, **settings: object) -> None:
            super().__init__(service, partial(protocol, **settings))

    return BoundTLSProtocol
