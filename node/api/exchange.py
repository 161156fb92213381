"""Reading request bodies within limits and writing JSON answers."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from node.errors import InvalidInput, LimitExceeded, Overloaded, Problem
from node.registration.requests import MAX_KEY_LENGTH, IdempotencyKey

T = TypeVar("T")


class BodyBudget:
    """Bounds the bytes of all bodies that a process reads and works on at the same time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """Read a body of at most `limit` bytes and account for it until the block ends.

        Only what has arrived counts, so a slow client holds no more than it has sent. Raises
        LimitExceeded for this body, Overloaded when all together are too large.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            self.hold(size)
            taken += size

        try:
            yield await read_body(request, limit, take)
        finally:
            self.free(taken)

    def hold(self, size: int) -> None:
        """Account for so many bytes; raise Overloaded when they are too many."""
        if self._held + size > self._limit:
            raise Overloaded(retry_after_s=1)
        self._held += size

    def free(self, size: int) -> None:
        """Give bytes back that were held."""
        self._held -= size


def _take_nothing(_size: int) -> None:
    return None


async def read_body(
    request: Request, limit: int, take: Callable[[int], None] = _take_nothing
) -> bytes:
    """Return the body; raise LimitExceeded as soon as it is known to pass `limit` bytes.

    `take` is told the size of each part that arrives, and may raise.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        take(len(part))
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> LimitExceeded:
    return LimitExceeded(f"请求超过 {limit} 字节", f"The request exceeds {limit} bytes")


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a JSON body strictly; raise InvalidInput naming the place of the first fault."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        where = path.rstrip("`").removeprefix("$").removeprefix(".")
        problem = Problem(where, "invalid", f"{where}:格式有误", message)
        raise InvalidInput("数据有误", "The data is not valid", problems=[problem]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(
            "不是有效的 JSON", "The body is not valid JSON", code="malformed_json"
        ) from error


def idempotency_key(request: Request, body: bytes) -> IdempotencyKey | None:
    """Return the Idempotency-Key with the digest of the request it came with, or None.

    The digest covers method, path and body: the same key on another request is a mismatch.
    """
    key = request.headers.get("idempotency-key")
    return None if key is None else key_of(key, request.method, request.scope["path"], body)


def key_of(key: str, method: str, path: str, body: bytes) -> IdempotencyKey:
    """Return an Idempotency-Key for a request; raise InvalidInput where it is none."""
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        problem = Problem(
            "Idempotency-Key", "malformed", "长度1~255", "1 … 255 printable characters"
        )
        raise InvalidInput("Idempotency-Key 有误", "Malformed Idempotency-Key", problems=[problem])
    prelude = f"{method} {path}\n".encode()
    return IdempotencyKey(key, hashlib.sha256(prelude + body).digest())


def json_response(value: object, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
