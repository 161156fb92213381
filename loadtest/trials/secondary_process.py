"""The reference secondary node as a trial starts it: stopped, killed, frozen, taken back in time.

Invariants: it never outlives its trial; its port stays the same over every start; a fault script
that `play` returns from is in force.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from loadtest.trials.findings import TrialFailed
from loadtest.trials.xibiao_command import CHECKOUT, Ended, run_to_end, xibiao
from tests.server_process import ServerProcess, free_port

_READY = re.compile(r"^ready .*?grpc=", re.MULTILINE)
# It looks at its script every half second.
_SCRIPT_IS_READ_AFTER_S = 0.7


class SecondaryProcess:
    """One secondary node; use with `with`. `options` are further ones of its command line."""

    def __init__(self, data: Path, options: Mapping[str, str]) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.port = free_port(20_000)
        self._script = data.with_name("faults.toml")
        self._script.write_text("")
        self._log = data.with_name("secondary.log")
        self._log.touch()
        given = {"--data": str(data), "--listen": f"127.0.0.1:{self.port}"}
        given |= {"--faults": str(self._script), **options}
        words = [word for option in given.items() for word in option]
        self._ready_before = 0
        self._server = ServerProcess(
            ["env", f"--chdir={CHECKOUT}", *xibiao("secondary", *words)],
            lambda: self._times_ready() > self._ready_before,
            log=self._log,
            death_signal=signal.SIGKILL,
        )

    def __enter__(self) -> SecondaryProcess:
        """Start and return when it answers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End it, however the trial went."""
        self._server.close()

    @property
    def books(self) -> Path:
        """The file in which it keeps everything."""
        return self.data / "secondary.db"

    def start(self) -> None:
        """Start, or start again, and wait until it answers; do nothing when it runs."""
        self._ready_before = self._times_ready()
        self._server.start()

    def _times_ready(self) -> int:
        return len(_READY.findall(self._log.read_text()))

    def stop(self) -> None:
        """End it in order."""
        self._server.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._server.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process in its tracks: its connections stand, and nobody answers."""
        os.kill(self._server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self._server.pid, signal.SIGCONT)

    def play(self, script: str) -> None:
        """Put a fault script into force, "" for none."""
        draft = self._script.with_suffix(".new")
        draft.write_text(script)
        draft.rename(self._script)
        time.sleep(_SCRIPT_IS_READ_AFTER_S)
        if "fault_script_refused" in self._log.read_text():
            raise TrialFailed(f"a wrong fault script:\n{script}")

    def back_up(self, to: Path) -> None:
        """Copy its data while it is stopped."""
        shutil.copytree(self.data, to, dirs_exist_ok=True)

    def restore(self, backup: Path) -> None:
        """Put older data in the place of those of the stopped process."""
        shutil.rmtree(self.data)
        shutil.copytree(backup, self.data)

    def audit(self) -> Ended:
        """Run its own audit over its file."""
        return run_to_end(xibiao("secondary", "--data", str(self.data), "audit", "--json"), {})
