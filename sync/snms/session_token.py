"""The token of this process: one for all sessions, renewed in time, asked for again when refused.

Invariant: credentials that were refused are not tried again for a while, so that a wrong password
does not lock the account.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from node.errors import AccessDenied, InvalidInput, Unavailable
from sync.snms.answers import DONE, Envelope, TokenData, read_data
from sync.snms.channel import Call, Channel, Reply
from sync.snms.login import Credentials, Form, LoginRequest, attempts
from sync.snms.messages import Meaning, meaning_of

_log = structlog.get_logger(__name__)
LIFE = timedelta(hours=24)
RENEWED_AFTER = 0.8 * LIFE
LEFT_ALONE = timedelta(minutes=10)
# It goes into a header: printable ASCII without spaces, as of RFC 6750 §2.1.
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


@dataclass(frozen=True, slots=True)
class _Held:
    value: str
    renew_at: datetime


class SessionToken:
    """The token; `credentials` are read anew at every login."""

    def __init__(
        self, credentials: Callable[[], Credentials], form: Form, clock: Callable[[], datetime]
    ) -> None:
        self._credentials = credentials
        self._form = form
        self._clock = clock
        self._held: _Held | None = None
        self._refused: tuple[Credentials, datetime] | None = None
        self._turn = asyncio.Lock()

    async def get(self, channel: Channel, *, instead_of: str = "") -> str:
        """Return a token that is not `instead_of`, logging in when there is none.

        Raises AccessDenied when the credentials are refused, Unavailable when nobody says.
        """
        async with self._turn:
            held = self._held
            if held is None or held.value == instead_of or self._clock() >= held.renew_at:
                held = self._held = await self._login(channel)
            return held.value

    async def _login(self, channel: Channel) -> _Held:
        credentials, now = self._credentials(), self._clock()
        if self._refused is not None:
            refused, until = self._refused
            if refused == credentials and now < until:
                raise _denied("同一凭据刚被拒绝", "the same credentials were refused a moment ago")
        said = ""
        for attempt in attempts(credentials, self._form, now):
            reply = await channel.ask(_call(attempt))
            token, said = _read(reply)
            if token:
                self._refused = None
                _log.info("snms_login", user=credentials.user)
                return _Held(token, now + RENEWED_AFTER)
        self._refused = credentials, now + LEFT_ALONE
        raise _denied(said, said)


def _call(attempt: LoginRequest) -> Call:
    body = {"username": attempt.user, "password": attempt.secret}
    return Call("POST", attempt.path, body=body, secret=True)


def _read(reply: Reply) -> tuple[str, str]:
    """Return the token, or "" and the sentence by which the credentials were refused."""
    if isinstance(reply, Envelope):
        if reply.status == DONE:
            return _token(reply), ""
        meaning = meaning_of(reply.text)
        if meaning not in (Meaning.BUSY, Meaning.SILENT):
            return "", reply.text[:200]
    raise Unavailable("登录未得到答复", "The login was not answered", code="snms_login")


def _token(envelope: Envelope) -> str:
    try:
        token = read_data(envelope, TokenData).token
    except InvalidInput as error:
        raise Unavailable(error.zh, error.en, code="snms_login") from error
    if _TOKEN.fullmatch(token) is None:
        raise Unavailable("令牌格式有误", "The token is malformed", code="snms_login")
    return token


def _denied(zh: str, en: str) -> AccessDenied:
    return AccessDenied(
        f"二级节点拒绝登录:{zh}", f"The peer refuses the login: {en}", code="snms_credentials"
    )
