"""Servers of a bench's own: nginx with one file, a PostgreSQL cluster.

A Redis of its own a bench takes from `tests.redis_process`; all of them are used with `closing()`.

Invariants: each listens on a free loopback port, keeps its files in a temporary directory that
goes with it, and never outlives the bench; PostgreSQL is durable (fsync on).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtest.bench.processes import SERVER_CORE, BenchFailed, pinned, run_to_end
from tests.server_process import ServerProcess, find_program, free_port, kill_below

_DEBIAN_PROGRAMS = "usr/lib/postgresql/*/bin"
_SUPERUSER = "postgres"
_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "log_min_messages": "warning",
    "listen_addresses": "'127.0.0.1'",
}

# One process without a master: nothing is left behind when it is killed, and its processor time
# is the worker's. Connections live as long as the product's do.
_NGINX_CONFIGURATION = """
daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    open_file_cache max=10000;
    default_type application/json;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{ listen 127.0.0.1:{port} reuseport; root {directory}/files; }}
}}
"""


class NginxServer:
    """One nginx worker on SERVER_CORE that answers `url` with fixed bytes from a file."""

    def __init__(self, body: bytes) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="xibiao-bench-nginx-"))
        self.port = free_port(15_000)
        # Root's worker runs as another user, who has to be able to read the file.
        self.directory.chmod(0o755)
        (self.directory / "files").mkdir()
        (self.directory / "files" / "answer.json").write_bytes(body)
        configuration = self.directory / "nginx.conf"
        configuration.write_text(
            _NGINX_CONFIGURATION.format(port=self.port, directory=self.directory)
        )
        nginx = find_program("nginx", package="nginx", also_in="usr/sbin")
        where = ["-p", str(self.directory), "-c", str(configuration)]
        self._server = ServerProcess(
            pinned(SERVER_CORE, [nginx, *where, "-e", str(self.directory / "error.log")]),
            self._is_ready,
            log=self.directory / "server.log",
            death_signal=signal.SIGKILL,
        )
        _start_or_remove(self._server, self.directory)

    @property
    def url(self) -> str:
        """The address of the file."""
        return f"http://127.0.0.1:{self.port}/answer.json"

    @property
    def pid(self) -> int:
        """The worker's process number."""
        return self._server.pid

    def close(self) -> None:
        """End the server and remove its directory."""
        self._server.close()
        shutil.rmtree(self.directory)

    def _is_ready(self) -> bool:
        return _accepts_connections(self.port)


class PostgresCluster:
    """A durable PostgreSQL cluster with 1 GB of shared buffers, on a port and a unix socket.

    It is not pinned: its processes share both cores, as the ceiling and the product see it.
    """

    def __init__(self) -> None:
        # PostgreSQL refuses to run as root, so root lends the directory to the package's user.
        self._as_user = _SUPERUSER if os.geteuid() == 0 else ""
        self.directory = Path(tempfile.mkdtemp(prefix="xibiao-bench-postgres-"))
        self.port = free_port(22_000)
        self._databases = 0
        data = self.directory / "data"
        self._make_cluster(data)
        self._server = ServerProcess(
            [_postgres_program("postgres"), "-D", str(data)],
            self._is_ready,
            log=self.directory / "server.log",
            death_signal=signal.SIGQUIT,
            as_user=self._as_user,
        )
        _start_or_remove(self._server, self.directory)

    @property
    def pid(self) -> int:
        """The process number of the postmaster, which is above all others of the cluster."""
        return self._server.pid

    def url(self, database: str = "postgres") -> str:
        """Give the address of a database over TCP."""
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """Give the address of a database over the unix socket."""
        return f"postgresql:///{database}?host={self.directory}&port={self.port}&user={_SUPERUSER}"

    def create_database(self) -> str:
        """Create an empty database and give its name."""
        self._databases += 1
        name = f"bench_{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    @contextmanager
    def copied(self, template: str) -> Iterator[str]:
        """Copy a database for one round and give its name; it is dropped in the end.

        As the ceilings drop their tables: so the next round finds the machine's memory as it was,
        and not half of it to be touched for the first time.
        """
        self._databases += 1
        name = f"{template}_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template};\nCHECKPOINT;")
        yield name
        self.execute(f"DROP DATABASE {name};")

    def execute(self, statements: str, database: str = "postgres") -> str:
        """Run SQL or psql commands, one a line, and give psql's output; BenchFailed on an error."""
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        psql = _postgres_program("psql")
        return run_to_end([psql, *options, "-d", self.socket_url(database)], text=statements)

    def kill(self) -> None:
        """Kill every process of the cluster at once, as `kill -9` or a lost container would."""
        kill_below(self.pid)
        self._server.end(signal.SIGKILL)

    def start(self) -> None:
        """Start it again and return when it has recovered; do nothing when it runs."""
        self._server.start()

    def close(self) -> None:
        """End the cluster without ceremony and remove its directory."""
        self._server.end(signal.SIGQUIT)
        self._server.close()
        shutil.rmtree(self.directory)

    def _make_cluster(self, data: Path) -> None:
        if self._as_user:
            shutil.chown(self.directory, self._as_user, self._as_user)
        as_owner = ["runuser", "-u", self._as_user, "--"] if self._as_user else []
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        initdb = [_postgres_program("initdb"), f"--pgdata={data}", f"--username={_SUPERUSER}"]
        run_to_end([*as_owner, *initdb, *options])
        place = {"port": str(self.port), "unix_socket_directories": f"'{self.directory}'"}
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{k} = {v}\n" for k, v in (_SETTINGS | place).items())

    def _is_ready(self) -> bool:
        try:
            self.execute("SELECT 1;")
        except BenchFailed:
            return False
        return True


def _postgres_program(name: str) -> str:
    return find_program(name, package="postgresql", also_in=_DEBIAN_PROGRAMS)


def _start_or_remove(server: ServerProcess, directory: Path) -> None:
    try:
        server.start()
    except BaseException:
        server.close()
        shutil.rmtree(directory)
        raise


def _accepts_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
