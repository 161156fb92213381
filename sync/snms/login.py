"""How a company shows itself to the SNMS interface (pure).

The dated form never sends the password: SHA-256(SHA-256(password) ‖ date), both as lower-case hex
text, with the date of China. It can be replayed until midnight, so it too travels inside TLS only.
China has had one zone without summer time since 1991, so no time-zone data are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Literal

from node.errors import InvalidInput

Form = Literal["dated", "plain"]
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
# Within this time of midnight the other side may be living on another day than we.
CLOCK_SKEW = timedelta(minutes=10)
LONGEST_USER, LONGEST_PASSWORD = 50, 64


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and his password, at most 50 and 64 characters; raises InvalidInput for others."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what the interface cannot take."""
        if not 0 < len(self.user) <= LONGEST_USER or not 0 < len(self.password) <= LONGEST_PASSWORD:
            raise InvalidInput(
                f"用户名须为 1~{LONGEST_USER} 个字符,密码须为 1~{LONGEST_PASSWORD} 个字符",
                f"The user has 1 … {LONGEST_USER} characters, the password 1 … {LONGEST_PASSWORD}",
                code="snms_credentials",
            )


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """One attempt: where to, and the secret to show."""

    path: str
    user: str
    secret: str = field(repr=False)


def attempts(credentials: Credentials, form: Form, now: datetime) -> list[LoginRequest]:
    """Return the attempts worth making at `now` (aware), the likeliest first."""
    if form == "plain":
        return [LoginRequest("/identity/token", credentials.user, credentials.password)]
    here = now.astimezone(SHANGHAI)
    dates = [here.date()]
    for other in (here - CLOCK_SKEW, here + CLOCK_SKEW):
        if other.date() not in dates:
            dates.append(other.date())
    return [
        LoginRequest(
            "/identity/token/v1",
            credentials.user,
            dated_secret(credentials.password, f"{date:%Y-%m-%d}"),
        )
        for date in dates
    ]


def dated_secret(password: str, date: str) -> str:
    """Return what stands for a password on a date (`yyyy-MM-dd`)."""
    inner = sha256(password.encode()).hexdigest()
    return sha256((inner + date).encode()).hexdigest()
