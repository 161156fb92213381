"""Asks one Handle server: UDP first and TCP where UDP fails, every reply checked.

Invariants: an answer that is returned belongs to the question (`client_replies.check`); a reply
that is lost, cut short or not to be trusted over one transport is asked for over the next, and only
the last one's failure is raised: Unavailable or IntegrityFailure. RequestIds are unpredictable, and
each question over UDP has a socket of its own. Any number of tasks may ask at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from node.errors import IntegrityFailure, InvalidInput, Unavailable
from resolver.handle import client_replies, message
from resolver.handle.bodies import ResolutionRequest
from resolver.handle.client_replies import Outcome
from resolver.handle.client_transports import (
    TCP_TIMEOUT_S,
    UDP_WAITS_S,
    ServerAddress,
    TCPConnections,
    ask_over_udp,
)
from resolver.handle.codes import EXPIRATION_S, OpCode, OpFlag, Transport
from resolver.handle.envelope import Envelope
from resolver.handle.message import Message
from resolver.handle.proofs import PublicKey
from resolver.handle.versions import OWN, Version

PUBLIC_FLAGS = OpFlag.RECURSIVE | OpFlag.PUBLIC_ONLY
_REQUEST_NUMBERS = 2**31 - 1  # Some peers read them as signed.


class Answer(NamedTuple):
    """What the server said, and over which transport."""

    outcome: Outcome
    transport: Transport


class HandleClient:
    """A client of the server at `server`; close it after use (a context manager does).

    `transports` are tried in order. `site_key` is the key that signs replies asked for with
    OpFlag.CERTIFIED. `now` gives seconds since 1970.
    """

    def __init__(
        self,
        server: ServerAddress,
        *,
        transports: Sequence[Transport] = (Transport.UDP, Transport.TCP),
        site_key: PublicKey | None = None,
        version: Version = OWN,
        udp_waits_s: Sequence[float] = UDP_WAITS_S,
        tcp_timeout_s: float = TCP_TIMEOUT_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._transports = tuple(transports)
        self._site_key = site_key
        self._version = version
        self._udp_waits_s = tuple(udp_waits_s)
        self._connections = TCPConnections(server, timeout_s=tcp_timeout_s)
        self._now = now

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the kept connections."""
        await self._connections.close()

    async def resolve(
        self,
        handle: str,
        *,
        indexes: Sequence[int] = (),
        types: Sequence[str] = (),
        flags: int = PUBLIC_FLAGS,
    ) -> Answer:
        """Look a handle up: the values at `indexes` or of `types`, all without either.

        Raises Unavailable when no transport brought an answer, IntegrityFailure when the last one
        brought one that cannot be trusted.
        """
        body = ResolutionRequest(handle, tuple(indexes), tuple(types)).encode()
        request = self.request(OpCode.RESOLUTION, body, flags=flags)
        for transport in self._transports[:-1]:
            try:
                return await self._resolve_over(transport, handle, request)
            except (Unavailable, IntegrityFailure):
                continue
        return await self._resolve_over(self._transports[-1], handle, request)

    def request(self, opcode: int, body: bytes, *, flags: int, session: int = 0) -> Message:
        """Make a request with a fresh RequestId."""
        envelope = Envelope(
            1 + secrets.randbelow(_REQUEST_NUMBERS),
            0,
            session,
            major=self._version.major,
            minor=self._version.minor,
            suggested_major=self._version.major,
            suggested_minor=self._version.minor,
        )
        expiration = int(self._now()) + EXPIRATION_S
        return Message(envelope, opcode, body, flags=flags, expiration=expiration)

    async def ask(self, request: Message, transport: Transport) -> tuple[Message, bytes]:
        """Send a request over one transport; return the checked reply and its body's content.

        Raises Unavailable, IntegrityFailure.
        """
        encoded = message.encode(request)
        if transport == Transport.UDP:
            received = await ask_over_udp(self._server, lambda: encoded, waits_s=self._udp_waits_s)
        else:
            received = await self._connections.ask(lambda: encoded)
        try:
            reply = message.decode(received)
        except InvalidInput as error:
            raise IntegrityFailure(error.zh, error.en, code="handle_reply") from error
        body = client_replies.check(request, reply, now=self._now(), site_key=self._site_key)
        return reply, body

    async def _resolve_over(self, transport: Transport, handle: str, request: Message) -> Answer:
        reply, body = await self.ask(request, transport)
        return Answer(client_replies.outcome_of(handle, reply, body), transport)
