"""The node's gRPC face: codes for every outcome, bounded questions, and nobody in without a pin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from admin.link_certificate_files import (
    LOOPBACK,
    NODE,
    SECONDARY,
    issue_link,
    keep_local_pair,
    link_files,
)
from node.domain.handle_value import HandleValue
from node.domain.resolution_event import Outcome
from node.errors import (
    IntegrityFailure,
    InvalidInput,
    MalformedIdentifier,
    NotFound,
    Overloaded,
    Unavailable,
    XibiaoError,
)
from sync.enterprise_resolution import Caller, EnterpriseResolution, NodeCondition, Resolved
from sync.enterprise_server import SERVICE_NAME, EnterpriseServer
from sync.link_identity import LinkFiles
from sync.proto.idlink.v1 import enterprise_resolution_pb2 as pb
from sync.proto.idlink.v1.enterprise_resolution_pb2_grpc import EnterpriseResolutionStub
from sync.security_files import secured
from sync.transport_security import TransportGuard

NOW_S = 1_800_000_000
WAIT_S = 20
VALUES = (
    HandleValue(1, "URL", b"https://example.cn/a", ttl=60, timestamp=NOW_S - 5),
    HandleValue(2, "note", b"\xff\x00", ttl=NOW_S + 30, is_ttl_absolute=True),
    HandleValue(3, "old", b"", ttl=NOW_S - 30, is_ttl_absolute=True),
)


@dataclass
class FakeResolver:
    """Answers alike, or raises; `asked` tells the questions."""

    values: tuple[HandleValue, ...] = VALUES
    status: str = "active"
    fails_with: Exception | None = None
    asked: list[tuple[str, Sequence[int], Sequence[str]]] = field(default_factory=list)

    async def resolve(
        self, identifier: str, indexes: Sequence[int], types: Sequence[str]
    ) -> Resolved:
        self.asked.append((identifier, indexes, types))
        if self.fails_with is not None:
            raise self.fails_with
        return Resolved(identifier.upper(), self.status, 7, self.values)

    async def condition(self) -> NodeCondition:
        return NodeCondition("normal", 12, 34)


@asynccontextmanager
async def server(
    resolver: FakeResolver,
    folder: Path | None = None,
    noted: list[tuple[Outcome, str, Caller]] | None = None,
) -> AsyncIterator[EnterpriseServer]:
    """Open the face; with a folder of certificates only the secondary node's key is let in."""
    security = None
    if folder is not None:
        pins = {link_files(folder, SECONDARY).read().pin: ""}
        security = secured(link_files(folder, NODE).read(), pins)
    kept = [] if noted is None else noted
    service = EnterpriseResolution(
        resolver,
        software="xibiao test",
        now_ms=lambda: NOW_S * 1000,
        note=lambda outcome, identifier, caller: kept.append((outcome, identifier, caller)),
    )
    guard = TransportGuard(security, lambda: int(datetime.now(UTC).timestamp() * 1000))
    opened = await EnterpriseServer.start(service, guard, "127.0.0.1:0")
    try:
        yield opened
    finally:
        await opened.stop(0)


async def resolved(address: str, request: pb.ResolveRequest) -> pb.ResolveResponse:
    async with grpc.aio.insecure_channel(address) as channel:
        stub: EnterpriseResolutionStub = EnterpriseResolutionStub(channel)  # type: ignore[no-untyped-call]
        answer: pb.ResolveResponse = await stub.Resolve(request, timeout=WAIT_S)
        return answer


async def test_a_record_is_shown_with_the_values_asked_for() -> None:
    resolver = FakeResolver()
    async with server(resolver) as face:
        request = pb.ResolveRequest(
            identifier="88.1/a", indexes=[1], types=["note"], trace_id="t-1"
        )
        answer = await resolved(face.address, request)
    assert resolver.asked == [("88.1/a", (1,), ("note",))]
    assert (answer.code, answer.identifier) == (pb.RESOLVE_CODE_OK, "88.1/A")
    assert (answer.status, answer.revision) == ("active", 7)
    shown = [(v.index, v.type, v.data, v.ttl, v.timestamp) for v in answer.values]
    assert shown == [
        (1, "URL", b"https://example.cn/a", 60, NOW_S - 5),
        (2, "note", b"\xff\x00", 30, 0),
        (3, "old", b"", 0, 0),
    ]


async def test_each_look_up_is_noted_with_its_outcome_and_caller() -> None:
    resolver, noted = FakeResolver(), list[tuple[Outcome, str, Caller]]()
    async with server(resolver, noted=noted) as face:
        for error in (
            None,
            NotFound(),
            NotFound(code="not_responsible"),
            MalformedIdentifier(),
            Unavailable(),
        ):
            resolver.fails_with = error
            await resolved(face.address, pb.ResolveRequest(identifier="88.1/a"))
        resolver.fails_with, resolver.values, resolver.status = None, (), "suspended"
        await resolved(face.address, pb.ResolveRequest(identifier="88.1/a"))
        await resolved(face.address, pb.ResolveRequest(identifier="88.1/a", indexes=[9]))
        await resolved(face.address, pb.ResolveRequest(identifier="x" * 3_000))
    assert [outcome.label for outcome, _, _ in noted] == [
        "found", "absent", "absent", "malformed", "failed", "status", "absent", "malformed"
    ]  # fmt: skip
    assert noted[0][1:] == ("88.1/a", Caller("127.0.0.1"))


