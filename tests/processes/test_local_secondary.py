"""`xibiao up --secondary local --grpc …`: a secondary node of its own, paired, restarted and never
left behind, to which the node resolves by delegation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from admin.demo import SEED
from admin.demo_batches import iter_rows
from sync.proto.idlink.v1 import enterprise_resolution_pb2 as pb
from sync.proto.idlink.v1.enterprise_resolution_pb2_grpc import EnterpriseResolutionStub

ROOT = Path(__file__).parents[2]
WAIT_S = 60


@contextmanager
def node(data: Path, *options: str) -> Iterator[tuple[dict[str, str], subprocess.Popen[str]]]:
    """Start a node; yield the addresses of its faces and the process, killed at the end."""
    program = [sys.executable, "-m", "admin", "up", "--json", "--data", str(data)]
    faces = ["--http", "127.0.0.1:0", "--handle", "127.0.0.1:0"]
    with (data.parent / "node.log").open("a") as log:
        process = subprocess.Popen(
            [*program, *faces, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds of other processes; fail after a deadline only a fault reaches."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def secondary_of(process: subprocess.Popen[str]) -> int:
    """Return the process id of a node's secondary node, 0 while there is none."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        if b"secondary" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return 0


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def sync_of(faces: dict[str, str]) -> dict[str, Any]:
    status: dict[str, Any] = httpx.get(f"{faces['http']}/api/v1/status", timeout=WAIT_S).json()
    return {**status["sync"], "log_size": status["log"]["size"]}


def is_in_step(faces: dict[str, str]) -> bool:
    sync = sync_of(faces)
    size = sync["log_size"]
    return bool(size) and sync["acked_index"] == size == sync["cosigned"]["size"]


def test_the_demonstration_comes_with_a_paired_secondary_node(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with node(data, "--demo") as (faces, process):
        until(lambda: is_in_step(faces))
        sync = sync_of(faces)
        assert (sync["configured"], sync["alarms"]) == (True, [])
        assert sync["certificate_expires_at"].endswith("Z")
        first = secondary_of(process)
        os.kill(first, signal.SIGKILL)
        until(lambda: secondary_of(process) not in (0, first))
        second = secondary_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
        assert not runs(second)
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    # The second start finds everything it needs, although the node was killed this time.
    with node(data, "--demo") as (faces, process):
        until(lambda: is_in_step(faces))
        left = secondary_of(process)
        process.kill()
        process.wait()
        until(lambda: not runs(left))


def test_a_node_by_itself_has_no_secondary_node(tmp_path: Path) -> None:
    with node(tmp_path / "data", "--demo", "--secondary", "off") as (faces, process):
        assert "secondary" not in faces
        assert secondary_of(process) == 0
        assert sync_of(faces)["configured"] is False


def test_the_secondary_node_may_delegate_resolution_to_the_node(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with node(data, "--demo", "--grpc", "127.0.0.1:0") as (faces, process):
        first = next(iter_rows(1, SEED))["handle"]
        shown = httpx.get(f"{faces['http']}/api/handles/{first}", timeout=WAIT_S).json()
        with channel(faces["grpc"], data / "link", "secondary") as allowed:
            stub = EnterpriseResolutionStub(allowed)  # type: ignore[no-untyped-call]
            found = stub.Resolve(pb.ResolveRequest(identifier=first), timeout=WAIT_S)
            assert (found.code, found.status) == (pb.RESOLVE_CODE_OK, "active")
            values = [(value["index"], value["type"]) for value in shown["values"]]
            assert [(value.index, value.type) for value in found.values] == values
            for identifier, code in (
                (f"{first}-ABSENT", pb.RESOLVE_CODE_NOT_FOUND),
                ("10.9999/ELSEWHERE", pb.RESOLVE_CODE_NOT_RESPONSIBLE),
                ("no identifier", pb.RESOLVE_CODE_INVALID),
            ):
                answer = stub.Resolve(pb.ResolveRequest(identifier=identifier), timeout=WAIT_S)
                assert answer.code == code
            chosen = pb.ResolveRequest(identifier=first, types=["xibiao_status"])
            (status,) = stub.Resolve(chosen, timeout=WAIT_S).values
            assert status.data == b"active"
            probe = stub.Probe(pb.ProbeRequest(probe_id="p"), timeout=WAIT_S)
            assert (probe.probe_id, probe.state) == ("p", "normal")
            assert probe.live_records > 0
        with channel(faces["grpc"], data / "link", "node") as other:
            stub = EnterpriseResolutionStub(other)  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.RpcError):
                stub.Probe(pb.ProbeRequest(), timeout=WAIT_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0


def channel(address: str, folder: Path, name: str) -> grpc.Channel:
    """Open a channel that shows the certificate `name`."""
    own = (folder / f"{name}.key").read_bytes(), (folder / f"{name}.pem").read_bytes()
    roots = (folder / "authority.pem").read_bytes()
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots, *own))
