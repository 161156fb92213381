"""The sessions of the Handle JSON API: a nonce to prove an identity over, then the identity.

Every request without credentials is answered with a challenge, and each challenge is a session.
So that nobody fills memory, or pushes out other people's challenges, by asking for them, a session
that has not been authenticated is kept nowhere: its identifier carries its time under a MAC and its
nonce follows from it. Only what somebody has proved, or ended, is remembered.

Invariants: a session ends LIFETIME_S after it was opened; memory is bounded, and when it is full
the oldest sessions end early; whoever knows an identifier is the session's owner, so identifiers
are as secret as passwords and travel over TLS alone.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass

from resolver.handle.identity import Identity

LIFETIME_S = 30 * 60
_HEAD = struct.Struct(">I12s")
_MAC_BYTES = NONCE_BYTES = 16
_TEXT_BYTES = 44


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it stands: `nonce` to be signed; `owner` is who has, None for nobody yet."""

    id: str
    nonce: bytes
    owner: Identity | None = None


class Sessions:
    """The sessions of one process. One event loop owns them."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        limit: int = 10_000,
    ) -> None:
        """`clock` gives seconds and never goes back; `limit` sessions are remembered."""
        self._clock = clock
        self._random_bytes = random_bytes
        self._limit = limit
        self._key = random_bytes(32)
        # Identifier -> owner, None for a session that was ended; the oldest entry comes first.
        self._known: dict[str, Identity | None] = {}

    def open(self) -> Session:
        """Return a new session."""
        name = self._name(_HEAD.pack(int(self._clock()), self._random_bytes(12)))
        return Session(name, self._mac(b"nonce", name.encode()))

    def find(self, name: str) -> Session | None:
        """Return the session of that identifier, or None: there is none, or no longer."""
        if not self._is_genuine(name):
            return None
        owner = self._known.get(name)
        if owner is None and name in self._known:
            return None
        return Session(name, self._mac(b"nonce", name.encode()), owner)

    def authenticate(self, session: Session, owner: Identity) -> Session:
        """Note who owns a session from now on."""
        self._note(session.id, owner)
        return Session(session.id, session.nonce, owner)

    def end(self, session: Session) -> None:
        """Let a session be found no more."""
        self._note(session.id, None)

    def _note(self, name: str, owner: Identity | None) -> None:
        self._known.pop(name, None)
        self._known[name] = owner
        if len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def _is_genuine(self, name: str) -> bool:
        try:
            head = base64.urlsafe_b64decode(name[:_TEXT_BYTES])[: _HEAD.size]
        except (binascii.Error, ValueError):
            return False
        if len(head) != _HEAD.size or not hmac.compare_digest(
            name.encode("utf-8", "replace"), self._name(head).encode()
        ):
            return False
        opened: int = _HEAD.unpack(head)[0]
        return self._clock() < opened + LIFETIME_S

    def _name(self, head: bytes) -> str:
        return base64.urlsafe_b64encode(head + self._mac(b"id", head)).decode()

    def _mac(self, purpose: bytes, data: bytes) -> bytes:
        return hmac.digest(self._key, purpose + data, "sha256")[:_MAC_BYTES]
