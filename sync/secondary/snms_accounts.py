"""Who may use the SNMS face: one company with a password, and the tokens it was given.

Tokens live in memory: they end with the process, or when the fault script says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from hmac import compare_digest

LIFE_MS = 24 * 3_600_000
_CHINA = timezone(timedelta(hours=8))
_MOST_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Account:
    """The company that may call."""

    user: str
    password: str = field(repr=False)


class Accounts:
    """Checks logins and tokens."""

    def __init__(
        self, account: Account, now_ms: Callable[[], int], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._account = account
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._tokens: dict[str, int] = {}

    def log_in(self, user: str, secret: str) -> str:
        """Return a token for a password, "" when it is wrong."""
        return self._token(user, secret, self._account.password)

    def log_in_dated(self, user: str, secret: str) -> str:
        """Return a token for a password hashed with today's date, "" when it is wrong."""
        today = datetime.fromtimestamp(self._now_ms() / 1000, UTC).astimezone(_CHINA)
        inner = sha256(self._account.password.encode()).hexdigest()
        return self._token(user, secret, sha256(f"{inner}{today:%Y-%m-%d}".encode()).hexdigest())

    def is_known(self, token: str) -> bool:
        """Say whether a token is in force."""
        return self._tokens.get(token, 0) > self._now_ms()

    def end_all(self) -> None:
        """End every token."""
        self._tokens.clear()

    def _token(self, user: str, secret: str, expected: str) -> str:
        if not compare_digest(secret.encode(), expected.encode()) or user != self._account.user:
            return ""
        if len(self._tokens) >= _MOST_TOKENS:
            self._tokens.clear()
        token = self._random_bytes(24).hex()
        self._tokens[token] = self._now_ms() + LIFE_MS
        return token
