"""The process that makes the load, as the run sees it: started, watched, ended in order."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loadtest.soak.plan import SoakPlan
from loadtest.soak.registering import GIVE_UP_S
from loadtest.trials.xibiao_command import CHECKOUT
from tests.server_process import ServerFailed, ServerProcess

ENDS_WITHIN_S = GIVE_UP_S + 60.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """Ports on this machine: registering, looking up over HTTP and over Handle; an API key."""

    api: int
    http: int
    handle: int
    key: str


class SoakLoad:
    """The load on a node; nothing is asked before `start`."""

    def __init__(self, target: LoadTarget, plan: SoakPlan, data: Path, ledger: Path) -> None:
        numbers = {
            "api": target.api,
            "http": target.http,
            "handle": target.handle,
            "seed": plan.seed,
            "register": plan.register,
            "resolve": plan.resolve,
            "data": data.absolute(),
            "ledger": ledger.absolute(),
        }
        options = [str(word) for name, value in numbers.items() for word in (f"--{name}", value)]
        ledger.mkdir(parents=True, exist_ok=True)
        self._log = ledger / "load.log"
        environment = ["env", f"--chdir={CHECKOUT}", f"XIBIAO_API_KEY={target.key}"]
        self._server = ServerProcess(
            [*environment, sys.executable, "-m", "loadtest.soak.load", *options],
            lambda: "ready" in self._log.read_text(),
            log=self._log,
            death_signal=signal.SIGKILL,
        )

    @property
    def pid(self) -> int:
        """The process number; raises ServerFailed when it has ended."""
        return self._server.pid

    def start(self) -> None:
        """Begin."""
        self._server.start()

    def stop(self) -> str:
        """End in order and return what it said beside "ready"; raises ServerFailed."""
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + ENDS_WITHIN_S
        with suppress(ServerFailed):  # which says that it has ended
            while self.pid and time.monotonic() < deadline:
                time.sleep(_LOOK_S)
        self._server.end(signal.SIGKILL)
        return self._log.read_text().replace("ready", "", 1).strip()

    def close(self) -> None:
        """End it, however it is."""
        self._server.close()
