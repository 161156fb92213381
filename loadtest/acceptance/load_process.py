"""Locust as a process of its own: started headless with a plan, watched, ended.

Locust patches the sockets of its process, so nothing else may run in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.acceptance.plan import Users
from loadtest.suites.goals import Goals
from loadtest.trials.xibiao_command import CHECKOUT, environment
from tests.server_process import find_program

LOCUSTFILE = Path(__file__).parents[1] / "suites" / "locustfile.py"
# Locust waits so long for requests that are under way when a run ends.
STOP_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Target:
    """Where the load goes. `handle` is host:port; `source` two parts of loopback addresses."""

    api: str
    resolver: str
    handle: str
    key: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class LoadEnded:
    """How Locust ended: 0 all well, 1 wrong answers, 3 a goal missed; what it printed."""

    status: int
    said: str


def run_load(
    target: Target,
    *,
    users: Mapping[str, Users],
    goals: Goals,
    data: Path,
    ledger: Path,
    batch: int,
    longest_s: float,
    retries: float = 0.02,
    slices: tuple[int, int] = (0, 1),
    each_second: Callable[[], None] = lambda: None,
) -> LoadEnded:
    """Run Locust to its end, calling `each_second` beside it.

    `retries`: the share of requests that are sent twice; `slices`: (which, of how many) of the rows
    are registered.
    """
    ledger.mkdir(parents=True, exist_ok=True)
    log = ledger / "locust.log"
    command = [
        *_locust(target, users),
        *("--data", str(data), "--ledger", str(ledger), "--batch", str(batch)),
        *("--goal-registered", str(goals.registered), "--goal-resolved", str(goals.resolved)),
        *("--retries", str(retries), "--first-slice", str(slices[0]), "--slices", str(slices[1])),
        *("--run-time", str(int(longest_s)), "--stop-timeout", str(STOP_TIMEOUT_S)),
        *(["--most-faults", str(goals.faults)] if goals.faults else []),
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
            env=environment({"XIBIAO_API_KEY": target.key}),
        )
        try:
            _watch(process, each_second)
        finally:
            process.kill()
            process.wait()
    return LoadEnded(process.returncode, log.read_text(errors="replace"))


def _watch(process: subprocess.Popen[bytes], each_second: Callable[[], None]) -> None:
    while process.poll() is None:
        began = time.monotonic()
        each_second()
        try:
            process.wait(max(0.05, began + 1.0 - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue


def _locust(target: Target, users: Mapping[str, Users]) -> Sequence[str]:
    setpriv = find_program("setpriv", package="util-linux")
    head = [setpriv, "--pdeathsig=KILL", sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
    total = sum(kind.count for kind in users.values())
    configured = [
        json.dumps({"user_class_name": name, "fixed_count": kind.count, "rate": kind.rate})
        for name, kind in users.items()
    ]
    where = ["--host", target.api, "--resolver", target.resolver, "--handle", target.handle]
    return [
        *head,
        # First: the option with the configurations takes all words that follow it.
        *users,
        *("--headless", "--only-summary", "--loglevel", "WARNING"),
        *("--users", str(total), "--spawn-rate", str(total)),
        *where,
        *(["--source", target.source] if target.source else []),
        *("--config-users", *configured),
    ]
