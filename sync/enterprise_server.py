"""Listens for the secondary node's questions: gRPC with health and reflection, closed to strangers.

Invariants: every call, also of health and reflection, passes the guard; messages, streams, calls at
a time and the time of a call are bounded; without certificates only loopback is listened on.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from node.errors import AccessDenied, InvalidInput
from sync.enterprise_resolution import Context, EnterpriseResolution
from sync.proto.idlink.v1 import enterprise_resolution_pb2 as pb
from sync.proto.idlink.v1.enterprise_resolution_pb2_grpc import (
    add_EnterpriseResolutionServicer_to_server,
)
from sync.transport_security import TransportGuard

_log = structlog.get_logger(__name__)
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]
SERVICE_NAME = pb.DESCRIPTOR.services_by_name["EnterpriseResolution"].full_name
CALL_TIMEOUT_S, CALLS_AT_ONCE = 10.0, 1_000
_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 10),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.max_concurrent_streams", 200),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
)


class EnterpriseServer:
    """The face on its address; made by `start`."""

    def __init__(
        self, server: grpc.aio.Server, states: health.aio.HealthServicer, address: str
    ) -> None:
        self._server = server
        self._states = states
        self.address = address

    @classmethod
    async def start(
        cls, service: EnterpriseResolution, guard: TransportGuard, listen: str
    ) -> EnterpriseServer:
        """Listen on `host:port` (0 = any); calls are answered when this returns.

        Raises InvalidInput when the address is taken, or not loopback without certificates.
        """
        server = grpc.aio.server(
            interceptors=[_Edge(guard)], options=_OPTIONS, maximum_concurrent_rpcs=CALLS_AT_ONCE
        )
        add_EnterpriseResolutionServicer_to_server(service, server)  # type: ignore[no-untyped-call]
        states = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(states, server)
        names = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        try:
            port = guard.listen(server, listen)
        except RuntimeError as error:
            raise InvalidInput(
                f"无法监听 {listen}", f"Cannot listen on {listen}", code="cannot_listen"
            ) from error
        for name in ("", SERVICE_NAME):
            await states.set(name, health_pb2.HealthCheckResponse.SERVING)
        await server.start()
        return cls(server, states, f"{listen.rpartition(':')[0]}:{port}")

    async def stop(self, grace_s: float) -> None:
        """Say that no more is served, and let calls under way end."""
        await self._states.enter_graceful_shutdown()
        await self._server.stop(grace_s)


class _Edge(grpc.aio.ServerInterceptor):
    """Lets pinned keys in, bounds the time of a call, and hides what went wrong inside."""

    def __init__(self, guard: TransportGuard) -> None:
        self._guard = guard

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a call with this edge around it."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        codec = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary), *codec)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream), *codec)
        return grpc.stream_stream_rpc_method_handler(self._stream(handler.stream_stream), *codec)

    def _unary(self, behaviour: Behaviour) -> Behaviour:
        async def answer(request: Any, context: Context) -> Any:
            await self._admit(context)
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    return await behaviour(request, context)
            except TimeoutError:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "处理超时 / took too long")
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the edge of a call: it says nothing of itself
                _log.error("call_failed", exc_info=error)
                await context.abort(grpc.StatusCode.INTERNAL, "内部错误 / internal error")

        return answer

    def _stream(self, behaviour: Behaviour) -> Behaviour:
        """Wrap a stream that yields, or that writes to its context as health's Watch does."""

        async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
            await self._admit(context)
            async for one in behaviour(request, context):
                yield one

        async def writes(request: Any, context: Context) -> None:
            await self._admit(context)
            await behaviour(request, context)

        return answers if inspect.isasyncgenfunction(behaviour) else writes

    async def _admit(self, context: Context) -> None:
        shown = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
        try:
            self._guard.check(shown)
        except AccessDenied as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"{error.zh} / {error.en}")
