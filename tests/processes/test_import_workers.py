"""The importer's worker processes: signals to the node's group, and a node that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# Ending may take as long as a busy machine needs; this only bounds a failure.
DEADLINE_S = 30.0
# A node of nothing but workers: says their numbers; at each line it says what they answer.
NODE = """
import os, signal, sys
from node.importing.worker_processes import WorkerProcesses

if __name__ == "__main__":
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    workers = WorkerProcesses(2)
    workers.warm_up()
    pool = workers.pool()
    print(pool.submit(os.getpid).result(), *pool._processes, flush=True)
    for _ in sys.stdin:
        print(pool.submit(len, "abc").result(), flush=True)
    workers.stop()
"""
# A worker that was still starting when the node's group was signalled.
STARTING = """
import os, signal
from node.importing.worker_processes import leave_group

names = (signal.SIGTERM, signal.SIGINT)
signal.pthread_sigmask(signal.SIG_BLOCK, names)
for name in names:
    os.kill(os.getpid(), name)
leave_group()
print(signal.sigpending(), signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.fixture
def node() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", NODE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def said(node: subprocess.Popen[str]) -> list[str]:
    assert node.stdout is not None
    return node.stdout.readline().split()


def ask(node: subprocess.Popen[str]) -> list[str]:
    assert node.stdin is not None
    node.stdin.write("\n")
    node.stdin.flush()
    return said(node)


def session(leader: int) -> set[int]:
    """Return the living processes of a session: the node, its workers, its fork server."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z" and int(fields[3]) == leader:
            found.add(int(entry.name))
    return found


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_nodes_group_leaves_its_workers_at_work(
    node: subprocess.Popen[str], name: signal.Signals
) -> None:
    workers = {int(pid) for pid in said(node)}
    os.killpg(node.pid, name)
    assert ask(node) == ["3"]
    assert workers <= session(node.pid)


def test_a_signal_that_came_while_a_worker_started_is_the_nodes_alone() -> None:
    worker = subprocess.run(
        [sys.executable, "-c", STARTING], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    assert worker.stdout == "set() set()\n"
    assert worker.returncode == -signal.SIGTERM


def test_workers_end_when_the_node_is_told_to(node: subprocess.Popen[str]) -> None:
    said(node)
    node.communicate("", timeout=DEADLINE_S)
    assert node.returncode == 0
    wait_until_all_ended(node.pid)


def test_no_process_of_a_killed_node_is_left(node: subprocess.Popen[str]) -> None:
    assert len(said(node)) == 3
    assert len(session(node.pid)) >= 4
    node.kill()
    wait_until_all_ended(node.pid)


def wait_until_all_ended(leader: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while left := session(leader):
        assert time.monotonic() < deadline, left
        os.sched_yield()
