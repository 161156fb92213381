"""A reference secondary node of a bench's own, and the node process that syncs with it.

Invariants: both are started by their command lines; a secondary node never outlives the bench.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from loadtest.bench.processes import BenchFailed
from loadtest.bench.servers import PostgresCluster
from tests.server_process import ServerProcess

_READY = re.compile(r"^ready .*?grpc=(127\.0\.0\.1:\d+)", re.MULTILINE)
_XIBIAO = str(Path(sys.executable).with_name("xibiao"))
_LOOK_S = 0.05


class SecondaryProcess:
    """One running reference secondary node; use with `with`."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._log = data / "secondary.log"
        command = [_XIBIAO, "secondary", "--data", str(data), "--listen", "127.0.0.1:0"]
        self._server = ServerProcess(
            command,
            lambda: _READY.search(self._log.read_text()) is not None,
            log=self._log,
            death_signal=signal.SIGKILL,
        )

    def __enter__(self) -> SecondaryProcess:
        """Start and return when it answers."""
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End it in order, at once when the bench has failed."""
        if kind is None:
            self._server.end(signal.SIGTERM)
        self._server.close()

    @property
    def address(self) -> str:
        """The host and port it listens on."""
        return str(_READY.findall(self._log.read_text())[-1])

    @property
    def pid(self) -> int:
        """The process number."""
        return self._server.pid


def acked_size(cluster: PostgresCluster, database: str) -> int:
    """Give how many leaves the secondary node has acknowledged, 0 before the first session."""
    sql = "SELECT coalesce(max(acked_size), 0) FROM sync_peer;"
    return int(cluster.execute(sql, database))


def wait_until(holds: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait for something; raise BenchFailed when it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(_LOOK_S)
