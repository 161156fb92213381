"""A node that a trial starts, kills with SIGKILL and starts again on the same data and port.

It is started with `--demo`, which owns the generator's prefixes and registers DEMO_ROWS of its
batches; the trial's own files begin on a later day (`batch_files`), so that none meets them.

Invariants: a node never outlives its trial; the port stays the same over every start; the key is
that of the first administrator, which the first start prints.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

from loadtest.trials.findings import Finding, TrialFailed, equal
from loadtest.trials.http_requests import KeptConnection
from loadtest.trials.stores import Stores, count
from loadtest.trials.xibiao_command import CHECKOUT, Ended, run_to_end, xibiao
from tests.server_process import ServerProcess, free_port

DEMO_ROWS = 2_000
ALL_ROLES = "api,sequencer,importer,resolver"
_READY = re.compile(r"^ready http=", re.MULTILINE)
_HANDLE = re.compile(r"^ready .*?handle=([\d.]+):(\d+)", re.MULTILINE)
_FIRST_KEY = re.compile(r"^ +(xb_\w+)$", re.MULTILINE)
_LOOK_S = 0.05
_KIB_A_MIB = 1024


class TrialNode:
    """One node process; use with `with`. `settings` are further variables (`XIBIAO_…`)."""

    def __init__(
        self,
        data: Path,
        stores: Stores,
        *,
        roles: str = ALL_ROLES,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.stores = stores
        self.roles = roles
        self.port = free_port(7_000)
        self._log = data / f"{roles.replace(',', '-')}-{self.port}.log"
        where = ["--data", str(data), "--http", f"127.0.0.1:{self.port}", "--roles", roles]
        where += ["--handle", "127.0.0.1:0"]
        given = {**stores.settings(), "XIBIAO_LOGGING__LEVEL": "warning", **(settings or {})}
        variables = [f"{name}={value}" for name, value in given.items()]
        program = ["env", f"--chdir={CHECKOUT}", *variables, *xibiao("up", "--demo", *where)]
        self._starts = 0
        self._server = ServerProcess(
            program, self._is_ready, log=self._log, death_signal=signal.SIGKILL
        )

    def __enter__(self) -> TrialNode:
        """Start and return when the node says that it is ready."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End it, however the trial went."""
        self._server.close()

    @property
    def pid(self) -> int:
        """The process number; raises ServerFailed when the node is not running."""
        return self._server.pid

    @property
    def key(self) -> str:
        """The first administrator's key."""
        found = _FIRST_KEY.search(self._log.read_text())
        if found is None:
            raise TrialFailed(f"the node showed no key:\n{self._log.read_text()}")
        return found[1]

    @property
    def origin(self) -> str:
        """The address that requests begin with."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def handle_address(self) -> tuple[str, int]:
        """The address of the Handle protocol, UDP and TCP, since the last start."""
        host, port = _HANDLE.findall(self._log.read_text())[-1]
        return host, int(port)

    def start(self) -> None:
        """Start, or start again, and wait until every face answers."""
        self._starts += 1
        self._server.start()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._server.end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order; raises ServerFailed when it does not end in time."""
        self._server.end(signal.SIGTERM)

    def get(self, path: str) -> tuple[int, bytes]:
        """Give status and body of a GET with the key; (0, b"") when nothing answers."""
        return self._ask("GET", path, {"Authorization": f"Bearer {self.key}"})

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Give status and body of a POST with the key; (0, b"") when nothing answers."""
        return self._ask("POST", path, {"Authorization": f"Bearer {self.key}"}, body)

    def patch(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Give status and body of a PATCH with the key; (0, b"") when nothing answers."""
        return self._ask("PATCH", path, {"Authorization": f"Bearer {self.key}"}, body)

    def metrics(self) -> str:
        """Give what the process counts, "" when nothing answers."""
        return self._ask("GET", "/metrics", {})[1].decode()

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()

    def connection(self) -> Callable[[], KeptConnection]:
        """Give what opens connections that carry the key."""
        return partial(KeptConnection, self.port, self.key)

    def wait_for_log(self, entries: int, within_s: float) -> None:
        """Wait until the signed log has that many entries; raises TrialFailed after `within_s`."""
        deadline = time.monotonic() + within_s
        while (size := self._log_size()) < entries:
            if time.monotonic() > deadline:
                raise TrialFailed(f"the log has {size} of {entries} entries")
            time.sleep(_LOOK_S)

    def resident_mib(self) -> float:
        """Give the resident memory of the node and its workers; shared pages count for each."""
        return sum(_resident_kib(pid) for pid in processes_of_session(self.pid)) / _KIB_A_MIB

    def audit(self) -> Ended:
        """Run `xibiao audit` over the node's register."""
        command = xibiao("audit", "--data", str(self.data), "--json")
        return run_to_end(command, self.stores.settings())

    def log_text(self) -> str:
        """Give what the node wrote."""
        return self._log.read_text()

    def _log_size(self) -> int:
        status, body = self.get("/log/checkpoint")
        return int(body.split(b"\n")[1]) if status == 200 else 0

    def _is_ready(self) -> bool:
        return len(_READY.findall(self._log.read_text())) >= self._starts


def register_findings(node: TrialNode, trial: str, *, live: int, changes: int) -> list[Finding]:
    """Say whether a node that has ended holds what it should, and whether its audit is clean.

    `live` and `changes` are the trial's own; those of the demonstration come on top.
    """
    counts = count(node.data, node.stores)
    entries = changes + DEMO_ROWS
    wanted: dict[str, object] = {
        "live": live + DEMO_ROWS,
        "changes": entries,
        "leaves": entries,
        "log_is_contiguous": True,
    }
    found = {name: getattr(counts, name) for name in (*wanted, "records", "pending")}
    began = time.monotonic()
    audit = node.audit()
    seconds = round(time.monotonic() - began, 1)
    said = {"output": (audit.output or audit.errors)[-2_000:]} if audit.status else {}
    return [
        equal(trial, "the register holds exactly the rows", wanted=wanted, found=found),
        Finding(trial, "the audit is clean", audit.status == 0, {"seconds": seconds, **said}),
    ]


def processes_of_session(session: int) -> list[int]:
    """Give the processes of a session, by number: a node and all its workers, orphans included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _session_of(entry) == session:
            found.append(int(entry.name))
    return found


def _session_of(process: Path) -> int:
    try:
        fields = (process / "stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] == "Z" else int(fields[3])


def _resident_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
