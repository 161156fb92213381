"""An import through sudden deaths: the node, or PostgreSQL below it, is killed at random moments.

Every other time the client dies with the node and is started again with `--resume`; otherwise it
has to sit the outage out. A moment is a share of the whole import, from the first byte uploaded to
the last row registered, plus up to a chunk's time, so that it also falls into a transaction.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

from loadtest.trials.batch_files import write_batches
from loadtest.trials.findings import Finding, TrialFailed, equal
from loadtest.trials.import_client import ImportClient
from loadtest.trials.node_process import (
    DEMO_ROWS,
    TrialNode,
    processes_of_session,
    register_findings,
)
from loadtest.trials.stores import Stores
from tests.postgres_server import PostgresServer

DEATHS = 5
_LONGEST_S = 1_800.0
_LOOK_S = 0.01
_JITTER_S = 0.1
# Workers notice the death of their node by a closed pipe; that takes them a moment.
_ORPHANS_GO_WITHIN_S = 10.0


def kill_trial(
    place: Path, stores: Stores, *, rows: int, seed: int, deaths: int = DEATHS
) -> Iterator[Finding]:
    """Kill the node `deaths` times during the import of `rows` clean rows."""
    yield from _Killing("kill node", place, stores, seed=seed).findings(rows, deaths)


def database_kill_trial(
    place: Path,
    postgres: PostgresServer,
    stores: Stores,
    *,
    rows: int,
    seed: int,
    deaths: int = DEATHS,
) -> Iterator[Finding]:
    """Kill every process of PostgreSQL `deaths` times during the import of `rows` clean rows."""
    killing = _Killing("kill postgresql", place, stores, seed=seed, postgres=postgres)
    yield from killing.findings(rows, deaths)


class _Killing:
    def __init__(
        self,
        trial: str,
        place: Path,
        stores: Stores,
        *,
        seed: int,
        postgres: PostgresServer | None = None,
    ) -> None:
        self._trial = trial
        self._place = place
        self._stores = stores
        self._seed = seed
        self._chance = random.Random(f"{seed}/{trial}")
        self._postgres = postgres
        self._deaths: list[float] = []
        self._orphans: dict[str, object] = {}

    def findings(self, rows: int, deaths: int) -> Iterator[Finding]:
        file = write_batches(self._place, rows, self._seed)
        with TrialNode(self._place / "node", self._stores) as node:
            began = time.monotonic()
            with ImportClient(node, file) as client:
                client.start()
                for number, share in enumerate(self._moments(deaths)):
                    self._wait_until(client, share)
                    self._die(node, client, with_client=number % 2 == 0)
                client.wait(_LONGEST_S)
                report = client.report()
            node.wait_for_log(rows + DEMO_ROWS, _LONGEST_S)
            seconds = round(time.monotonic() - began, 1)
            node.stop()
            yield self._accepted(report, rows, seconds)
            yield Finding(
                self._trial, "no process outlives its node", not self._orphans, self._orphans
            )
            yield from register_findings(node, self._trial, live=rows, changes=rows)

    def _moments(self, deaths: int) -> list[float]:
        return sorted(self._chance.random() for _ in range(deaths))

    def _wait_until(self, client: ImportClient, share: float) -> None:
        deadline = time.monotonic() + _LONGEST_S
        while (done := client.done_share()) < share:
            client.tend()
            if time.monotonic() > deadline:
                raise TrialFailed(f"the import stands at {done:.0%}:\n{client.said()}")
            time.sleep(_LOOK_S)
        self._deaths.append(round(done, 3))

    def _die(self, node: TrialNode, client: ImportClient, *, with_client: bool) -> None:
        time.sleep(_JITTER_S * self._chance.random())
        pid = node.pid
        if with_client:
            client.kill()
        if self._postgres is not None:
            self._postgres.kill()
            self._postgres.start()
        else:
            node.kill()
            self._note_orphans(pid)
            node.start()
        if with_client:
            client.start("--resume")

    def _note_orphans(self, session: int) -> None:
        deadline = time.monotonic() + _ORPHANS_GO_WITHIN_S
        while orphans := processes_of_session(session):
            if time.monotonic() > deadline:
                self._orphans[str(session)] = [_command(pid) for pid in orphans]
                return
            time.sleep(_LOOK_S)

    def _accepted(self, report: dict[str, object], rows: int, seconds: float) -> Finding:
        wanted: dict[str, object] = {"rows": rows, "registered": rows, "rejected": 0}
        found = {**{name: report[name] for name in wanted}, "seconds": seconds}
        return equal(
            self._trial,
            "the import ends as if nothing had happened",
            wanted=wanted,
            found={**found, "killed_at": self._deaths},
        )


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
    return b" ".join(words).decode(errors="replace")[:200]
