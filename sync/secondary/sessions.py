"""Sessions of nodes: a random token that ends by itself, kept in memory only.

A restart ends them all; nodes open new ones and learn where to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.errors import NotAuthenticated

TOKEN_BYTES = 32
PER_NODE = 8


@dataclass(frozen=True, slots=True)
class Session:
    """One session; `node` is the number of the node here."""

    token: str
    node: int
    name: str
    expires_at_ms: int


class Sessions:
    """The sessions that may go on. Used by the event loop alone."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        *,
        lifetime_ms: int,
    ) -> None:
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._lifetime_ms = lifetime_ms
        self._sessions: dict[str, Session] = {}

    def open(self, node: int, name: str) -> Session:
        """Begin a session; the oldest of a node gives way when it has too many."""
        now_ms = self._now_ms()
        live = [s for s in self._sessions.values() if s.expires_at_ms > now_ms]
        own = [session for session in live if session.node == node]
        surplus = own[: len(own) - PER_NODE + 1] if len(own) >= PER_NODE else []
        self._sessions = {s.token: s for s in live if s not in surplus}
        token = self._random_bytes(TOKEN_BYTES).hex()
        session = Session(token, node, name, now_ms + self._lifetime_ms)
        self._sessions[token] = session
        return session

    def require(self, token: str) -> Session:
        """Return the session of a token; raise NotAuthenticated for none or an ended one."""
        session = self._sessions.get(token)
        if session is None or session.expires_at_ms <= self._now_ms():
            raise NotAuthenticated("会话不存在或已过期", "No such session, or it has ended")
        return session

    def end_all(self) -> None:
        """End every session (the fault script)."""
        self._sessions.clear()
