"""The Handle face of a process: one port for UDP and TCP, opened early, served late.

Invariants: the address is taken before the node touches its data, and for both transports or not at
all; nobody is answered before `serve`; a listener that fails ends the node, as every loop does.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass

from admin.listening import bind, bound_to, refusals
from node.config import Config
from node.config import Handle as HandleSettings
from resolver.handle.datagram_batches import RECEIVE_BUFFER_BYTES, is_among
from resolver.handle.hot_answers import HotAnswers
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.response_rate import ResponseRate
from resolver.handle.server import HandleServer
from resolver.handle.tcp_connection import TCPLimits
from resolver.handle.tcp_listener import TCPListener
from resolver.handle.udp_listener import UDPListener
from resolver.tally.tally import AnyTally

_TRIES_FOR_A_COMMON_PORT = 20


@dataclass(frozen=True, slots=True)
class _Listeners:
    udp: UDPListener
    tcp: TCPListener


class HandleListening:
    """The Handle face on its address; without an address it does nothing."""

    def __init__(self, config: Config) -> None:
        self._settings = config.handle
        self._grace_s = config.shutdown.grace.total_seconds()
        self._tcp, self._udp = _bind_both(config.handle)
        self._listeners: _Listeners | None = None

    @property
    def address(self) -> str:
        """Return `host:port`; "" when the process does not listen."""
        return "" if self._tcp is None else bound_to(self._tcp)

    async def serve(
        self, hot: HotAnswers, server: HandleServer, counts: ListenerCounts, tally: AnyTally
    ) -> None:
        """Answer from now on; raise InvalidInput if another process does here."""
        if self._tcp is None or self._udp is None:
            return
        settings = self._settings
        rate = ResponseRate(
            settings.udp_rate, is_unlimited=is_among(settings.udp_unlimited, self._udp.family)
        )
        self._listeners = listeners = _Listeners(
            UDPListener(self._udp, hot=hot, server=server, rate=rate, counts=counts, tally=tally),
            TCPListener(
                self._tcp,
                hot=hot,
                server=server,
                limits=_tcp_limits(settings),
                counts=counts,
                tally=tally,
            ),
        )
        with refusals(settings.listen):
            await listeners.tcp.start()
        listeners.udp.start()

    async def watch(self) -> None:
        """Wait for ever; raise OSError when a socket fails."""
        if self._listeners is None:
            await asyncio.Event().wait()
        else:
            await self._listeners.udp.failure()

    async def stop(self) -> None:
        """Take no more requests and let those under way end within the grace of the settings."""
        if self._listeners is not None:
            both = (self._listeners.tcp, self._listeners.udp)
            await asyncio.gather(*(listener.stop(self._grace_s) for listener in both))

    def close(self) -> None:
        """Give the address free."""
        for taken in (self._tcp, self._udp):
            if taken is not None:
                taken.close()


def _bind_both(settings: HandleSettings) -> tuple[socket.socket | None, socket.socket | None]:
    """Take the address for TCP and UDP; port 0 takes one that is free for both."""
    for tries_left in reversed(range(_TRIES_FOR_A_COMMON_PORT)):
        tcp = bind(settings.listen, shared=settings.reuse_port)
        if tcp is None:
            return None, None
        try:
            return tcp, _bind_udp(tcp, settings)
        except OSError as error:
            tcp.close()
            is_any = settings.listen.endswith(":0")
            if not (is_any and tries_left and error.errno == errno.EADDRINUSE):
                with refusals(settings.listen):
                    raise
    raise AssertionError("the last try returns or raises")


def _bind_udp(tcp: socket.socket, settings: HandleSettings) -> socket.socket:
    udp = socket.socket(tcp.family, socket.SOCK_DGRAM)
    try:
        # Not SO_REUSEADDR: with it a second node would take the first one's datagrams.
        if settings.reuse_port:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        udp.bind(tcp.getsockname())
    except OSError:
        udp.close()
        raise
    udp.setblocking(False)
    return udp


def _tcp_limits(settings: HandleSettings) -> TCPLimits:
    return TCPLimits(
        idle_s=settings.idle.total_seconds(),
        login_idle_s=settings.login_idle.total_seconds(),
        message_s=settings.message_timeout.total_seconds(),
        connections=settings.max_connections,
        source_connections=settings.source_connections,
    )
