"""The Handle protocol over TCP: the connections of a process and the limits they share.

One sweep a second looks at all connections, as in the HTTP front: a timer for each message would
cost a tenth of an answer. In between, connections note the sweep's time.

Invariants: at most `connections` are open, `source_connections` of one client; when there are as
many, the oldest idle one makes room, and without an idle one the newcomer is turned away. Bytes of
unfinished messages are bounded over all connections, and so are, within a sweep, those not read by
their receivers. A connection is never cut while it waits for our own answer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Iterable
from contextlib import suppress

from resolver.handle.hot_answers import HotAnswers
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.server import HandleServer
from resolver.handle.tcp_connection import TCPConnection, TCPLimits
from resolver.tally.tally import NO_TALLY, AnyTally

BACKLOG = 2_048
# A peer that vanished without a word is noticed within half a minute.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class TCPListener:
    """One listening socket; `start`, then `stop`. The socket stays its maker's to close."""

    def __init__(
        self,
        opened: socket.socket,
        *,
        hot: HotAnswers,
        server: HandleServer,
        limits: TCPLimits,
        counts: ListenerCounts,
        tally: AnyTally = NO_TALLY,
    ) -> None:
        self._socket = opened
        self._accepting: asyncio.Server | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        # Oldest first: a dict keeps the order in which they were opened.
        self._connections: dict[TCPConnection, None] = {}
        self._of_source: dict[str, dict[TCPConnection, None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_closed = asyncio.Event()
        self.hot = hot
        self.server = server
        self.limits = limits
        self.counts = counts
        self.tally = tally
        self.now = 0.0  # monotonic, of the last sweep
        self.unix_now = 0.0
        self.unfinished_bytes = 0

    def __len__(self) -> int:
        return len(self._connections)

    async def start(self) -> None:
        """Accept connections from now on; raise OSError when another process does here."""
        for level, option, value in _KEEPALIVE:
            self._socket.setsockopt(level, option, value)  # connections inherit them
        self._sweep()
        self._accepting = await asyncio.get_running_loop().create_server(
            lambda: TCPConnection(self), sock=self._socket, backlog=BACKLOG
        )

    async def stop(self, grace_s: float) -> None:
        """Accept nothing more, let requests under way end within the grace, close the rest."""
        if self._accepting is not None:
            self._accepting.close()
        for connection in list(self._connections):
            connection.finish()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), grace_s)
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in list(self._connections):
            connection.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a task and keep it until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def admit(self, connection: TCPConnection, source: str) -> bool:
        """Enter a new connection, closing an idle one for it when there is no room."""
        mine = self._of_source.setdefault(source, {})
        is_welcome = True
        if len(mine) >= self.limits.source_connections:
            is_welcome = self._close_oldest_idle(mine)
        elif len(self._connections) >= self.limits.connections:
            is_welcome = self._close_oldest_idle(self._connections)
        self._connections[connection] = mine[connection] = None
        self._all_closed.clear()
        return is_welcome

    def release(self, connection: TCPConnection, source: str) -> None:
        """Strike a connection that has ended."""
        self._connections.pop(connection, None)
        mine = self._of_source.get(source, {})
        mine.pop(connection, None)
        if not mine:
            self._of_source.pop(source, None)
        if not self._connections:
            self._all_closed.set()

    def _close_oldest_idle(self, connections: Iterable[TCPConnection]) -> bool:
        self.counts.tcp_crowded += 1
        oldest = next((c for c in connections if c.is_idle), None)
        if oldest is not None:
            oldest.abort()
        return oldest is not None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = loop.call_later(self.limits.sweep_s, self._sweep)
        self.now, self.unix_now = loop.time(), self.hot.clock()
        unread = 0
        for connection in list(self._connections):
            if connection.is_overdue(self.now):
                self.counts.tcp_slow += 1
                connection.abort()
                continue
            unread += connection.unread_bytes
            if unread > self.limits.unread_bytes:
                self.counts.tcp_crowded += 1
                connection.abort()
