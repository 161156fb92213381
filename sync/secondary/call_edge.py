"""The edge of every call: who calls, how long it may take, how an error reads, and planned faults.

The one translator of errors into gRPC status. Invariants: an error that is not ours shows nothing
of itself; health and reflection are as closed to strangers as everything else.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import grpc
import structlog

from node.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotAuthenticated,
    NotFound,
    Overloaded,
    Unavailable,
    XibiaoError,
)
from sync.secondary.spoiler import Spoiler
from sync.transport_security import TransportGuard

_log = structlog.get_logger(__name__)

SESSION_KEY = "idlink-session"
STATUS: tuple[tuple[type[XibiaoError], grpc.StatusCode], ...] = (
    (NotAuthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (AccessDenied, grpc.StatusCode.PERMISSION_DENIED),
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Conflict, grpc.StatusCode.FAILED_PRECONDITION),
    (LimitExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
)
_OURS = "/idlink.v1."

# In quotes: grpcio's classes take no parameters, only its type stubs do.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]


def session_token(context: Context) -> str:
    """Return the session token a call carries, "" for none."""
    for key, value in context.invocation_metadata() or ():
        if key == SESSION_KEY and isinstance(value, str):
            return value
    return ""


def peer_certificate(context: Context) -> bytes | None:
    """Return the PEM certificate of the caller's connection, None without TLS."""
    return next(iter(context.auth_context().get("x509_pem_cert", ())), None)


class CallEdge(grpc.aio.ServerInterceptor):
    """Wraps every handler of the server."""

    def __init__(self, guard: TransportGuard, spoiler: Spoiler, *, call_timeout_s: float) -> None:
        self._guard = guard
        self._spoiler = spoiler
        self._call_timeout_s = call_timeout_s

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a call with this edge around it."""
        handler, method = await continuation(handler_call_details), handler_call_details.method
        if handler is None:
            return None
        call = method.rpartition("/")[2] if method.startswith(_OURS) else ""
        make, behaviour = _parts(handler)
        if make is grpc.unary_unary_rpc_method_handler:
            wrapped = self._unary(call, behaviour)
        elif inspect.isasyncgenfunction(behaviour):
            wrapped = self._stream(call, behaviour)
        else:
            wrapped = self._writing_stream(behaviour)
        return make(wrapped, handler.request_deserializer, _raw_or(handler.response_serializer))

    def _unary(self, call: str, behaviour: Behaviour) -> Behaviour:
        async def answer(request: Any, context: Context) -> Any:
            try:
                self._guard.check(peer_certificate(context))
                async with asyncio.timeout(self._call_timeout_s):
                    given = await behaviour(request, context)
                return await self._spoiler.unary(call, given, session_token(context))
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the edge of a call
                await _abort(context, error)

        return answer

    def _stream(self, call: str, behaviour: Behaviour) -> Behaviour:
        async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                self._guard.check(peer_certificate(context))
                given = behaviour(request, context)
                async for one in self._spoiler.stream(call, given, session_token(context)):
                    yield one
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the edge of a stream
                await _abort(context, error)

        return answers

    def _writing_stream(self, behaviour: Behaviour) -> Behaviour:
        """Wrap a stream that writes to its context instead of yielding: health's Watch."""

        async def answers(request: Any, context: Context) -> None:
            try:
                self._guard.check(peer_certificate(context))
            except XibiaoError as error:
                await _abort(context, error)
            await behaviour(request, context)

        return answers


def _parts(handler: Any) -> tuple[Callable[..., Handler], Behaviour]:
    """Return what makes a handler of this form, and the function it calls."""
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler, handler.unary_unary
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream
    raise NotImplementedError("no service here takes a stream and gives one answer")


def _raw_or(serialize: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
    """Return a serializer that lets bytes pass, which is how spoilt answers leave."""

    def serialized(answer: Any) -> bytes:
        return answer if isinstance(answer, bytes) or serialize is None else serialize(answer)

    return serialized


async def _abort(context: Context, error: Exception) -> NoReturn:
    """End a call with the status of an error."""
    if isinstance(error, TimeoutError):
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "处理超时 / took too long")
    if isinstance(error, XibiaoError):
        for kind, status in STATUS:
            if isinstance(error, kind):
                await context.abort(status, f"{error.zh} / {error.en} [{error.code}]")
    _log.error("call_failed", exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, "内部错误 / internal error")