async def test_values_nobody_has_are_told_apart_from_a_record_without_any() -> None:
    async with server(FakeResolver(values=())) as face:
        asked = pb.ResolveRequest(identifier="88.1/a", indexes=[9])
        assert (await resolved(face.address, asked)).code == pb.RESOLVE_CODE_VALUE_NOT_FOUND
        asked = pb.ResolveRequest(identifier="88.1/a")
        assert (await resolved(face.address, asked)).code == pb.RESOLVE_CODE_OK


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MalformedIdentifier(), pb.RESOLVE_CODE_INVALID),
        (InvalidInput(), pb.RESOLVE_CODE_INVALID),
        (NotFound(), pb.RESOLVE_CODE_NOT_FOUND),
        (NotFound(code="not_responsible"), pb.RESOLVE_CODE_NOT_RESPONSIBLE),
        (Overloaded(), pb.RESOLVE_CODE_BUSY),
        (Unavailable(), pb.RESOLVE_CODE_BUSY),
        (IntegrityFailure(), pb.RESOLVE_CODE_BUSY),
    ],
)
async def test_every_refusal_is_a_code(error: XibiaoError, code: pb.ResolveCode) -> None:
    async with server(FakeResolver(fails_with=error)) as face:
        answer = await resolved(face.address, pb.ResolveRequest(identifier="88.1/a"))
    assert answer == pb.ResolveResponse(code=code)


async def test_what_goes_wrong_inside_says_nothing_of_itself() -> None:
    async with server(FakeResolver(fails_with=KeyError("inner secret"))) as face:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await resolved(face.address, pb.ResolveRequest(identifier="88.1/a"))
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (failed.value.details() or "")


@pytest.mark.parametrize(
    "question",
    [
        pb.ResolveRequest(identifier="稀" * 1_000),
        pb.ResolveRequest(identifier="88.1/a", indexes=range(257)),
        pb.ResolveRequest(identifier="88.1/a", types=["t"] * 257),
        pb.ResolveRequest(identifier="88.1/a", types=["t" * 257]),
    ],
)
async def test_a_question_beyond_the_limits_is_not_looked_up(question: pb.ResolveRequest) -> None:
    resolver = FakeResolver()
    async with server(resolver) as face:
        assert (await resolved(face.address, question)).code == pb.RESOLVE_CODE_INVALID
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await resolved(face.address, pb.ResolveRequest(identifier="x" * 100_000))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert resolver.asked == []


async def test_a_probe_tells_how_the_node_is() -> None:
    async with (
        server(FakeResolver()) as face,
        grpc.aio.insecure_channel(face.address) as channel,
    ):
        stub: EnterpriseResolutionStub = EnterpriseResolutionStub(channel)  # type: ignore[no-untyped-call]
        answer = await stub.Probe(pb.ProbeRequest(probe_id="p-1"), timeout=WAIT_S)
        health = health_pb2_grpc.HealthStub(channel)
        state = await health.Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
    assert answer == pb.ProbeResponse(
        probe_id="p-1",
        node_time_ms=NOW_S * 1000,
        software="xibiao test",
        state="normal",
        live_records=12,
        log_size=34,
    )
    assert state.status == health_pb2.HealthCheckResponse.SERVING


async def answered(address: str, files: LinkFiles) -> list[bool]:
    """Try a call, health, its stream and reflection with a certificate; tell which answered."""
    identity = files.read()
    trusted = grpc.ssl_channel_credentials(
        identity.authority, identity.private_key, identity.certificate_chain
    )
    async with grpc.aio.secure_channel(address, trusted) as channel:
        stub: EnterpriseResolutionStub = EnterpriseResolutionStub(channel)  # type: ignore[no-untyped-call]
        health = health_pb2_grpc.HealthStub(channel)
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        listing = reflection_pb2.ServerReflectionRequest(list_services="*")
        status = health_pb2.HealthCheckRequest(service=SERVICE_NAME)
        calls = (
            stub.Probe(pb.ProbeRequest(), timeout=WAIT_S),
            health.Check(status, timeout=WAIT_S),
            health.Watch(status, timeout=WAIT_S),
            reflection.ServerReflectionInfo(iter([listing]), timeout=WAIT_S),
        )
        return [await is_answered(call) for call in calls]


async def is_answered(
    call: grpc.aio.UnaryUnaryCall[Any, Any] | grpc.aio.StreamStreamCall[Any, Any],
) -> bool:
    try:
        if isinstance(call, grpc.aio.UnaryUnaryCall):
            await call
            return True
        return await call.read() is not grpc.aio.EOF
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
            raise
        return False


async def test_only_a_pinned_key_is_answered_whatever_it_asks(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    keep_local_pair(tmp_path, now)
    issue_link(tmp_path, tmp_path, "stranger", LOOPBACK, now)
    async with server(FakeResolver(), tmp_path) as face:
        assert await answered(face.address, link_files(tmp_path, SECONDARY)) == [True] * 4
        assert await answered(face.address, link_files(tmp_path, "stranger")) == [False] * 4


async def test_without_certificates_only_this_machine_is_listened_to() -> None:
    service = EnterpriseResolution(FakeResolver(), software="", now_ms=lambda: 0)
    with pytest.raises(InvalidInput):
        await EnterpriseServer.start(service, TransportGuard(None, lambda: 0), "0.0.0.0:0")


async def test_an_address_in_use_is_refused() -> None:
    async with server(FakeResolver()) as face:
        service = EnterpriseResolution(FakeResolver(), software="", now_ms=lambda: 0)
        with pytest.raises(InvalidInput):
            await EnterpriseServer.start(service, TransportGuard(None, lambda: 0), face.address)
