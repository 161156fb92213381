"""Sessions: a key agreed between two peers, who the peer is, and which messages have been seen.

RFC 3652 §4 as deployed. A message inside a session carries a counter under its MAC; each counter
is taken once, and late ones within a window, so that datagrams may overtake each other and nobody
can send a message again.

Invariants: a session lives as long as was agreed and never longer than `longest_s`; there are at
most `limit` sessions and `of_source` of one source; when there is no room the oldest session that
nobody has authenticated gives way, and only then an authenticated one of the same source. Time is
passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from node.domain.handle_value import HandleReference
from node.errors import Overloaded
from resolver.handle.challenges import Challenge
from resolver.handle.identity import Identity
from resolver.handle.session_keys import SessionKey
from resolver.handle.session_numbers import new_session_number

WINDOW = 200
SHORTEST_S = 60.0


class SeenCounters:
    """Which counters of a peer have been taken: all up to the window's end, some inside of it."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = 0
        self._seen = 0  # bit n: counter `highest - n` was taken

    def take(self, counter: int) -> bool:
        """Take a counter; False when it was taken before, or is too old to tell."""
        ahead = counter - self._highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW) | 1) & ((1 << WINDOW) - 1)
            self._highest = counter
            return True
        if counter < 1 or -ahead >= WINDOW or self._seen >> -ahead & 1:
            return False
        self._seen |= 1 << -ahead
        return True


@dataclass(slots=True, eq=False)
class Session:
    """One session.

    `claimed` is the key that the peer said it would prove, None for nobody in particular;
    `asker` who has proved himself in it; `challenge` the request that waits for that. `sent` is
    the counter of our last MAC.
    """

    number: int
    key: SessionKey
    claimed: HandleReference | None
    source: str
    expires_at: float
    asker: Identity | None = None
    challenge: Challenge | None = None
    sent: int = 0
    counters: SeenCounters = field(default_factory=SeenCounters)

    def next_counter(self) -> int:
        """Return the counter of our next MAC."""
        self.sent += 1
        return self.sent


class Sessions:
    """The sessions of one process; one event loop owns them."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        longest_s: float = 86_400.0,
        limit: int = 10_000,
        of_source: int = 256,
        process: int = 0,
    ) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._longest_s = longest_s
        self._limit = limit
        self._of_source = of_source
        self._process = process
        # Number -> session, the oldest first; and the same for each source.
        self._sessions: dict[int, Session] = {}
        self._sources: dict[str, dict[int, Session]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def open(
        self, key: SessionKey, *, claimed: HandleReference | None, asked_s: float, source: str
    ) -> Session:
        """Begin a session for `asked_s` seconds at most; raise Overloaded when there is no room."""
        of_source = self._sources.get(source, {})
        if len(of_source) >= self._of_source:
            self._close(_first_to_go(of_source.values()) or next(iter(of_source.values())))
        elif len(self._sessions) >= self._limit:
            self._make_room()
        session = Session(
            number=new_session_number(self._process, self._sessions, self._random_bytes),
            key=key,
            claimed=claimed,
            source=source,
            expires_at=self._clock() + min(max(asked_s, SHORTEST_S), self._longest_s),
        )
        self._sessions[session.number] = session
        self._sources.setdefault(source, {})[session.number] = session
        return session

    def find(self, number: int) -> Session | None:
        """Return a session that has not ended."""
        session = self._sessions.get(number)
        if session is not None and session.expires_at <= self._clock():
            self._close(session)
            return None
        return session

    def close(self, session: Session) -> None:
        """End a session; nothing happens when it has ended."""
        if session.number in self._sessions:
            self._close(session)

    def _make_room(self) -> None:
        now = self._clock()
        for session in [s for s in self._sessions.values() if s.expires_at <= now]:
            self._close(session)
        if len(self._sessions) >= self._limit:
            victim = _first_to_go(self._sessions.values())
            if victim is None:
                raise Overloaded()
            self._close(victim)

    def _close(self, session: Session) -> None:
        del self._sessions[session.number]
        of_source = self._sources[session.source]
        del of_source[session.number]
        if not of_source:
            del self._sources[session.source]


def _first_to_go(sessions: Iterable[Session]) -> Session | None:
    return next((session for session in sessions if session.asker is None), None)
