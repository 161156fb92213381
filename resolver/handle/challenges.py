"""Requests that wait for their askers to prove who they are: a bounded store (pure).

A challenge keeps the request it was the answer to; whoever proves a key over nonce and digest has
it carried out. A change may be answered for once. A question may be answered for MAX_ANSWERS times,
because a datagram is sent again when its reply is lost, and asking twice changes nothing.

Invariants: a challenge lives `patience_s` at most; there are at most `limit` of them, `of_source`
of one source and `limit_bytes` of requests; the oldest gives way. Time is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from resolver.handle.codes import OpCode
from resolver.handle.digests import Digest
from resolver.handle.message import Message
from resolver.handle.session_numbers import new_challenge_number

MAX_ANSWERS = 3
_QUESTIONS = frozenset({OpCode.RESOLUTION, OpCode.LIST_HANDLES, OpCode.LIST_HOMED_PREFIXES})


@dataclass(slots=True)
class Challenge:
    """A request that waits; `number` stands in the envelopes of the challenge and of its answer."""

    number: int
    request: Message
    nonce: bytes
    digest: Digest
    source: str
    expires_at: float
    answers_left: int

    @property
    def size_bytes(self) -> int:
        """How much memory the request holds, roughly."""
        return len(self.request.body) + len(self.request.credential)


class Challenges:
    """The challenges outside of sessions of one process; one event loop owns them."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        patience_s: float = 60.0,
        limit: int = 10_000,
        of_source: int = 256,
        limit_bytes: int = 32 << 20,
        process: int = 0,
    ) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._patience_s = patience_s
        self._limit = limit
        self._of_source = of_source
        self._limit_bytes = limit_bytes
        self._process = process
        # Oldest first: all live equally long.
        self._waiting: dict[int, Challenge] = {}
        self._sources: dict[str, dict[int, Challenge]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def held_bytes(self) -> int:
        """How many bytes of requests wait."""
        return self._bytes

    def make(self, request: Message, digest: Digest, *, nonce: bytes, source: str) -> Challenge:
        """Keep a request and return its challenge."""
        self._expire()
        of_source = self._sources.get(source, {})
        if len(of_source) >= self._of_source:
            self._drop(next(iter(of_source.values())))
        challenge = self.prepare(request, digest, nonce=nonce, source=source)
        self._waiting[challenge.number] = challenge
        self._sources.setdefault(source, {})[challenge.number] = challenge
        self._bytes += challenge.size_bytes
        while len(self._waiting) > self._limit or self._bytes > self._limit_bytes:
            self._drop(next(iter(self._waiting.values())))
        return challenge

    def prepare(self, request: Message, digest: Digest, *, nonce: bytes, source: str) -> Challenge:
        """Return a challenge that is kept elsewhere (with its session)."""
        return Challenge(
            number=new_challenge_number(self._process, self._waiting, self._random_bytes),
            request=request,
            nonce=nonce,
            digest=digest,
            source=source,
            expires_at=self._clock() + self._patience_s,
            answers_left=MAX_ANSWERS if request.opcode in _QUESTIONS else 1,
        )

    def take(self, number: int) -> Challenge | None:
        """Return the challenge that an answer names, using up one of its answers."""
        self._expire()
        challenge = self._waiting.get(number)
        if challenge is None:
            return None
        challenge.answers_left -= 1
        if challenge.answers_left <= 0:
            self._drop(challenge)
        return challenge

    def is_fresh(self, challenge: Challenge) -> bool:
        """Say whether a challenge kept elsewhere may still be answered."""
        return challenge.expires_at > self._clock()

    def _expire(self) -> None:
        now = self._clock()
        while self._waiting:
            oldest = next(iter(self._waiting.values()))
            if oldest.expires_at > now:
                return
            self._drop(oldest)

    def _drop(self, challenge: Challenge) -> None:
        del self._waiting[challenge.number]
        self._bytes -= challenge.size_bytes
        of_source = self._sources[challenge.source]
        del of_source[challenge.number]
        if not of_source:
            del self._sources[challenge.source]
