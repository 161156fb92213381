"""The drill with the real programs: a node whose database was exchanged for a second history.

Node and secondary node are processes that speak over mutual TLS. The same key files sign another
history; the node says so by itself, publishes nothing, and is well again with the right database.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from node.domain.checkpoint import verify_checkpoint
from node.domain.receipt import verify_receipt
from node.domain.signed_note import parse_verifier_key
from sync.relay.equivocation import SEPARATOR

ROOT = Path(__file__).parents[2]
WAIT_S, ALARM_WITHIN_S = 60, 60


@dataclass(frozen=True)
class Running:
    """A node that runs: its address, an administrator's key, its process."""

    url: str
    key: str
    process: subprocess.Popen[str]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/api/v1/status", timeout=WAIT_S).json()
        return found

    def is_in_step(self) -> bool:
        status = self.status()
        sync, size = status["sync"], status["log"]["size"]
        return bool(size) and sync["acked_index"] == size == sync["cosigned"]["size"]

    def alarms(self) -> list[str]:
        return [alarm["kind"] for alarm in self.status()["sync"]["alarms"]]

    def xibiao(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run the command line against the node."""
        return subprocess.run(
            [sys.executable, "-m", "admin", *words],
            cwd=ROOT,
            env=os.environ | {"XIBIAO_NODE": self.url, "XIBIAO_API_KEY": self.key},
            capture_output=True,
            timeout=WAIT_S,
            check=False,
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(WAIT_S) == 0


@contextmanager
def node(data: Path, key: str = "") -> Iterator[Running]:
    """Start a demonstration node with a secondary node of its own; kill it at the end."""
    command = [sys.executable, "-m", "admin", "up", "--demo", "--json", "--data", str(data)]
    faces = ["--http", "127.0.0.1:0", "--handle", "127.0.0.1:0"]
    path = data.parent / f"node-{time.monotonic_ns()}.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [*command, *faces], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["http"]
        shown = re.search(r"First administrator key.*\n\s*(\S+)", path.read_text())
        yield Running(url, shown[1] if shown else key, process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until(holds: Callable[[], bool], within_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def exchange(data: Path, other: Path) -> None:
    """Move the node's database out to `other`, or what is there back in."""
    taken = list(data.glob("xibiao.db*"))
    kept = list(other.glob("xibiao.db*")) if other.exists() else []
    other.mkdir(exist_ok=True)
    for path in kept:
        shutil.move(path, data / f"{path.name}.in")
    for path in taken:
        shutil.move(path, other / path.name)
    for path in data.glob("*.in"):
        path.rename(path.with_suffix(""))


def test_a_second_history_under_the_same_keys_is_named_frozen_and_proven(tmp_path: Path) -> None:
    data, aside = tmp_path / "data", tmp_path / "aside"
    with node(data) as first:
        until(first.is_in_step)
        key = first.key
        log_key = httpx.get(f"{first.url}/log/vkey", timeout=WAIT_S).text.strip()
        verifier = parse_verifier_key(log_key)
        given = first.xibiao("sync", "receipt")
        assert given.returncode == 0
        witness = parse_verifier_key(first.status()["sync"]["cosigned"]["by"])
        receipt = verify_receipt(given.stdout, origin=verifier.name, witness_keys=[witness])
        assert (receipt.size, receipt.unapplied) == (first.status()["log"]["size"], ())
        assert first.xibiao("status").returncode == 0
        first.stop()
    exchange(data, aside)
    with node(data) as second:
        until(lambda: "peer_holds_other_log" in second.alarms(), ALARM_WITHIN_S)
        for path in ("checkpoint", "tile/0/000"):
            frozen = httpx.get(f"{second.url}/log/{path}", timeout=WAIT_S)
            assert (frozen.status_code, frozen.json()["code"]) == (503, "publication_frozen")
        shown = second.xibiao("status")
        assert shown.returncode == 1
        assert "peer_holds_other_log" in shown.stdout.decode()
        proof = second.xibiao("sync", "evidence", "peer_holds_other_log").stdout
        ours, theirs = (
            verify_checkpoint(note, origin=verifier.name, log_keys=[verifier])
            for note in proof.split(SEPARATOR)
        )
        assert ours.size == theirs.size == receipt.size
        assert ours.root != theirs.root == receipt.root
        assert second.xibiao("sync", "evidence", "no_such_alarm").returncode == 1
        assert second.xibiao("sync", "clear-alarm", "peer_holds_other_log").returncode == 0
        until(lambda: "peer_holds_other_log" in second.alarms(), ALARM_WITHIN_S)
        second.stop()
    exchange(data, aside)
    with node(data, key) as third:
        until(third.is_in_step)
        assert third.alarms() == []
        assert third.xibiao("status").returncode == 0
        assert httpx.get(f"{third.url}/log/checkpoint", timeout=WAIT_S).status_code == 200
