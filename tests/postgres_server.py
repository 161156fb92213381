"""A real PostgreSQL cluster of the tests' own, on a free loopback port.

Invariants: the cluster lives in a temporary directory that goes with it; the port, and with it
every URL given out, stays the same over stop, kill and start; what was committed is there after
start().
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.server_process import ServerFailed, ServerProcess, find_program, free_port, kill_below

_DEBIAN_PROGRAMS = "usr/lib/postgresql/*/bin"
_SUPERUSER = "postgres"

# Settings beside initdb's own. Without fsync what was committed still survives the death of every
# process, only not that of the operating system, and a test is faster. `synchronous_commit` stays
# on: without it the last commits before a kill are lost.
FAST = {"fsync": "off", "full_page_writes": "off"}
DURABLE = {"fsync": "on", "full_page_writes": "on"}
_SMALL = {"shared_buffers": "32MB", "max_connections": "120", "log_min_messages": "warning"}


def _program(name: str) -> str:
    return find_program(name, package="postgresql", also_in=_DEBIAN_PROGRAMS)


class PostgresServer:
    """A cluster that is running from construction until close()."""

    def __init__(self, settings: dict[str, str]) -> None:
        # PostgreSQL refuses to run as root, so root lends the directory to the package's user.
        self._as_user = _SUPERUSER if os.geteuid() == 0 else ""
        self.directory = Path(tempfile.mkdtemp(prefix="xibiao-postgres-"))
        self._databases = 0
        self.port = free_port(15_000)
        self._psql = _program("psql")
        try:
            self._make_cluster(settings | _SMALL)
            self._server = ServerProcess(
                [_program("postgres"), "-D", str(self._data)],
                self._is_ready,
                log=self.directory / "server.log",
                death_signal=signal.SIGQUIT,
                as_user=self._as_user,
            )
            self._server.start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def url(self, dbname: str) -> str:
        """Give the address of a database of this cluster, which need not exist."""
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{dbname}"

    @property
    def pid(self) -> int:
        """The server's process number. Raises ServerFailed when it is not running."""
        return self._server.pid

    def create_database(self) -> str:
        """Create an empty database of a fresh name and give its address."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database made by create_database, closing what connections it still has."""
        name = url.rpartition("/")[2]
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        """Start the cluster again and wait for its recovery; do nothing when it is running."""
        self._server.start()

    def stop(self) -> None:
        """Shut down in order: connections are closed, everything is written out."""
        self._server.end(signal.SIGINT)

    def kill(self) -> None:
        """Kill every process of the cluster at once, as `kill -9` or a lost container would."""
        kill_below(self.pid)
        self._server.end(signal.SIGKILL)

    def close(self) -> None:
        """End the cluster without ceremony and remove its directory."""
        self._server.end(signal.SIGQUIT)
        self._server.close()
        shutil.rmtree(self.directory)

    def _make_cluster(self, settings: dict[str, str]) -> None:
        if self._as_user:
            shutil.chown(self.directory, self._as_user, self._as_user)
        self._run_as_owner(
            _program("initdb"),
            f"--pgdata={self._data}",
            f"--username={_SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        )
        place = {
            "port": str(self.port),
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": "''",
        }
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{k} = {v}\n" for k, v in (settings | place).items())

    def _run_as_owner(self, *command: str) -> None:
        prefix = ["runuser", "-u", self._as_user, "--"] if self._as_user else []
        done = subprocess.run(
            [*prefix, *command], cwd=self.directory, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ServerFailed(f"{command[0]}: {done.stdout}{done.stderr}")

    def _is_ready(self) -> bool:
        return self._try_execute("SELECT 1").returncode == 0

    def _execute(self, statement: str) -> None:
        done = self._try_execute(statement)
        if done.returncode:
            raise ServerFailed(f"{statement}: {done.stderr}")

    def _try_execute(self, statement: str) -> subprocess.CompletedProcess[str]:
        command = [self._psql, "-X", "-q", "-d", self.url("postgres"), "-c", statement]
        return subprocess.run(command, capture_output=True, text=True, check=False)
