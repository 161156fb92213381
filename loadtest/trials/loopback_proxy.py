"""What proxies of the trials have in common: a loopback port served by a thread of its own.

Invariants: it listens on a free port from construction until close(), which breaks every connection
and returns when none is left; what happens on a connection is the business of the class derived.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


class LoopbackProxy(ABC):
    """Listens before a server at `upstream_port` of this machine."""

    def __init__(self, upstream_port: int, name: str) -> None:
        self._upstream_port = upstream_port
        self._sessions: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        self._server = self._in_loop(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Break every connection and stop listening."""
        self._in_loop(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def break_connections(self) -> None:
        """Break every connection; new ones are served as before."""
        self._in_loop(self._break())

    @abstractmethod
    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends; OSError and its own cancellation end it too."""

    def _in_loop(self, work: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _stop(self) -> None:
        self._server.close()
        await self._break()

    async def _break(self) -> None:
        sessions = list(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._relay(reader, writer)
        finally:
            self._sessions.discard(session)
            writer.close()
