"""A real node for the conformance tests: process of its own, SQLite, prefix 86.1000.

`86.1000/ABC` and `86.1000/ADMIN` are those of the conformance list. The node is shared by the
session: a test that changes something uses handles of its own.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.handle_register import ADMIN, SECRET_INDEX, fill_register
from tests.handle_sockets import TCPSocket, UDPSocket, tcp, udp

ROOT = Path(__file__).parents[2]
STOP_S = 60
SETTINGS = {
    "XIBIAO_HANDLE__SERVER_ADMINS": f"{SECRET_INDEX}:{ADMIN}",
    "XIBIAO_LOOKUP__NEGATIVE_TTL": "1ms",
    "XIBIAO_LOOKUP__FOLLOW_INTERVAL": "10ms",
    "XIBIAO_PROXY__REDIRECT_HOSTS": "example.org,*.example.org",
}


@dataclass(frozen=True, slots=True)
class HandleNode:
    """A running node.

    `address` is that of UDP and TCP, `http` and `https` begin the URLs of the JSON API, `data` is
    its directory; `administrator_key` belongs to value 301 of 86.1000/ADMIN.
    """

    address: tuple[str, int]
    http: str
    https: str
    data: Path
    pid: int
    administrator_key: RSAPrivateKey

    @property
    def certificate(self) -> Path:
        """Name the file with the certificate that the node signed itself."""
        return self.data / "https.pem"

    def trust(self) -> ssl.SSLContext:
        """Return a client's TLS context that trusts this node alone."""
        return ssl.create_default_context(cafile=self.certificate)

    def udp(self, *, source: str = "") -> AbstractContextManager[UDPSocket]:
        """Open a datagram socket to the node."""
        return udp(self.address, source=source)

    def tcp(self, *, source: str = "") -> AbstractContextManager[TCPSocket]:
        """Connect to the node."""
        return tcp(self.address, source=source)

    def ask(self, message: bytes) -> bytes:
        """Ask over a connection of its own and return the first reply."""
        with self.tcp() as connection:
            return connection.ask(message)

    def resident_kib(self) -> int:
        """Return the resident memory of the process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.fixture(scope="session")
def handle_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandleNode]:
    """Run a node with the records of the conformance list."""
    with running_node(tmp_path_factory.mktemp("handle-node")) as node:
        yield node


@contextmanager
def running_node(place: Path, **settings: str) -> Iterator[HandleNode]:
    """Run a node on a register of its own; `settings` are further variables (`XIBIAO_…`)."""
    key = fill_register(place / "data")
    program = [sys.executable, "-m", "admin", "up", "--json", "--data", str(place / "data")]
    faces = [f"--{face}=127.0.0.1:0" for face in ("http", "https", "handle")]
    with (place / "node.log").open("w") as log:
        process = subprocess.Popen(
            [*program, *faces],
            cwd=ROOT,
            env=os.environ | SETTINGS | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        assert ready, (place / "node.log").read_text()
        where = json.loads(ready)
        host, _, port = where["handle"].rpartition(":")
        yield HandleNode(
            (host, int(port)), where["http"], where["https"], place / "data", process.pid, key
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0, (place / "node.log").read_text()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
