"""The official Handle server as a peer: started from a distribution that somebody else installed.

`HANDLE_SERVER` names its directory, whose `lib` holds the jars; nothing of it is kept here. The
server gets a directory of its own with a fresh key, its own storage, and the same values that the
product shows of the same identifiers.

Invariants: it is started only where there is no network but loopback, because it asks its authors'
servers for things (`unshare -n`, see docs/performance.md); it never outlives the bench.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from loadtest.bench.batches import PREFIX
from loadtest.bench.processes import SERVER_CORE, BenchFailed, pinned, run_to_end
from resolver.handle.keys import encode_clear_file
from tests.server_process import ServerProcess, find_program, free_port

VARIABLE = "HANDLE_SERVER"
_LOADER = "net.handle.apps.tools.LoadHandlesIntoStorageFromJson"
_SERVER = "net.handle.server.Main"
# What answers over HTTP; the client libraries alone come without it.
_CONTAINER = "*servlet*container*.jar"
_INTERFACE = """
  "{name}" = {{ "bind_address" = "127.0.0.1" "num_threads" = "15" "bind_port" = "{port}"
               "log_accesses" = "no" }}"""
_CONFIGURATION = """{{
  "server_type" = "server"
  "no_udp_resolution" = "n"
  "auto_update_root_info" = "no"
  "interfaces" = ( {names} ){interfaces}
  "server_config" = {{ "storage_type" = "{storage}" "case_sensitive" = "no" "this_server_id" = "1"
    "enable_txn_queue" = "no" "auto_homed_prefixes" = ( "0.NA/{prefix}" )
    "server_admins" = ( "300:0.NA/{prefix}" ) }}
}}
"""


def installed_at() -> Path | None:
    """Return the distribution that the environment names, None without one."""
    named = os.environ.get(VARIABLE, "")
    return Path(named).resolve() if named else None


class PeerServer:
    """A running server on SERVER_CORE; use with `closing()`.

    `records`: values by identifier as the Handle.Net JSON API writes them.
    """

    def __init__(
        self, distribution: Path, records: Mapping[str, Sequence[Mapping[str, object]]]
    ) -> None:
        require_loopback_alone()
        self._jars = str(distribution / "lib" / "*")
        if not list((distribution / "lib").glob("handle-*.jar")):
            raise BenchFailed(f"{VARIABLE}: {distribution}/lib has no handle-….jar")
        self.speaks_http = bool(list((distribution / "lib").glob(_CONTAINER)))
        self._has_bdbje = bool(list((distribution / "lib").glob("je-*.jar")))
        self._java = find_program("java", package="default-jre-headless")
        self.port, self.http_port = free_port(7_000), free_port(14_000)
        self.directory = Path(tempfile.mkdtemp(prefix="xibiao-bench-peer-"))
        try:
            self._configure()
            self._fill(records)
            self._server = ServerProcess(
                pinned(SERVER_CORE, self._command(_SERVER, str(self.directory))),
                self._is_ready,
                log=self.directory / "server.log",
                death_signal=signal.SIGKILL,
            )
            self._server.start()
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    @property
    def pid(self) -> int:
        """The process number."""
        return self._server.pid

    @property
    def origin(self) -> str:
        """The address that HTTP requests begin with."""
        return f"http://127.0.0.1:{self.http_port}"

    def close(self) -> None:
        """End the server and remove its directory."""
        self._server.close()
        shutil.rmtree(self.directory)

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [self._java, "-Xmx1g", "-cp", self._jars, program, *arguments]

    def _configure(self) -> None:
        ports = {"hdl_udp": self.port, "hdl_tcp": self.port}
        if self.speaks_http:
            ports["hdl_http"] = self.http_port
        text = _CONFIGURATION.format(
            names=" ".join(f'"{name}"' for name in ports),
            interfaces="".join(
                _INTERFACE.format(name=f"{name}_config", port=port) for name, port in ports.items()
            ),
            storage="BDBJE" if self._has_bdbje else "JDB",
            prefix=PREFIX,
        )
        (self.directory / "config.dct").write_text(text)
        key = generate_private_key(public_exponent=65_537, key_size=2048)
        (self.directory / "privkey.bin").write_bytes(encode_clear_file(key))
        protocols = {"UDP": self.port, "TCP": self.port}
        (self.directory / "siteinfo.json").write_text(json.dumps(_site(key, protocols)))

    def _fill(self, records: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        file = self.directory / "records.json"
        named = {name: {"handle": name, "values": values} for name, values in records.items()}
        content = {"homedPrefixes": [f"0.NA/{PREFIX}"], "handleRecords": named}
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        run_to_end(self._command(_LOADER, "-h", str(self.directory), "-f", str(file)))

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def require_loopback_alone() -> None:
    """Raise BenchFailed where packets have a way to elsewhere (proc(5), /proc/net/route)."""
    _, *routes = Path("/proc/net/route").read_text().splitlines()
    if routes:
        raise BenchFailed(
            "对方服务器只在没有外部网络处启动 the peer is started without network only:"
            " unshare -n sh -c 'ip link set lo up; …'"
        )


def _site(key: RSAPrivateKey, protocols: Mapping[str, int]) -> dict[str, object]:
    """Return the description of the server that it wants to find in its directory."""
    numbers = key.public_key().public_numbers()
    public = {"kty": "RSA", "n": _base64url(numbers.n), "e": _base64url(numbers.e)}
    faces = [
        {"query": True, "admin": True, "protocol": name, "port": port}
        for name, port in protocols.items()
    ]
    server = {
        "serverId": 1,
        "address": "127.0.0.1",
        "publicKey": {"format": "key", "value": public},
        "interfaces": faces,
    }
    return {
        "version": 1,
        "protocolVersion": "2.11",
        "serialNumber": 1,
        "primarySite": True,
        "multiPrimary": False,
        "hashOption": 2,
        "attributes": [],
        "servers": [server],
    }


def _base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
