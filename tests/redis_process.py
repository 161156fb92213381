"""A real Redis server of the tests' own, on a free loopback port, which keeps nothing on disk.

Invariant: the URL stays the same over stop, pause and start; a start after stop finds it empty.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path

from tests.server_process import ServerFailed, ServerProcess, find_program, free_port

_ANSWER_TIMEOUT_S = 5.0


class RedisServer:
    """A server that is running from construction until close()."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="xibiao-redis-"))
        self.port = free_port(24_000)
        redis = find_program("redis-server", package="redis-server")
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        in_memory_only = ["--save", "", "--appendonly", "no"]
        self._server = ServerProcess(
            [redis, *where, *in_memory_only],
            self._is_ready,
            log=self.directory / "server.log",
            death_signal=signal.SIGKILL,
        )
        try:
            self._server.start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process number. Raises ServerFailed when it is not running."""
        return self._server.pid

    def flush(self) -> None:
        """Empty every database of the server."""
        answer = self._ask(b"FLUSHALL SYNC")
        if answer != b"+OK":
            raise ServerFailed(f"FLUSHALL: {answer!r}")

    def pause(self) -> None:
        """Hold the process: connections stay open, accept new ones, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on; do nothing to one that is not paused."""
        os.kill(self.pid, signal.SIGCONT)

    def start(self) -> None:
        """Start the server again, empty; do nothing when it is running."""
        self._server.start()

    def stop(self) -> None:
        """End the server at once, paused or not: connections are closed, its data is gone."""
        self._server.end(signal.SIGKILL)

    def close(self) -> None:
        """End the server and remove its directory."""
        self._server.close()
        shutil.rmtree(self.directory)

    def _is_ready(self) -> bool:
        try:
            return self._ask(b"PING") == b"+PONG"
        except ConnectionError:
            return False

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), _ANSWER_TIMEOUT_S) as connection:
            connection.sendall(command + b"\r\n")
            with connection.makefile("rb") as answers:
                return answers.readline().rstrip()
