"""Cuts off connections that are too slow, and keeps the coarse time the HTTP front works with.

uvicorn has no deadline for receiving a request, and a timer per request would cost a tenth of a
look-up. One sweep per process looks at all connections about once a second instead; in between,
connections only note the sweep's time, so limits are kept to within one or two sweeps.

Invariants: `now` and `date_line` are fresh while any connection is watched and the sweep sleeps
otherwise; a connection waiting for our own answer is never cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


@dataclass(frozen=True, slots=True)
class FrontLimits:
    """What one client, and all together, may take.

    Seconds: `header_timeout_s` from the first byte (or the connection) to the end of the header
    block; `body_timeout_s` to finish a body or make `body_rate` bytes/s of progress;
    `write_timeout_s` without reading what was sent; `idle_timeout_s` between requests.
    Bytes: `url_bytes`, `head_bytes` (whole header block). Counts: `header_fields`; `pipelined`
    requests waiting on one connection; `connections` of one process.
    """

    header_timeout_s: float = 10.0
    body_timeout_s: float = 15.0
    body_rate: int = 1024
    write_timeout_s: float = 20.0
    idle_timeout_s: float = 60.0
    url_bytes: int = 8192
    head_bytes: int = 65_536
    header_fields: int = 100
    pipelined: int = 256
    connections: int = 20_000

    @property
    def sweep_s(self) -> float:
        """Return the time between sweeps: a second, or less for short limits."""
        shortest = min(
            self.header_timeout_s, self.body_timeout_s, self.write_timeout_s, self.idle_timeout_s
        )
        return min(1.0, shortest / 4)


class Watched(Protocol):
    """A connection under the deadlines."""

    def cut_if_overdue(self, now: float) -> None:
        """Close the connection if a limit has passed."""
        ...


class Deadlines:
    """The sweep of one process; `clock` gives Unix time for the Date field."""

    def __init__(self, limits: FrontLimits, *, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.now = 0.0
        self.date_line = b""
        self.ok_lines = b""

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, connection: Watched) -> None:
        """Put a new connection under the deadlines."""
        if self._timer is None:
            self._read_clocks()
            self._timer = asyncio.get_running_loop().call_later(self.limits.sweep_s, self._sweep)
        self._watched.add(connection)

    def release(self, connection: Watched) -> None:
        """Stop watching; does nothing when it is not watched."""
        self._watched.discard(connection)

    def _sweep(self) -> None:
        self._timer = None
        if self._watched:
            self._read_clocks()
            self._timer = asyncio.get_running_loop().call_later(self.limits.sweep_s, self._sweep)
        for connection in list(self._watched):
            connection.cut_if_overdue(self.now)

    def _read_clocks(self) -> None:
        self.now = asyncio.get_running_loop().time()
        # RFC 9110 §6.6.1; both lines ready to write, as they stand before almost every reply.
        self.date_line = b"Date: %s\r\n" % formatdate(self._clock(), usegmt=True).encode()
        self.ok_lines = STATUS_LINE[200] + self.date_line
