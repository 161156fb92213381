"""Both Handle listeners in the test's own event loop, on a real look-up path over a fake store."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from node.domain.resolution_event import Outcome, subject_part
from node.errors import NotFound
from resolver.handle.datagram_batches import is_among
from resolver.handle.hot_answers import HotAnswers
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.noting import Note, note_nothing
from resolver.handle.response_rate import ResponseRate
from resolver.handle.server import Connection, HandleServer
from resolver.handle.tcp_connection import TCPLimits
from resolver.handle.tcp_listener import TCPListener
from resolver.handle.udp_listener import UDPListener
from resolver.lookup import Lookup, create_lookup
from resolver.tally.outcomes import NotedLookUp
from tests.noted_look_ups import NotedLookUps
from tests.unit.resolver.fakes import FakeStore, parse_handle, rendered

NOW = 1_795_255_200.0
SERIAL = 7


class FakeServer(HandleServer):
    """Answers a request with its `replies`, else with itself; can be held, and made to fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Connection]] = []
        self.replies: dict[bytes, Iterable[bytes]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_broken = False
        self._arrivals = asyncio.Semaphore(0)

    async def answer(
        self, message: bytes, connection: Connection, note: Note = note_nothing
    ) -> AsyncIterator[bytes]:
        """Answer as told; every request counts as a look-up."""
        self.asked.append((message, connection))
        self._arrivals.release()
        await self.gate.wait()
        if self.is_broken:
            raise RuntimeError("broken on purpose")
        note(NotedLookUp(subject_part(Outcome.DENIED, "asked"), "handle:1:X"))
        for reply in self.replies.get(message, [message]):
            yield reply

    async def has_been_asked(self, times: int = 1) -> None:
        """Wait until so many more requests have arrived."""
        for _ in range(times):
            await self._arrivals.acquire()


def canonical(handle: str) -> str:
    """Read a handle below 1 or 86.1000 by rough rules."""
    identifier = parse_handle(handle)
    if identifier.prefix not in ("1", "86.1000"):
        raise NotFound(code="prefix_not_here")
    return identifier.key


@dataclass(slots=True)
class Listeners:
    """What runs, and where."""

    address: tuple[str, int]
    store: FakeStore
    lookup: Lookup
    server: FakeServer
    counts: ListenerCounts
    udp: UDPListener
    tcp: TCPListener
    hot: HotAnswers
    clock: Clock
    noted: NotedLookUps


@dataclass(slots=True)
class Clock:
    """Unix time that stands until it is moved."""

    now: float = field(default=NOW)

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@asynccontextmanager
async def running(
    *, limits: TCPLimits | None = None, rate: int = 1 << 30, unlimited: tuple[str, ...] = ()
) -> AsyncIterator[Listeners]:
    """Run both listeners on one free loopback port."""
    store, server, counts, clock = FakeStore(), FakeServer(), ListenerCounts(), Clock()
    noted = NotedLookUps()
    lookup = create_lookup(store, render=rendered)
    await lookup.start()
    hot = HotAnswers(lookup, canonical=canonical, site_serial=SERIAL, clock=clock)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        stream.bind(("127.0.0.1", 0))
        datagrams.bind(stream.getsockname())
        stream.setblocking(False)
        datagrams.setblocking(False)
        udp = UDPListener(
            datagrams,
            hot=hot,
            server=server,
            rate=ResponseRate(rate, is_unlimited=is_among(unlimited, socket.AF_INET)),
            counts=counts,
            tally=noted,
        )
        tcp = TCPListener(
            stream,
            hot=hot,
            server=server,
            limits=limits or TCPLimits(),
            counts=counts,
            tally=noted,
        )
        await tcp.start()
        udp.start()
        address = stream.getsockname()
        yield Listeners(address, store, lookup, server, counts, udp, tcp, hot, clock, noted)
        await asyncio.gather(tcp.stop(1.0), udp.stop(1.0))
    await lookup.stop()
