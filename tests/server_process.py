"""Run a real server program for the tests and be sure it ends when they end.

Invariants: a server never outlives the process that started it, even when that is killed (the
kernel signals it, `prctl(2)` PR_SET_PDEATHSIG); a missing program is an error that says what to
install, never a skipped test.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_POLL_S = 0.02


class ServerFailed(Exception):
    """A server program is missing, ended early, or did what it should not have done."""


def find_program(name: str, *, package: str, also_in: str = "") -> str:
    """Find a program in PATH, else as the newest match of the glob `also_in` below `/`.

    Raises ServerFailed naming the Debian package when there is none.
    """
    found = shutil.which(name)
    if found is None and also_in:
        newest_first = sorted(Path("/").glob(f"{also_in}/{name}"), reverse=True)
        found = str(newest_first[0]) if newest_first else None
    if found is None:
        raise ServerFailed(
            f"找不到程序 {name}，请安装软件包 {package}。"
            f" Program {name} is missing: install the package {package} (make test does, as root)."
        )
    return found


def free_port(first: int) -> int:
    """Find a free loopback TCP port in the 7,000 from `first`.

    The search stays below the kernel's ephemeral range (32768 on Linux), so that no outgoing
    connection takes the port while a test has the server stopped; it starts at a place that
    depends on the process, so that parallel test workers do not meet.
    """
    for step in range(7_000):
        port = first + (os.getpid() * 13 + step) % 7_000
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port from {first}")


def kill_below(pid: int) -> None:
    """Stop a process, kill its children and return when they are gone.

    It is stopped so that it starts no child that the list would miss. Who starts a PostgreSQL
    server again while a process of the last one is still there is refused.
    """
    os.kill(pid, signal.SIGSTOP)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        _kill_and_wait(int(child))


def _kill_and_wait(pid: int) -> None:
    """Kill a process that is not our child and return when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [])
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


class ServerProcess:
    """One server program: started, signalled, stopped and started again under one command.

    Safe to use from one thread at a time. The output goes to `log`, which is quoted when the
    program ends unexpectedly.
    """

    def __init__(
        self,
        command: Sequence[str],
        is_ready: Callable[[], bool],
        *,
        log: Path,
        death_signal: signal.Signals,
        as_user: str = "",
    ) -> None:
        setpriv = find_program("setpriv", package="util-linux")
        identity = [f"--reuid={as_user}", f"--regid={as_user}", "--init-groups"] if as_user else []
        pdeathsig = f"--pdeathsig={death_signal.name.removeprefix('SIG')}"
        self._command = [setpriv, *identity, pdeathsig, *command]
        self._is_ready = is_ready
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel watches the *thread* that started the child, so the thread has to live as
        # long as this object, whichever thread calls start().
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")

    @property
    def pid(self) -> int:
        """The process number. Raises ServerFailed when the server is not running."""
        if self._process is None or self._process.poll() is not None:
            raise ServerFailed("the server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the program and wait until it answers; do nothing when it is running."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = process = self._starter.submit(self._spawn).result()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise ServerFailed(f"{self._command} did not start:\n{self._log.read_text()}")
            time.sleep(_POLL_S)

    def end(self, how: signal.Signals) -> None:
        """Send the signal `how` and wait for the end; do nothing when it is not running.

        Raises ServerFailed, after killing it, when it does not end in time.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerFailed(f"{self._command} did not end on {how.name}") from None

    def close(self) -> None:
        """Kill what still runs and give up the object."""
        self.end(signal.SIGKILL)
        self._starter.shutdown()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._log.parent,
                start_new_session=True,
            )
