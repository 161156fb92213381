"""Starts again what ended, after a second, as systemd does (`Restart=always`, `RestartSec=1`).

Invariants: a process is killed only through `kill`, so that an end nobody caused is noticed; one
thread, the supervisor's, starts processes.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loadtest.acceptance.production_site import SiteProcess
from tests.server_process import ServerFailed

RESTART_S = 1.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Restart:
    """A process ended and was started again: `killed` by the run, else by itself.

    `ready_s`: from the beginning of the start until it said that it was ready, 0 when it failed.
    """

    name: str
    killed: bool
    ready_s: float
    said: str = ""


class Supervisor:
    """Watches processes from a thread of its own; use with `with`. `tell` hears of each restart."""

    def __init__(
        self, processes: Mapping[str, SiteProcess], tell: Callable[[Restart], None]
    ) -> None:
        self._processes = processes
        self._tell = tell
        self._killed: set[str] = set()
        self._down: set[str] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def __enter__(self) -> Supervisor:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching; what runs goes on."""
        self._over.set()
        self._thread.join()

    def kill(self, name: str) -> None:
        """End a process as `kill -9` does and leave it to the watch; one that is down stays so."""
        with self._lock:
            try:
                pid = self._processes[name].pid
            except ServerFailed:
                return
            self._killed.add(name)
            self._down.add(name)
            os.kill(pid, signal.SIGKILL)

    def wait_until_up(self, within_s: float) -> bool:
        """Wait until everything runs and is ready; say whether it does."""
        deadline = time.monotonic() + within_s
        while self._down and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        return not self._down

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            for name, process in self._processes.items():
                if not _runs(process):
                    self._start_again(name, process)

    def _start_again(self, name: str, process: SiteProcess) -> None:
        with self._lock:
            was_killed = name in self._killed
            self._killed.discard(name)
            self._down.add(name)
        said = "" if was_killed else process.said()[-2_000:]
        if self._over.wait(RESTART_S):
            return
        began = time.monotonic()
        try:
            process.start()
        except ServerFailed as failure:
            self._tell(Restart(name, was_killed, 0.0, str(failure)[-2_000:]))
            return
        self._down.discard(name)
        self._tell(Restart(name, was_killed, round(time.monotonic() - began, 1), said))


def _runs(process: SiteProcess) -> bool:
    try:
        return process.pid > 0
    except ServerFailed:
        return False
