"""The Handle protocol over UDP: batches in, ready replies out, the rest without hurry.

Each wake-up takes what has arrived, up to some hundred datagrams, and answers those whose reply is
ready in one call (`datagram_batches`). The others are put together from their packets, looked up,
or given to the server, and answered when their turn comes.

What is sent nothing: datagrams that cannot be part of a message, requests of a network that has had
its share (`response_rate`), answers beyond LONGEST_DATAGRAM_REPLY_BYTES, and errors that are longer
than one and a half times the question. So a forged source makes us send little, and a real one asks
again over TCP, as clients of the protocol do by themselves.

Each look-up that is sent an answer is noted; one that is sent nothing is not.

Invariants: at most `tasks` requests are with the server; no datagram ends anything but itself; a
socket that fails raises out of `failure`.
"""

from __future__ import annotations

import asyncio
import socket

import structlog

from node.domain.resolution_event import Channel, client_part, packed_address
from node.errors import InvalidInput
from resolver.handle.codes import EnvelopeFlag, ResponseCode
from resolver.handle.datagram_batches import BATCH, BatchSocket, Source
from resolver.handle.datagram_clients import DatagramClients
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.fragments import Reassembly, split
from resolver.handle.hot_answers import LONGEST_DATAGRAM_REPLY_BYTES, HotAnswers, ReadyMessage
from resolver.handle.listener_counts import ListenerCounts
from resolver.handle.response_rate import ResponseRate
from resolver.handle.server import Connection, HandleServer
from resolver.tally.outcomes import NotedLookUp
from resolver.tally.tally import NO_TALLY, PARTS, AnyTally

_log = structlog.get_logger(__name__)

MOST_ERROR_TO_QUESTION = 1.5
# What a request is charged for that has no ready reply: a full packet, whatever comes of it.
UNKNOWN_BYTES = 512
BATCHES_A_WAKE = 4
SETTLE_S = 0.1
_UDP = Channel.HANDLE_UDP.part
_RESPONSE_CODE = slice(ENVELOPE_BYTES + 4, ENVELOPE_BYTES + 8)
_ANSWERS = frozenset(
    code.to_bytes(4)
    for code in (
        ResponseCode.SUCCESS,
        ResponseCode.SERVICE_REFERRAL,
        ResponseCode.PREFIX_REFERRAL,
    )
)


