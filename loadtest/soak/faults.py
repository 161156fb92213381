"""Does to a site what the schedule says; a fault is over when what it hit works again.

Invariants: processes are only killed, the supervisor starts them; databases and the frozen peer are
brought back here, whatever happens in between.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping

from loadtest.acceptance.link_files import SECONDARY
from loadtest.acceptance.production_site import ProductionSite
from loadtest.soak.fault_schedule import (
    CONNECTIONS_CUT,
    DATABASE_KILLED,
    FREEZE,
    KILL,
    REDIS_DOWN,
    REDIS_WIPED,
    Fault,
)
from loadtest.soak.supervisor import Supervisor

UP_WITHIN_S = 120.0
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid();"
_ROUNDS_OF_CUTS, _BETWEEN_CUTS_S = 5, 1.0


class Breaker:
    """Breaks a site; `happen` is for one thread."""

    def __init__(
        self, site: ProductionSite, supervisor: Supervisor, seed: int, over: threading.Event
    ) -> None:
        self._site = site
        self._supervisor = supervisor
        self._chance = random.Random(f"{seed}/cuts")
        self._over = over
        self._ways: Mapping[str, Callable[[Fault], str]] = {
            KILL: self._kill,
            REDIS_DOWN: self._redis_down,
            REDIS_WIPED: self._redis_wiped,
            CONNECTIONS_CUT: self._cut_connections,
            FREEZE: self._freeze,
            DATABASE_KILLED: self._kill_database,
        }

    def happen(self, fault: Fault) -> str:
        """Do it, wait until everything runs again, and say what there is to say.

        Raises ServerFailed or BenchFailed when something did not come back.
        """
        said = self._ways[fault.kind](fault)
        if not self._supervisor.wait_until_up(UP_WITHIN_S):
            said += f" 未能恢复 not all is up after {UP_WITHIN_S:.0f} s"
        return said

    def _kill(self, fault: Fault) -> str:
        self._supervisor.kill(fault.target)
        return ""

    def _redis_down(self, fault: Fault) -> str:
        self._site.redis.stop()
        try:
            self._over.wait(fault.seconds)
        finally:
            self._site.redis.start()
        return ""

    def _redis_wiped(self, _: Fault) -> str:
        self._site.redis.flush()
        return ""

    def _cut_connections(self, _: Fault) -> str:
        """Cut every third connection or so, several times."""
        cut = 0
        for _number in range(_ROUNDS_OF_CUTS):
            pids = [int(row[0]) for row in self._site.query(_BACKENDS.format(name=self._database))]
            chosen = [pid for pid in pids if self._chance.random() < 1 / 3]
            if chosen:
                ended = ", ".join(f"pg_terminate_backend({pid})" for pid in chosen)
                self._site.query(f"SELECT {ended};")
            cut += len(chosen)
            self._over.wait(_BETWEEN_CUTS_S)
        return f"{cut} 个连接 connections"

    def _freeze(self, fault: Fault) -> str:
        pid = self._site.processes[SECONDARY].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            self._over.wait(fault.seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
        return ""

    def _kill_database(self, _: Fault) -> str:
        self._site.postgres.kill()
        began = time.monotonic()
        self._site.postgres.start()
        return f"{time.monotonic() - began:.1f} s 后恢复 recovered"

    @property
    def _database(self) -> str:
        return self._site.database
