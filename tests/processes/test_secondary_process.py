"""`xibiao secondary` as a process: ready line, orders from beside, faults, `kill -9`, SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc

from admin.secondary_node import issue_directive
from sync.peer import DirectiveKind
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.operation import audit, list_directives, status
from tests.link_client import NODE, batch, link_client
from tests.tiny_log import PREFIX, TinyLog

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "admin", "secondary"]
WAIT_S = 60


@contextmanager
def secondary(data: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a secondary node; yield its address and the process, which ends at the end."""
    command = [*PROGRAM, "--data", str(data), "--listen", "127.0.0.1:0", "--json", *options]
    with (data.parent / "secondary.log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, umask=0o022
        )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline() or "{}").get("grpc", ""), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ended(process: subprocess.Popen[str]) -> int:
    """Ask a process to end and return its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(WAIT_S)


async def test_it_serves_until_told_to_end_and_keeps_its_files_private(tmp_path: Path) -> None:
    data, log = tmp_path / "data", TinyLog()
    log.register(range(30))
    with secondary(data) as (address, process):
        async with link_client(address, log) as client:
            await client.open()
            assert (await client.send()).acknowledged_size == 30
            assert (await client.offer(log.offer())).code == pb.CHECKPOINT_CODE_COSIGNED
            assert await asyncio.to_thread(ended, process) == 0
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    (node,) = status(data)
    assert (node["node"], node["size"], node["cosigned_size"]) == (NODE, 30, 30)
    report = audit(data)
    assert (report.leaves, report.differences) == (30, [])


def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with secondary(tmp_path / "data"):
        command = [*PROGRAM, "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]
        second = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False
        )
    assert second.returncode == 2
    assert "正由另一进程使用" in second.stderr


async def test_killed_while_it_takes_batches_it_goes_on_where_it_was(tmp_path: Path) -> None:
    data, log, acknowledged = tmp_path / "data", TinyLog(), 0
    log.register(range(2_000))
    with secondary(data) as (address, process):
        async with link_client(address, log) as client:
            await client.open()
            parts = [batch(n, log.entries[n : n + 20]) for n in range(0, log.size, 20)]
            stream = client.stub.SyncLog(iter(parts), metadata=client.metadata)
            with suppress(grpc.aio.AioRpcError):
                async for answer in stream:
                    acknowledged = answer.batch.acknowledged_size
                    process.kill()
    with secondary(data) as (address, _):
        async with link_client(address, log) as client:
            position = (await client.open()).position
            assert position.size >= acknowledged > 0
            assert position.root == log.root(position.size)
            await client.send(position.size)
            assert (await client.offer(log.offer())).code == pb.CHECKPOINT_CODE_COSIGNED
    assert audit(data).differences == []


async def test_an_order_given_beside_it_reaches_the_node_and_is_answered(tmp_path: Path) -> None:
    data, log = tmp_path / "data", TinyLog()
    with secondary(data) as (address, _):
        async with link_client(address, log) as client:
            await client.open()
            watch = client.stub.WatchDirectives(
                pb.WatchDirectivesRequest(), metadata=client.metadata, timeout=WAIT_S
            )
            given = issue_directive(
                data,
                DirectiveKind.SUSPEND_PREFIX,
                node="",
                prefix=PREFIX,
                identifiers=(),
                indexes=(0, 0),
                reason="核查",
                quota=0,
            )
            directive = (await watch.read()).directive
            assert (directive.id, directive.prefix, directive.reason) == (given, PREFIX, "核查")
            assert directive.kind == pb.DIRECTIVE_KIND_SUSPEND_PREFIX
            log.register(range(1))
            (refused,) = (await client.send()).refused
            assert refused.code == pb.ITEM_CODE_PREFIX_SUSPENDED
            answer = pb.AcknowledgeDirectiveRequest(
                id=directive.id, accepted=True, acknowledged_by="张三"
            )
            await client.call("AcknowledgeDirective", answer)
            heartbeat = await client.call("Heartbeat", pb.HeartbeatRequest())
            assert heartbeat.waiting_directives == 0
    (order,) = list_directives(data)
    assert (order["accepted"], order["acknowledged_by"]) == (True, "张三")


async def test_a_fault_script_is_read_again_while_it_runs(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text("max_batch = 7")
    with secondary(tmp_path / "data", "--faults", str(script)) as (address, process):
        async with link_client(address, TinyLog()) as client:
            assert (await client.open()).capabilities.max_batch == 7
            script.write_text("max_batch = 8")
            process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(WAIT_S):
                while (
                    await client.call("Heartbeat", pb.HeartbeatRequest())
                ).capabilities.max_batch != 8:
                    continue


def test_a_wrong_fault_script_is_refused_at_the_start(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text("[[fault]]\nkind = 'burn'")
    with secondary(tmp_path / "data", "--faults", str(script)) as (address, process):
        assert (address, process.wait(WAIT_S)) == ("", 2)