class UDPListener:
    """One socket; `start`, then `stop`. The socket stays its maker's to close."""

    def __init__(
        self,
        opened: socket.socket,
        *,
        hot: HotAnswers,
        server: HandleServer,
        rate: ResponseRate,
        counts: ListenerCounts,
        tally: AnyTally = NO_TALLY,
        tasks: int = 1_000,
    ) -> None:
        self._socket = opened
        self._batch = BatchSocket(opened)
        self._hot = hot
        self._server = server
        self._rate = rate
        self._counts = counts
        self._tally = tally
        self._clients = DatagramClients(self._batch)
        self._most_tasks = tasks
        self._tasks: set[asyncio.Task[None]] = set()
        self._reassembly = Reassembly()
        self._settled_at = 0.0

    def start(self) -> None:
        """Take datagrams from now on."""
        loop = asyncio.get_running_loop()
        self._loop, self._failure = loop, loop.create_future()
        loop.add_reader(self._socket.fileno(), self._wake)

    async def failure(self) -> None:
        """Wait for ever; raise OSError when the socket fails."""
        await asyncio.shield(self._failure)

    async def stop(self, grace_s: float) -> None:
        """Take no more datagrams, let requests under way end within the grace, drop the rest."""
        self._loop.remove_reader(self._socket.fileno())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self) -> None:
        now = self._loop.time()
        if now - self._settled_at >= SETTLE_S:
            self._settled_at = now
            self._rate.settle(now)
            self._reassembly.expire(now)
        try:
            for _ in range(BATCHES_A_WAKE):
                datagrams = self._batch.receive()
                self._answer(datagrams)
                self._batch.flush()
                if len(datagrams) < BATCH:
                    return
        except OSError as error:
            self._loop.remove_reader(self._socket.fileno())
            if not self._failure.done():
                self._failure.set_exception(error)

    def _answer(self, datagrams: list[bytes]) -> None:
        """Lay out the replies that are ready and start on those that are not."""
        batch, rate, find = self._batch, self._rate, self._hot.find
        ready_at, now = self._hot.memory.young_ready.get, self._hot.clock()
        noted: list[bytes] = []
        note = noted.append
        addresses, client_of = batch.addresses, self._clients.known.get
        for number, datagram in enumerate(datagrams):
            key = datagram[:8] + datagram[12:36] + datagram[40:]  # `request_key`
            ready = ready_at(key)
            if (
                not isinstance(ready, ReadyMessage)
                or not ready.answer.alive
                or ready.stale_at < now
            ):
                ready = find(key)
                if ready is None:
                    self._start_on(number, datagram)
                    continue
            network, client = client_of(addresses[number]) or self._clients.learn(number)
            if not rate.allow(network, ready.size):
                self._counts.udp_limited += 1
            elif ready.packets:
                note(ready.event)
                note(client)
                for packet in ready.packets:
                    batch.reply(number, packet, datagram[8:12])
            else:
                self._counts.udp_withheld += 1
        self._hot.counts.memory += len(noted) // PARTS
        self._tally.note_all(noted)

    def _start_on(self, number: int, datagram: bytes) -> None:
        try:
            self._answer_unready(number, datagram)
        except Exception as error:  # noqa: BLE001 - datagram edge: a datagram ends nothing but itself
            self._counts.failed += 1
            _log.error("handle_datagram_failed", error=repr(error))

    def _answer_unready(self, number: int, datagram: bytes) -> None:
        network = self._batch.network(number)
        if not self._rate.allow(network, UNKNOWN_BYTES):
            self._counts.udp_limited += 1
            return
        source = self._batch.source(number)
        try:
            request = self._reassembly.add(datagram, source, now=self._loop.time())
        except InvalidInput:
            self._counts.udp_malformed += 1
            return
        if request is None:
            return

        def deliver(reply: bytes | None, subject: bytes) -> None:
            if reply is not None:
                if self._reply(request, network, source, reply):
                    self._note(source, NotedLookUp(subject, ""))
            else:
                self._ask_server(request, network, source)

        self._hot.answer(request, deliver)

    def _ask_server(self, request: bytes, network: int, source: Source) -> None:
        if len(self._tasks) >= self._most_tasks:
            self._counts.udp_crowded += 1
            return
        task = self._loop.create_task(self._serve(request, network, source))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, request: bytes, network: int, source: Source) -> None:
        connection = Connection(peer=source[0], transport="udp", allows_administration=False)
        noted: list[NotedLookUp] = []
        try:
            async for message in self._server.answer(request, connection, noted.append):
                if self._reply(request, network, source, message):
                    for look_up in noted:
                        self._note(source, look_up)
                noted.clear()
        except Exception as error:  # noqa: BLE001 - datagram edge: a request ends nothing but itself
            self._counts.failed += 1
            _log.error("handle_request_failed", transport="udp", error=repr(error))

    def _note(self, source: Source, look_up: NotedLookUp) -> None:
        client = client_part(packed_address(source[0]), look_up.actor)
        self._tally.note(_UDP + look_up.subject, client)

    def _reply(self, request: bytes, network: int, source: Source, message: bytes) -> bool:
        """Send a reply, and say whether it has been."""
        if not _is_fit(message, request):
            self._counts.udp_withheld += 1
            return False
        beyond = len(message) - UNKNOWN_BYTES
        if beyond > 0 and not self._rate.allow(network, beyond):
            self._counts.udp_limited += 1
            return False
        try:
            for packet in split(message):
                self._socket.sendto(packet, source)
        except OSError:
            # The kernel has no room, or the source cannot be reached: datagrams may be lost.
            self._counts.udp_withheld += 1
            return False
        return True


def _is_fit(message: bytes, request: bytes) -> bool:
    """Say whether a reply may go over UDP: it is short, as an error in view of its question."""
    if message[_RESPONSE_CODE] in _ANSWERS or message[2] & EnvelopeFlag.ENCRYPTED:
        return len(message) <= LONGEST_DATAGRAM_REPLY_BYTES
    return len(message) <= MOST_ERROR_TO_QUESTION * len(request)
