"""The secondary node over real gRPC: sessions, limits, every call, and planned faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from node.domain.receipt import Receipt, verify_receipt
from node.domain.record import Action
from node.domain.signed_note import parse_verifier_key
from node.errors import InvalidInput, WrongState
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.faults import Faults, parse_script
from sync.secondary.server import SERVICE_NAME, SecondaryNode, Settings
from sync.secondary.service import Limits
from tests.link_client import LinkClient, batch, checkpoint, link_client, opening
from tests.tiny_log import PREFIX, TinyLog, identifier

NOW_MS = 1_795_255_200_000


class Clock:
    """Milliseconds that a test moves."""

    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@asynccontextmanager
async def secondary(
    data_dir: Path, script: str = "", clock: Clock | None = None, **limits: int
) -> AsyncIterator[SecondaryNode]:
    """Run a secondary node in this process."""
    node = await SecondaryNode.start(
        Settings(data_dir=data_dir, listen="127.0.0.1:0", limits=Limits(**limits)),
        faults=Faults(parse_script(script)),
        security=None,
        now_ms=clock or Clock(),
        random_bytes=lambda count: bytes(range(count)),
    )
    try:
        yield node
    finally:
        await node.stop()


@asynccontextmanager
async def session(
    data_dir: Path, script: str = "", clock: Clock | None = None, **limits: int
) -> AsyncIterator[LinkClient]:
    """Run a secondary node and open a session with it."""
    async with (
        secondary(data_dir, script, clock, **limits) as node,
        link_client(node.address, TinyLog()) as client,
    ):
        await client.open()
        yield client


def status(error: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> grpc.StatusCode:
    """Return the status a call ended with."""
    return error.value.code()


async def test_a_log_is_held_cosigned_and_answered_for(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        client.log.register(range(300))
        result = await client.send()
        assert (result.acknowledged_size, list(result.refused)) == (300, [])
        assert (result.received_at_ms, bool(result.receipt_id)) == (NOW_MS, True)
        cosigned = await client.offer(client.log.offer())
        assert cosigned.code == pb.CHECKPOINT_CODE_COSIGNED
        assert cosigned.accepted_records == 300
        position = await client.position()
        assert (position.size, position.cosigned_size) == (300, 300)
        assert position.root == client.log.root()


async def test_a_receipt_is_given_for_what_is_held(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        client.log.register(range(30))
        key = parse_verifier_key((await client.open()).cosigner_verifier_key)
        await client.send()
        answer = await client.call("IssueReceipt", pb.IssueReceiptRequest(size=20))
        receipt = verify_receipt(answer.note, origin=client.log.origin, witness_keys=[key])
        assert receipt == Receipt(client.log.origin, 20, client.log.root(20), NOW_MS)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.call("IssueReceipt", pb.IssueReceiptRequest(size=31))
        assert status(error) is grpc.StatusCode.NOT_FOUND


async def test_parts_of_one_stream_are_answered_in_order(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        entries = client.log.register(range(100))
        parts = [batch(n, entries[n : n + 10], batch_id=n + 1) for n in range(0, 100, 10)]
        answers = await client.sync(*parts, checkpoint(client.log.offer()))
        assert [a.batch.batch_id for a in answers[:-1]] == list(range(1, 101, 10))
        assert [a.batch.acknowledged_size for a in answers[:-1]] == list(range(10, 101, 10))
        assert answers[-1].checkpoint.code == pb.CHECKPOINT_CODE_COSIGNED


async def test_a_new_session_tells_where_to_go_on(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        client.log.register(range(20))
        await client.send()
        opened = await client.open()
        assert (opened.position.size, opened.server_time_ms) == (20, NOW_MS)
        assert opened.cosigner_verifier_key.startswith("xibiao.local/witness/")
        assert opened.capabilities.max_batch > 0
        assert opened.capabilities.window > 0


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    log = TinyLog()
    log.register(range(20))
    for size in (10, 20):
        async with secondary(tmp_path) as node, link_client(node.address, log) as client:
            opened = await client.open()
            assert opened.position.size == size - 10
            await client.send(size - 10, size)
            await client.offer(log.offer(opened.position.cosigned_size, size))
    async with secondary(tmp_path) as node, link_client(node.address, log) as client:
        assert (await client.open()).position.cosigned_size == 20


@pytest.mark.parametrize(
    "call",
    [
        ("Heartbeat", pb.HeartbeatRequest()),
        ("RetryItems", pb.RetryItemsRequest()),
        ("IssueReceipt", pb.IssueReceiptRequest()),
        ("PutTemplate", pb.PutTemplateRequest()),
        ("PutRoute", pb.PutRouteRequest()),
        ("PutProfile", pb.PutProfileRequest()),
        ("GetPrefix", pb.GetPrefixRequest()),
        ("GetRecord", pb.GetRecordRequest()),
        ("Reconcile", pb.ReconcileRequest()),
        ("WithdrawRecords", pb.WithdrawRecordsRequest()),
        ("ReportDay", pb.ReportDayRequest()),
        ("ReportEvent", pb.ReportEventRequest()),
        ("AcknowledgeDirective", pb.AcknowledgeDirectiveRequest()),
    ],
    ids=lambda call: call[0],
)
async def test_a_call_without_a_session_is_not_answered(
    tmp_path: Path, call: tuple[str, object]
) -> None:
    async with session(tmp_path) as client:
        client.token = "0" * 64
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.call(*call)
        assert status(error) is grpc.StatusCode.UNAUTHENTICATED


async def test_streams_without_a_session_end(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        client.token = ""
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.sync(batch(0, []))
        assert status(error) is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await anext(aiter(client.stub.WatchDirectives(pb.WatchDirectivesRequest())))
        assert status(error) is grpc.StatusCode.UNAUTHENTICATED


async def test_a_session_that_expires_ends_its_stream_and_nothing_is_lost(tmp_path: Path) -> None:
    clock = Clock()
    async with session(tmp_path, clock=clock) as client:
        entries = client.log.register(range(20))
        stream = client.stub.SyncLog(metadata=client.metadata)
        await stream.write(batch(0, entries[:10]))
        assert (await stream.read()).batch.acknowledged_size == 10
        clock.now_ms += Limits().session_lifetime_ms
        await stream.write(batch(10, entries[10:]))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stream.read()
        assert status(error) is grpc.StatusCode.UNAUTHENTICATED
        assert (await client.open()).position.size == 10


async def test_another_key_of_the_log_is_denied(tmp_path: Path) -> None:
    async with secondary(tmp_path) as node:
        async with link_client(node.address, TinyLog(1)) as client:
            await client.open()
        async with link_client(node.address, TinyLog(9)) as thief:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await thief.open()
            assert status(error) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_second_log_of_the_same_key_is_not_cosigned(tmp_path: Path) -> None:
    fork = TinyLog(salts=1)
    fork.register(range(10))
    async with session(tmp_path) as client:
        client.log.register(range(10))
        await client.send()
        await client.offer(client.log.offer())
        client.log = fork
        conflict = await client.send()
        assert [(r.index, r.code) for r in conflict.refused] == [(0, pb.ITEM_CODE_CONFLICT)]
        refused = await client.offer(fork.offer(10))
        assert refused.code == pb.CHECKPOINT_CODE_INCONSISTENT
        assert not refused.signature_line


async def test_a_missing_leaf_is_named(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        client.log.register(range(10))
        await client.send(0, 4)
        result = await client.send(6)
        assert result.acknowledged_size == 4
        assert [(r.index, r.code) for r in result.refused] == [(4, pb.ITEM_CODE_NOT_FOUND)]


async def test_batches_and_messages_that_are_too_large_are_refused(tmp_path: Path) -> None:
    async with session(tmp_path, max_batch=10, max_message_bytes=1 << 16) as client:
        entries = client.log.register(range(200))
        for many in (11, 200):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await client.sync(batch(0, entries[:many]))
            assert status(error) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await client.send(size=10)).acknowledged_size == 200


async def test_a_part_without_content_ends_the_stream(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.sync(pb.SyncLogRequest())
        assert status(error) is grpc.StatusCode.INVALID_ARGUMENT


async def test_refused_items_are_retried(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        (entry,) = client.log.add(client.log.entry(identifier(1), shared={"template": "late/1"}))
        (refused,) = (await client.send()).refused
        assert refused.code == pb.ITEM_CODE_TEMPLATE_MISSING
        template = pb.Template(name="late", version=1, object_class="batch", digest="1" * 64)
        receipt = await client.call("PutTemplate", pb.PutTemplateRequest(template=template))
        assert receipt.receipt.accepted
        item = pb.RetryItem(index=0, opening=opening(entry))
        response = await client.call("RetryItems", pb.RetryItemsRequest(items=[item, item]))
        codes = [result.code for result in response.results]
        assert codes == [pb.ITEM_CODE_OK, pb.ITEM_CODE_ALREADY_SAME]


async def test_records_and_prefixes_can_be_read(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        entries = client.log.register(range(3))
        client.log.add(client.log.entry(identifier(2), Action.REVOKE, revision=2))
        await client.send()
        found = await client.call("GetRecord", pb.GetRecordRequest(identifier=identifier(1)))
        assert entries[1].opening is not None
        assert (found.index, found.shared) == (1, entries[1].opening.shared)
        absent = await client.call("GetRecord", pb.GetRecordRequest(identifier="88.1.1/X"))
        assert not absent.found
        prefix = await client.call("GetPrefix", pb.GetPrefixRequest(prefix=PREFIX))
        assert (prefix.state, prefix.live_records) == (pb.PREFIX_STATE_ACTIVE, 2)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.call("GetPrefix", pb.GetPrefixRequest(prefix="88.1.1"))
        assert status(error) is grpc.StatusCode.NOT_FOUND


async def test_records_are_compared_and_strangers_stay_withheld(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        client.log.register(range(30))
        await client.send()
        response = await client.call("Reconcile", pb.ReconcileRequest(digits=0, list_buckets=[""]))
        assert (response.size, response.total, len(response.records)) == (30, 30, 30)
        everything = pb.ReconcileRequest(digits=2)
        differing = (await client.call("Reconcile", everything)).differing
        assert 0 < len(differing) <= 30
        receipt = await client.call(
            "WithdrawRecords", pb.WithdrawRecordsRequest(identifiers=[identifier(1)])
        )
        assert (receipt.receipt.accepted, receipt.receipt.code) == (False, "held_by_log")


async def test_reports_are_receipted(tmp_path: Path) -> None:
    endpoint = pb.Endpoint(address="10.0.0.1", transport=pb.TRANSPORT_TCP, port=2641)
    route = pb.Route(prefix=PREFIX, scheme=pb.SCHEME_HANDLE, endpoints=[endpoint], revision=1)
    day = pb.DayReport(prefix=PREFIX, day="2026-11-20", revision=1)
    event = pb.NodeEvent(event_id="e", type=pb.EVENT_TYPE_ABNORMAL, occurred_at_ms=1)
    profile = pb.Profile(revision=1, fields={"name": "示例"})
    async with session(tmp_path) as client:
        for name, request in (
            ("PutRoute", pb.PutRouteRequest(route=route)),
            ("PutProfile", pb.PutProfileRequest(profile=profile)),
            ("ReportDay", pb.ReportDayRequest(report=day)),
            ("ReportEvent", pb.ReportEventRequest(event=event)),
        ):
            first, again = await client.call(name, request), await client.call(name, request)
            assert (first.receipt.accepted, first.receipt.code) == (True, "stored")
            assert (again.receipt.id, again.receipt.code) == (first.receipt.id, "already_same")
        refused = await client.call("ReportDay", pb.ReportDayRequest())
        assert not refused.receipt.accepted


async def test_health_and_reflection_answer(tmp_path: Path) -> None:
    async with secondary(tmp_path) as node, grpc.aio.insecure_channel(node.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE_NAME):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watching = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        watching.cancel()
        make_stub: Any = reflection_pb2_grpc.ServerReflectionStub
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        stream = make_stub(channel).ServerReflectionInfo(iter([question]))
        names = {s.name for s in (await stream.read()).list_services_response.service}
        assert SERVICE_NAME in names


async def test_an_unknown_call_is_unimplemented(tmp_path: Path) -> None:
    async with secondary(tmp_path) as node, grpc.aio.insecure_channel(node.address) as channel:
        name = "/idlink.v1.SecondaryLink/Nothing"
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(name)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"")
        assert status(error) is grpc.StatusCode.UNIMPLEMENTED


async def test_one_process_serves_a_data_directory(tmp_path: Path) -> None:
    async with secondary(tmp_path):
        with pytest.raises(WrongState):
            await SecondaryNode.start(
                Settings(data_dir=tmp_path, listen="127.0.0.1:0"),
                faults=Faults(),
                security=None,
                now_ms=Clock(),
                random_bytes=bytes,
            )


async def test_without_tls_only_this_machine_is_served(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        await SecondaryNode.start(
            Settings(data_dir=tmp_path, listen="0.0.0.0:0"),
            faults=Faults(),
            security=None,
            now_ms=Clock(),
            random_bytes=bytes,
        )
    async with session(tmp_path) as client:
        assert client.token


async def test_a_stopping_node_ends_streams_after_answering(tmp_path: Path) -> None:
    log = TinyLog()
    entries = log.register(range(10))
    async with secondary(tmp_path) as node, link_client(node.address, log) as client:
        await client.open()
        stream = client.stub.SyncLog(metadata=client.metadata)
        watch = client.stub.WatchDirectives(pb.WatchDirectivesRequest(), metadata=client.metadata)
        await stream.write(batch(0, entries))
        assert (await stream.read()).batch.acknowledged_size == 10
        async with asyncio.timeout(30):
            await node.stop()
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stream.read()
            assert status(error) is grpc.StatusCode.UNAVAILABLE
            assert await watch.read() is grpc.aio.EOF


FAULTS = "[[fault]]\ncall = 'SyncLog'\n"


async def test_a_lost_acknowledgement_leaves_the_leaves_in_place(tmp_path: Path) -> None:
    async with session(tmp_path, FAULTS + "kind = 'lose'\nevery = 2") as client:
        client.log.register(range(100))
        parts = [
            batch(n, client.log.entries[n : n + 10], batch_id=n + 1) for n in range(0, 100, 10)
        ]
        answers = await client.sync(*parts)
        assert [a.batch.batch_id for a in answers] == [1, 21, 41, 61, 81]
        assert (await client.position()).size == 100


async def test_hidden_success_is_found_by_asking_again(tmp_path: Path) -> None:
    async with session(tmp_path, FAULTS + "kind = 'fail'\ntimes = 1") as client:
        client.log.register(range(10))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.send()
        assert status(error) is grpc.StatusCode.UNAVAILABLE
        assert (await client.position()).size == 10
        assert (await client.send()).acknowledged_size == 10


async def test_a_rolled_back_node_tells_its_older_position(tmp_path: Path) -> None:
    script = FAULTS + "kind = 'roll_back'\nleaves = 60\nafter = 1\ntimes = 1"
    async with session(tmp_path, script) as client:
        client.log.register(range(100))
        await client.send()
        assert (await client.offer(client.log.offer())).code == pb.CHECKPOINT_CODE_AHEAD
        position = await client.position()
        assert (position.size, position.root) == (40, client.log.root(40))
        await client.send(40)
        assert (await client.offer(client.log.offer())).code == pb.CHECKPOINT_CODE_COSIGNED


async def test_garbage_is_not_read_and_an_expired_session_is_over(tmp_path: Path) -> None:
    script = "[[fault]]\ncall = 'Heartbeat'\nkind = 'garbage'\ntimes = 1\n"
    script += "[[fault]]\ncall = 'Heartbeat'\nkind = 'expire'\nafter = 1\ntimes = 1"
    async with session(tmp_path, script) as client:
        # What grpc.aio gives for bytes that cannot be read.
        assert await client.call("Heartbeat", pb.HeartbeatRequest()) is None
        await client.position()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.position()
        assert status(error) is grpc.StatusCode.UNAUTHENTICATED
