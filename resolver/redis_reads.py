"""One pipelined connection to Redis: many reads, one write per event-loop tick.

hiredis packs the commands and parses the replies; this module only keeps their order and bounds.

Invariants: replies are handed out in the order of the requests, each exactly once, with None for
"nothing, or no answer"; the connection is given up as soon as one reply is `timeout_s` late, since
behind it every other one is late too; never more than `waiting_limit` requests wait; callbacks run
in the event loop and must not raise.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import hiredis
from redis.connection import parse_url

from node.errors import Unavailable

Deliver = Callable[[bytes | None], None]

# A cache write is the first thing to leave out when Redis falls behind.
_WRITES_SHARE = 4


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis listens: a Unix socket `path`, or `host` and `port`; "" means no password."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    database: int = 0
    username: str = ""
    password: str = ""


def parse_address(url: str) -> RedisAddress:
    """Read `redis://[user:password@]host:port/db` or `unix://path?db=n`; raise ValueError."""
    parts = parse_url(url)  # type: ignore[no-untyped-call]
    return RedisAddress(
        host=str(parts.get("host", "127.0.0.1")),
        port=int(parts.get("port", 6379)),
        path=str(parts.get("path", "")),
        database=int(parts.get("db", 0)),
        username=str(parts.get("username") or ""),
        password=str(parts.get("password") or ""),
    )


class RedisConnection(asyncio.Protocol):
    """A live connection; `lost` completes, with the reason, when it is over."""

    def __init__(self, *, timeout_s: float, waiting_limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._waiting_limit = waiting_limit
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[float, Deliver]] = deque()
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[str] = self._loop.create_future()

    def get(self, key: bytes, deliver: Deliver) -> bool:
        """Ask for a key; False, and `deliver` is never called, when too many wait already."""
        if len(self._waiting) >= self._waiting_limit:
            return False
        self._send((b"GET", key), deliver)
        return True

    def set(self, key: bytes, value: bytes, *, ttl_s: int) -> bool:
        """Store a key for `ttl_s` seconds; False when it was left out because Redis is behind."""
        if len(self._waiting) * _WRITES_SHARE >= self._waiting_limit:
            return False
        self._send((b"SET", key, value, b"EX", b"%d" % ttl_s), _ignore)
        return True

    async def ask(self, *command: bytes) -> bytes:
        """Send one command and return its reply; raise Unavailable when there is none."""
        reply: asyncio.Future[bytes | None] = self._loop.create_future()
        self._send(command, lambda data: None if reply.done() else reply.set_result(data))
        data = await reply
        if data is None:
            raise Unavailable(code="redis")
        return data

    def close(self, reason: str = "closed") -> None:
        """End the connection; everything that waits is told None."""
        if not self.lost.done():
            self.lost.set_result(reason)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for _, deliver in waiting:
            deliver(None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.close("lost")

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not False:
                # Something nobody asked for: the order is lost, and with it every later reply.
                if not self._waiting:
                    self.close("unexpected reply")
                    return
                _, deliver = self._waiting.popleft()
                deliver(reply if isinstance(reply, bytes) else None)
        except hiredis.ProtocolError:
            self.close("protocol error")

    def _send(self, command: tuple[bytes, ...], deliver: Deliver) -> None:
        if self.lost.done():
            deliver(None)
            return
        self._waiting.append((self._loop.time(), deliver))
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(hiredis.pack_command(command))  # type: ignore[arg-type] # stub of 3.5
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout_s, self._check_oldest)

    def _flush(self) -> None:
        commands, self._unsent = self._unsent, []
        if self._transport is not None and not self.lost.done():
            self._transport.write(b"".join(commands))

    def _check_oldest(self) -> None:
        """Give up when the oldest request is late; one timer serves all requests."""
        self._watch = None
        if not self._waiting:
            return
        remaining = self._waiting[0][0] + self._timeout_s - self._loop.time()
        if remaining <= 0:
            self.close("timeout")
        else:
            self._watch = self._loop.call_later(remaining, self._check_oldest)


def _ignore(_: bytes | None) -> None:
    """Take the reply to a write: a failed one is a later miss."""


async def connect(
    address: RedisAddress, *, timeout_s: float, waiting_limit: int
) -> RedisConnection:
    """Open a connection that has answered PING; raise Unavailable after `timeout_s` or refusal."""
    loop = asyncio.get_running_loop()

    def protocol() -> RedisConnection:
        return RedisConnection(timeout_s=timeout_s, waiting_limit=waiting_limit)

    try:
        async with asyncio.timeout(timeout_s):
            if address.path:
                _, connection = await loop.create_unix_connection(protocol, address.path)
            else:
                _, connection = await loop.create_connection(protocol, address.host, address.port)
    except (OSError, TimeoutError) as error:
        raise Unavailable(code="redis") from error
    try:
        await _greet(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


async def _greet(connection: RedisConnection, address: RedisAddress) -> None:
    if address.password:
        user = (address.username.encode(),) if address.username else ()
        await connection.ask(b"AUTH", *user, address.password.encode())
    if address.database:
        await connection.ask(b"SELECT", b"%d" % address.database)
    await connection.ask(b"PING")
