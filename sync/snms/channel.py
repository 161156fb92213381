"""One request to the SNMS interface: bounded in time and size, and noted in the exchange book.

What comes of a request is an `Envelope`, or `NoReply` when nobody knows what became of it, or
`NotOffered` when the interface has no such call. `Unavailable` means that nothing was sent.

Invariants: one request is under way at a time; redirects are not followed; an answer is read as it
comes over the wire, so nothing unpacks to more than was bounded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from ssl import SSLContext

import httpx

from node.errors import InvalidInput, Unavailable
from sync.snms.answers import NOT_LOGGED_IN, REFUSED, Envelope, read_envelope, write
from sync.snms.exchange_book import Exchange, ExchangeBook

MAX_ANSWER_BYTES = 16 << 20
_NOT_HERE = frozenset({404, 405, 501})
_GATEWAY = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class NoReply:
    """Nobody knows what became of a request. `gave_up`: somebody on the way waited too long."""

    reason: str
    gave_up: bool = False


@dataclass(frozen=True, slots=True)
class NotOffered:
    """The interface has no such call."""

    http: int


Reply = Envelope | NoReply | NotOffered


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `secret`: it holds a password, or its answer a token."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    secret: bool = False


class Channel:
    """Requests to one interface; made by `open_channel`."""

    def __init__(self, client: httpx.AsyncClient, book: ExchangeBook, timeout_s: float) -> None:
        self._client = client
        self._book = book
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def ask(self, call: Call, token: str = "") -> Reply:
        """Send a request and return what came of it; raises Unavailable when it was not sent."""
        async with self._turn:
            return await self._ask(call, token)

    async def _ask(self, call: Call, token: str) -> Reply:
        body = b"" if call.body is None else write(call.body)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = self._client.build_request(
            call.method, call.path, params=dict(call.query), content=body, headers=headers
        )
        at, began_s = self._book.now(), time.monotonic()
        http, answer, outcome = 0, b"", "given up"
        try:
            http, answer, reply = await self._travel(request)
            outcome = _outcome(reply)
        finally:  # also when the session ends while this is under way
            self._book.write(
                Exchange(
                    at=f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
                    method=call.method,
                    path=call.path,
                    outcome=outcome,
                    ms=int((time.monotonic() - began_s) * 1000),
                    http=http,
                    request_sha256=_digest(body, call),
                    request_bytes=0 if call.secret else len(body),
                    answer_sha256=_digest(answer, call),
                    answer_bytes=0 if call.secret else len(answer),
                )
            )
        if isinstance(reply, Unavailable):
            raise reply
        return reply

    async def _travel(self, request: httpx.Request) -> tuple[int, bytes, Reply | Unavailable]:
        """Return HTTP status, answer and what they mean."""
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.send(request, stream=True)
                try:
                    answer = await _bounded(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return 0, b"", NoReply("timeout", gave_up=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return 0, b"", _unreachable(error)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            return 0, b"", NoReply(type(error).__name__)
        if answer is None:
            return response.status_code, b"", NoReply("answer too large")
        return response.status_code, answer, _meaning(response.status_code, answer)


@asynccontextmanager
async def open_channel(
    url: str, tls: SSLContext | None, book: ExchangeBook, timeout_s: float
) -> AsyncIterator[Channel]:
    """Open a channel; its connections end with the block."""
    async with httpx.AsyncClient(
        base_url=url,
        verify=tls if tls is not None else True,
        timeout=timeout_s,
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "xibiao",
        },
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield Channel(client, book, timeout_s)


async def _bounded(response: httpx.Response) -> bytes | None:
    """Return the body as it came over the wire, None when it is too large."""
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _meaning(http: int, answer: bytes) -> Reply:
    """Read an answer; whatever a server in trouble says is not believed."""
    if http in _NOT_HERE or 300 <= http < 400:
        return NotOffered(http)
    if http >= 500:
        return NoReply(f"HTTP {http}", gave_up=http in _GATEWAY)
    try:
        return read_envelope(answer)
    except InvalidInput as error:
        if http == 401:
            return Envelope(NOT_LOGGED_IN, "HTTP 401")
        if http == 413:  # from whoever stands before the interface: nothing was done
            return Envelope(REFUSED, "单次请求超过上限 (HTTP 413)")
        if http == 429:
            return Envelope(REFUSED, "请求过于频繁 (HTTP 429)")
        return NoReply(f"HTTP {http}: {error}"[:200])


def _digest(text: bytes, call: Call) -> str:
    return "" if call.secret or not text else sha256(text).hexdigest()


def _outcome(reply: Reply | Unavailable) -> str:
    match reply:
        case Envelope():
            return str(reply.status)
        case NoReply():
            return reply.reason
        case NotOffered():
            return "not offered"
        case _:
            return "not sent"


def _unreachable(error: Exception) -> Unavailable:
    reason = str(error)[:200] or type(error).__name__
    return Unavailable(
        f"无法连接二级节点:{reason}", f"The peer cannot be reached: {reason}",
        code="peer_connection",
    )  # fmt: skip
