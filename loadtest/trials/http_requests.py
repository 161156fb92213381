"""Many HTTP requests side by side, each over one of a few kept connections.

Invariants: a connection carries one request at a time; answers are read whole (every answer of a
node has a Content-Length); a connection that broke is opened anew by the next request on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")
_CONTENT_LENGTH = b"content-length:"
ANSWER_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes


class KeptConnection:
    """A connection to a node on loopback that is opened when it is needed."""

    def __init__(self, port: int, key: str = "") -> None:
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        self._port = port
        self._fixed = f"Host: 127.0.0.1\r\n{authorization}"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", *, key: str = "") -> Reply:
        """Send a request and give its answer; `key` is its Idempotency-Key.

        Raises ConnectionError when the node went away, TimeoutError after ANSWER_LIMIT_S.
        """
        reader = await self._send(method, path, body, key)
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await _answer(reader)
        except asyncio.IncompleteReadError as error:
            self.close()
            raise ConnectionResetError("the answer ended early") from error
        except (OSError, TimeoutError):
            self.close()
            raise

    async def ask_and_hang_up(self, method: str, path: str, body: bytes, *, key: str) -> None:
        """Send a request and close the connection without waiting, as a lost network does."""
        await self._send(method, path, body, key)
        self.close()

    def close(self) -> None:
        """Close at once; the next request opens a new connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _send(self, method: str, path: str, body: bytes, key: str) -> asyncio.StreamReader:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        own = f"Idempotency-Key: {key}\r\n" if key else ""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}{own}{length}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        return reader


async def _answer(reader: asyncio.StreamReader) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    lengths = [line for line in lines if line.lower().startswith(_CONTENT_LENGTH)]
    size = int(lengths[0][len(_CONTENT_LENGTH) :]) if lengths else 0
    return Reply(int(status.split()[1]), await reader.readexactly(size))


async def spread(
    work: Iterable[_T],
    connections: int,
    connect: Callable[[], KeptConnection],
    handle: Callable[[KeptConnection, _T], Awaitable[None]],
) -> None:
    """Hand every piece of `work`, in order, to the next free one of `connections` connections."""
    waiting = iter(work)

    async def worker() -> None:
        connection = connect()
        try:
            for piece in waiting:
                await handle(connection, piece)
        finally:
            connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(worker())
