"""Nodes of a bench's own: a register with a key and a prefix, and the processes that serve it.

Invariants: a node is started by its command line and spoken to over HTTP, as anybody would; its
files lie in the directory of its `Site`; a node never outlives the bench.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from loadtest.bench.batches import PREFIX
from loadtest.bench.processes import BenchFailed, pinned, run_to_end
from tests.server_process import ServerProcess

_READY = re.compile(
    r"^ready http=http://127\.0\.0\.1:(\d+)(?: .*?handle=127\.0\.0\.1:(\d+))?", re.MULTILINE
)
_XIBIAO = str(Path(sys.executable).with_name("xibiao"))

API_PROCESSES = 2  # as many as this machine has cores
ALL_ROLES = "api,sequencer,importer,resolver"
# As in a plant, but silent: lines of the log would be measured too.
_QUIET = {"XIBIAO_LOGGING__LEVEL": "warning"}
_SHARED_PORT = {"XIBIAO_HTTP__REUSE_PORT": "true"}


@dataclass(frozen=True, slots=True)
class Site:
    """A data directory with the node's secrets, and an administrator's key of its register."""

    data: Path
    key: str


def prepare_site(data: Path, *, profile: str, database: str = "") -> Site:
    """Set up a register: its schema, an administrator's key and PREFIX.

    `database` is an address as `database.url` takes it, "" the embedded one; `profile` the grammar
    of suffixes, "ree-batch" or "ascii33".
    """
    where = {"XIBIAO_DATABASE__URL": database} if database else {}
    command = [_XIBIAO, "key", "create", "--role", "administrator", "--json"]
    created = run_to_end([*command, "--data", str(data)], extra_environment=where)
    add = [_XIBIAO, "prefix", "add", PREFIX, "--profile", profile, "--data", str(data)]
    run_to_end(add, extra_environment=where)
    return Site(data, json.loads(created)["key"])


class NodeProcess:
    """One running node process; use with `with`.

    `database` as for `prepare_site`; `port` 0 takes any, others may be shared by processes; `core`
    pins it; `settings` are further ones by variable (`XIBIAO_…`).
    """

    def __init__(
        self,
        site: Site,
        *,
        roles: str = ALL_ROLES,
        database: str = "",
        port: int = 0,
        core: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        given = {"XIBIAO_DATABASE__URL": database} if database else {}
        environment = [f"{k}={v}" for k, v in (_QUIET | given | dict(settings or {})).items()]
        what = ["--data", str(site.data), "--roles", roles, "--http", f"127.0.0.1:{port}"]
        what += ["--handle", "127.0.0.1:0"]
        command = ["env", *environment, _XIBIAO, "up", *what]
        site.data.mkdir(parents=True, exist_ok=True)
        self._log = site.data / f"{roles}-{id(self):x}.log"
        self._server = ServerProcess(
            command if core is None else pinned(core, command),
            self._is_ready,
            log=self._log,
            death_signal=signal.SIGKILL,
        )
        self.port = port
        self.handle_port = 0  # of UDP and TCP, with the role resolver

    def __enter__(self) -> NodeProcess:
        """Start and return when the node says that it is ready."""
        self._server.start()
        http_port, handle_port = _READY.findall(self._log.read_text())[-1]
        self.port, self.handle_port = int(http_port), int(handle_port or 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End it in order, at once when the bench has failed."""
        if kind is None:
            self._server.end(signal.SIGTERM)
        self._server.close()

    @property
    def origin(self) -> str:
        """The address that requests begin with."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process number of the node."""
        return self._server.pid

    def get(self, path: str) -> bytes:
        """Give the body of an answer 200; raise BenchFailed for any other."""
        status, body = self._ask(path)
        if status != http.HTTPStatus.OK:
            raise BenchFailed(f"GET {path}: {status} {body[:200]!r}")
        return body

    def log_size(self) -> int:
        """Give the number of entries of the log, from its checkpoint; 0 before the first one."""
        status, body = self._ask("/log/checkpoint")
        return int(body.split(b"\n")[1]) if status == http.HTTPStatus.OK else 0

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def lookup_counts(self) -> Mapping[str, int]:
        """Give how many look-ups were answered from `memory`, `redis` and `store`."""
        text = self.get("/metrics").decode()
        pairs = re.findall(r'^xibiao_lookup_events_total\{event="(\w+)"\} (\S+)$', text, re.M)
        return {event: int(float(count)) for event, count in pairs}

    def _is_ready(self) -> bool:
        return _READY.search(self._log.read_text()) is not None


@contextmanager
def production_node(site: Site, database: str, *, port: int = 0) -> Iterator[list[NodeProcess]]:
    """Run API_PROCESSES and, as the last one given, a sequencer.

    The API processes share `port`, or have one each when it is 0.
    """
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                NodeProcess(site, roles=roles, database=database, port=at, settings=_SHARED_PORT)
            )
            for roles, at in [*[("api", port)] * API_PROCESSES, ("sequencer", 0)]
        ]


def processes(nodes: Sequence[NodeProcess]) -> list[int]:
    """Give the process numbers of nodes."""
    return [node.pid for node in nodes]
