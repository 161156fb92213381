"""The HTTP server of a process: one socket, opened early, served late, stopped in bounded time.

Invariants: the address is taken before the node touches its data, so a second node on it fails at
once and changes nothing; nobody is connected before `serve`, so a balancer never meets a process
that is still starting.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import structlog
import uvicorn
from starlette.types import ASGIApp

from node.config import Config
from node.errors import InvalidInput
from resolver.front import Front
from resolver.http_early import request_protocol

_log = structlog.get_logger(__name__)

BACKLOG = 2048


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the node decides when which part stops."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listening:
    """An HTTP face of a process on its address; without an address it does nothing."""

    def __init__(self, config: Config, address: str, *, scheme: str = "http") -> None:
        self._http = config.http
        self._address = address
        self._scheme = scheme
        self._grace_s = config.shutdown.grace.total_seconds()
        self._socket = bind(address, shared=config.http.reuse_port)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Return the address as a URL; "" when the process does not listen."""
        return f"{self._scheme}://{self.address}" if self._socket is not None else ""

    @property
    def address(self) -> str:
        """Return `host:port`; "" when the process does not listen."""
        return bound_to(self._socket) if self._socket is not None else ""

    async def serve(self, app: ASGIApp, front: Front) -> None:
        """Accept connections from now on; raise InvalidInput if another process does here."""
        if self._socket is None:
            return
        with refusals(self._address):
            self._socket.listen(BACKLOG)
        settings = uvicorn.Config(
            app,
            http=self._protocol(front),
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # `AccessControl` decides which proxy is believed
            timeout_keep_alive=int(self._http.keep_alive.total_seconds()),
            timeout_graceful_shutdown=int(self._grace_s),
        )
        self._server = server = _Server(settings)
        self._serving = serving = asyncio.create_task(server.serve([self._socket]))
        # uvicorn says that it listens by a flag, not by an event.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if serving.done():
            serving.result()

    def _protocol(self, front: Front) -> type[asyncio.Protocol]:
        """Return what a connection speaks; raise InvalidInput if this process cannot."""
        return request_protocol(front)

    async def stop(self) -> None:
        """Accept nothing more and let requests under way end within the grace of the settings."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        done, _ = await asyncio.wait([self._serving], timeout=self._grace_s + 1)
        if not done:
            self._server.force_exit = True
            _log.warning("requests_cut", grace_s=self._grace_s)
            await asyncio.wait([self._serving], timeout=2)

    def close(self) -> None:
        """Give the address free."""
        if self._socket is not None:
            self._socket.close()


def bind(address: str, *, shared: bool) -> socket.socket | None:
    """Take `host:port` (None for ""); `shared`: processes that all say so may have it together.

    Raises InvalidInput when the address is taken, unknown or not allowed.
    """
    if not address:
        return None
    host, _, port = address.rpartition(":")
    with refusals(address):
        family, _, _, _, place = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A node that was restarted need not wait for the connections of its predecessor.
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            taken.bind(place)
        except OSError:
            taken.close()
            raise
    taken.setblocking(False)
    return taken


def bound_to(taken: socket.socket) -> str:
    """Return the `host:port` a socket has."""
    host, port = taken.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: str) -> bool:
    """Say whether `host:port` can be reached from this machine alone."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def refusals(address: str) -> Iterator[None]:
    """Turn an OSError about `host:port` into InvalidInput."""
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            f"无法监听 {address}:{error.strerror}",
            f"Cannot listen on {address}: {error.strerror}",
            code="cannot_listen",
        ) from error
