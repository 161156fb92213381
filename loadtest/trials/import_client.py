"""`xibiao import` beside a running node: started, watched, killed, taken up again.

Invariants: at most one client process runs; whatever the client says ends up in `said`; how far the
import is comes from the node's API and, before there is a job, from the size of the upload.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from loadtest.trials.batch_files import BatchFile
from loadtest.trials.findings import TrialFailed
from loadtest.trials.node_process import TrialNode
from loadtest.trials.xibiao_command import CHECKOUT, environment, xibiao

# Shares of the whole that the upload and the analysis take; the rest is registration.
_UPLOADED, _ANALYSED = 0.1, 0.3
_PATIENCE = "5min"
_LOOK_S = 0.02


class ImportClient:
    """The client of one file at one node; use with `with`, which ends it."""

    def __init__(self, node: TrialNode, file: BatchFile, *, options: Sequence[str] = ()) -> None:
        self._node = node
        self._file = file
        self._options = options
        self._sha256 = hashlib.sha256(file.csv.read_bytes()).hexdigest()
        self._process: subprocess.Popen[bytes] | None = None
        self.result = file.csv.with_name("result.csv")
        self._output = file.csv.with_name("import.out")
        self._errors = file.csv.with_name("import.err")

    def __enter__(self) -> ImportClient:
        """Give the client, which is started by `start`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Kill what still runs."""
        self.kill()

    def start(self, *options: str) -> None:
        """Run `xibiao import FILE` with further options such as --resume."""
        where = ["--node", self._node.origin, "--result", str(self.result)]
        fixed = [*where, "--patience", _PATIENCE, "--json"]
        command = xibiao("import", str(self._file.csv), *fixed, *self._options, *options)
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=CHECKOUT,
                env=environment({"XIBIAO_API_KEY": self._node.key}),
            )

    def kill(self) -> None:
        """End the client as `kill -9` does; do nothing when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def tend(self) -> bool:
        """Say whether the client still runs; start anew what `--resume` found no job for.

        Raises TrialFailed when it ended as no client should.
        """
        if self._process is None or (status := self._process.poll()) is None:
            return self._process is not None
        said = self.said()
        if status == 2 and "[no_such_import]" in said:
            self.start()
            return True
        if status not in (0, 1):
            raise TrialFailed(f"xibiao import ended with {status}:\n{said}")
        return False

    def wait(self, within_s: float) -> None:
        """Wait until the client has ended; raises TrialFailed after `within_s`."""
        deadline = time.monotonic() + within_s
        while self.tend():
            if time.monotonic() > deadline:
                raise TrialFailed(f"the import did not end in {within_s} s:\n{self.said()}")
            time.sleep(_LOOK_S)

    def report(self) -> dict[str, object]:
        """Give what a client that has ended reported of the import."""
        report: dict[str, object] = json.loads(self._output.read_text())
        return report

    def said(self) -> str:
        """Give what the client wrote for people."""
        return self._errors.read_text()

    def done_share(self) -> float:
        """Give how much of the import is behind us, 0 … 1; -1 while the node does not answer."""
        status, body = self._node.get(f"/api/v1/imports?sha256={self._sha256}")
        if status != 200:
            return -1.0
        jobs = json.loads(body)["imports"]
        if not jobs:
            return _UPLOADED * self._uploaded_bytes() / self._file.csv.stat().st_size
        match jobs[0]["state"]:
            case "queued":
                return _UPLOADED
            case "analysing":
                return _between(_UPLOADED, _ANALYSED, jobs[0]["phase_done"], jobs[0]["phase_total"])
            case "registering":
                return _between(_ANALYSED, 1.0, jobs[0]["registered"], self._file.rows)
            case "done":
                return 1.0
            case state:
                raise TrialFailed(f"the import is {state}: {jobs[0]['error']}")

    def phase(self) -> str:
        """Give the state of the import, "upload" before there is one."""
        status, body = self._node.get(f"/api/v1/imports?sha256={self._sha256}")
        jobs = json.loads(body)["imports"] if status == 200 else []
        return str(jobs[0]["state"]) if jobs else "upload"

    def _uploaded_bytes(self) -> int:
        drafts = (self._node.data / "imports").glob("*/upload")
        return max((_size(draft) for draft in drafts), default=0)


def _between(low: float, high: float, done: int, total: int) -> float:
    return low + (high - low) * (done / total if total else 0.0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def import_whole(
    node: TrialNode, file: BatchFile, within_s: float, *, options: Sequence[str] = ()
) -> ImportClient:
    """Import a file and give the ended client; raises TrialFailed after `within_s`."""
    with ImportClient(node, file, options=options) as client:
        client.start()
        client.wait(within_s)
    return client
