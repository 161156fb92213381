"""The node's own gRPC face: a secondary node that delegates resolution asks here (idlink.v1).

What is answered comes from an injected resolver, which sees the public view of records alone.

Invariants: a question is answered with a code, never with an exception; lists and texts of a
question are bounded before anything is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

import grpc

from node.domain.handle_value import HandleValue
from node.domain.record import Status
from node.domain.resolution_event import Outcome
from node.errors import InvalidInput, NotFound, XibiaoError
from node.telemetry import request_id
from sync.proto.idlink.v1 import enterprise_resolution_pb2 as pb
from sync.proto.idlink.v1.enterprise_resolution_pb2_grpc import EnterpriseResolutionServicer

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
# Is told what came of a look-up, of which identifier (as it was asked for), and whose it was.
Note = Callable[[Outcome, str, "Caller"], None]
NOT_RESPONSIBLE = "not_responsible"
MAX_IDENTIFIER_BYTES, MAX_CHOICES, MAX_TYPE_BYTES = 2_048, 256, 256
_STATES_ALONE = frozenset((Status.SUSPENDED, Status.REVOKED))
_OUTCOMES = {
    pb.RESOLVE_CODE_OK: Outcome.FOUND,
    pb.RESOLVE_CODE_NOT_FOUND: Outcome.ABSENT,
    pb.RESOLVE_CODE_VALUE_NOT_FOUND: Outcome.ABSENT,
    pb.RESOLVE_CODE_NOT_RESPONSIBLE: Outcome.ABSENT,
    pb.RESOLVE_CODE_INVALID: Outcome.MALFORMED,
}
_TRACE_ID = re.compile(r"[A-Za-z0-9._:/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The public face of a record: `identifier` is canonical, `values` are those asked for."""

    identifier: str
    status: str
    revision: int
    values: tuple[HandleValue, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: an address without its port, and his certificate (PEM) if he has shown one."""

    address: str
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """How the node is. `state`: normal, degraded or abnormal."""

    state: str
    live_records: int
    log_size: int


class Resolver(Protocol):
    """What this face asks of the node."""

    async def resolve(
        self, identifier: str, indexes: Sequence[int], types: Sequence[str]
    ) -> Resolved:
        """Return what the public may see, of the values that either list names; empty: all.

        Raises InvalidInput, NotFound (code `not_responsible` for what another node serves),
        Overloaded and Unavailable.
        """
        ...

    async def condition(self) -> NodeCondition:
        """Return how the node is; raises nothing."""
        ...


class EnterpriseResolution(EnterpriseResolutionServicer):
    """Serves idlink.v1.EnterpriseResolution."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        software: str,
        now_ms: Callable[[], int],
        note: Note = lambda outcome, identifier, caller: None,
    ) -> None:
        self._resolver = resolver
        self._software = software
        self._now_ms = now_ms
        self._note = note

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        """Answer a look-up."""
        response = await self._resolve(request)
        self._note(_outcome(response), request.identifier, _caller(context))
        return response

    async def _resolve(self, request: pb.ResolveRequest) -> pb.ResolveResponse:
        trace = request.trace_id if _TRACE_ID.fullmatch(request.trace_id) else ""
        if not _is_bounded(request):
            return pb.ResolveResponse(code=pb.RESOLVE_CODE_INVALID)
        with request_id(trace):
            try:
                found = await self._resolver.resolve(
                    request.identifier, tuple(request.indexes), tuple(request.types)
                )
            except XibiaoError as error:
                return pb.ResolveResponse(code=_code(error))
        is_empty = (request.indexes or request.types) and not found.values
        return pb.ResolveResponse(
            code=pb.RESOLVE_CODE_VALUE_NOT_FOUND if is_empty else pb.RESOLVE_CODE_OK,
            identifier=found.identifier,
            status=found.status,
            revision=found.revision,
            values=[self._value(value) for value in found.values],
        )

    async def Probe(self, request: pb.ProbeRequest, context: Context) -> pb.ProbeResponse:
        """Tell how the node is."""
        condition = await self._resolver.condition()
        return pb.ProbeResponse(
            probe_id=request.probe_id[:MAX_TYPE_BYTES],
            node_time_ms=self._now_ms(),
            software=self._software,
            state=condition.state,
            live_records=condition.live_records,
            log_size=condition.log_size,
        )

    def _value(self, value: HandleValue) -> pb.ResolvedValue:
        left_s = value.ttl - self._now_ms() // 1000 if value.is_ttl_absolute else value.ttl
        return pb.ResolvedValue(
            index=value.index,
            type=value.type,
            data=value.data,
            ttl=max(0, left_s),
            timestamp=value.timestamp,
        )


def _is_bounded(request: pb.ResolveRequest) -> bool:
    return (
        len(request.identifier.encode()) <= MAX_IDENTIFIER_BYTES
        and len(request.indexes) + len(request.types) <= MAX_CHOICES
        and all(len(kind.encode()) <= MAX_TYPE_BYTES for kind in request.types)
    )


def _outcome(response: pb.ResolveResponse) -> Outcome:
    if response.code == pb.RESOLVE_CODE_OK and response.status in _STATES_ALONE:
        return Outcome.STATUS
    return _OUTCOMES.get(response.code, Outcome.FAILED)


def _caller(context: Context) -> Caller:
    # `ipv4:192.0.2.7:50123` or `ipv6:%5B2001:db8::1%5D:50123` (gRPC naming)
    address = unquote(context.peer()).partition(":")[2].rpartition(":")[0].strip("[]")
    shown = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    return Caller(address, shown)


def _code(error: XibiaoError) -> pb.ResolveCode:
    match error:
        case InvalidInput():
            return pb.RESOLVE_CODE_INVALID
        case NotFound(code="not_responsible"):
            return pb.RESOLVE_CODE_NOT_RESPONSIBLE
        case NotFound():
            return pb.RESOLVE_CODE_NOT_FOUND
        case _:
            return pb.RESOLVE_CODE_BUSY
