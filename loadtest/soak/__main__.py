"""Runs a soak: `python -m loadtest.soak --hours 1`; `--minutes 3` for a short one.

Invariants: the transcript (one JSON object a line) tells every fault and every look as it happens;
the exit status is 0 without a violation, 1 with one, 2 when the soak broke off.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from loadtest.acceptance.commands import CommandFailed, run_xibiao
from loadtest.acceptance.load_process import LoadEnded, Target, run_load
from loadtest.acceptance.plan import Users
from loadtest.acceptance.production_site import ProductionSite
from loadtest.acceptance.run import SOURCE, settle_step
from loadtest.acceptance.sampling import MemorySampler, growth
from loadtest.bench.processes import BenchFailed
from loadtest.reconcile.__main__ import Sides, reconcile
from loadtest.reconcile.difference import CannotRead
from loadtest.soak.faults import counted, faults_of, schedule
from loadtest.soak.invariants import Invariants
from loadtest.suites.goals import Goals
from loadtest.suites.plant_data import prepare
from tests.server_process import ServerFailed

# 200 registrations and 1,000 resolutions a second.
REGISTERED_A_SECOND = 200
BATCH = 40
USERS = {
    "RegisterSingle": Users(4, 10.0),
    "RegisterBatch": Users(4, 1.0),
    "ChangeRecords": Users(2, 2.0),
    "ResolveHttp": Users(25, 20.0),
    "ResolvePage": Users(10, 20.0),
    "ResolveHandleUdp": Users(8, 20.0),
    "ResolveHandleTcp": Users(7, 20.0),
}
_LOOK_EVERY_S = 60.0
_SPARE_ROWS = 1.2
MOST_PERCENT_AN_HOUR = 1.0
# A slope over less than this says nothing about hours.
JUDGED_FROM_H = 0.4
HELD, VIOLATED, BROKEN_OFF = 0, 1, 2


class Transcript:
    """Writes what happens, for people to the screen and whole into the file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def note(self, event: str, **facts: object) -> None:
        """Write one line."""
        line = {"s": round(time.monotonic() - self._began, 1), "event": event, **facts}
        with self._lock:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
            print(json.dumps(line, ensure_ascii=False)[:400], flush=True)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Soak:
    """One soak on a site."""

    def __init__(
        self,
        site: ProductionSite,
        place: Path,
        *,
        seconds: float,
        seed: int,
        transcript: Transcript,
    ) -> None:
        self._site = site
        self._ledger = place / "ledger"
        self._seconds = seconds
        self._seed = seed
        self._note = transcript.note
        self._over = threading.Event()
        self.memory = MemorySampler(site.pids)
        self.violations: list[str] = []
        self.happened: list[str] = []

    def run(self, data: Path) -> LoadEnded:
        """Load, faults and looks side by side, until the time is over."""
        beside = [threading.Thread(target=work) for work in (self._let_happen, self._look)]
        for thread in beside:
            thread.start()
        site = self._site
        target = Target(
            site.api, site.resolver, f"127.0.0.1:{site.handle_port}", site.key, source=SOURCE
        )
        try:
            return run_load(
                target,
                users=USERS,
                goals=Goals(faults=1_000),
                data=data,
                ledger=self._ledger,
                batch=BATCH,
                longest_s=self._seconds,
                each_second=self.memory.sample,
            )
        finally:
            self._over.set()
            for thread in beside:
                thread.join()

    def _let_happen(self) -> None:
        """Let faults happen, each when the one before is over."""
        faults = faults_of(self._site)
        for pause_s, fault in schedule(faults, random.Random(self._seed), seconds=self._seconds):
            if self._over.wait(pause_s):
                return
            self._note("fault", name=fault.name)
            try:
                fault.happen()
            except (ServerFailed, BenchFailed) as failure:
                self._violate(f"{fault.name}: {failure}")
                return
            self.happened.append(fault.name)

    def _look(self) -> None:
        site = self._site
        access = site.link.access(site.secondary_address)
        invariants = Invariants(self._ledger, site.api, site.key, access, self._seed)
        while not self._over.wait(_LOOK_EVERY_S):
            began = time.monotonic()
            found = invariants.look()
            for violation in found.violations:
                if violation not in self.violations:
                    self._violate(violation)
            spent = round(time.monotonic() - began, 1)
            self._note("look", seconds=spent, unseen=found.unseen, **found.figures)

    def _violate(self, what: str) -> None:
        self.violations.append(what)
        self._note("violation", what=what)


def soak(place: Path, *, seconds: float, seed: int) -> int:
    """Run a whole soak and return the number of violations."""
    transcript = Transcript(place / "transcript.ndjson")
    with tempfile.TemporaryDirectory(prefix="xibiao-soak-") as directory:
        data = Path(directory, "data")
        rows = int(REGISTERED_A_SECOND * seconds * _SPARE_ROWS) + 1_000
        prepare(data, rows=rows, file_rows=0, rows_a_file=1)
        with ProductionSite(Path(directory, "site"), resolvers=2) as site:
            transcript.note("started", rows=rows, processes=sorted(site.processes))
            run = Soak(site, place, seconds=seconds, seed=seed, transcript=transcript)
            ended = run.run(data)
            transcript.note("load ended", status=ended.status, said=ended.said[-300:])
            violations = [*run.violations, *_afterwards(site, place, transcript)]
            _judge_memory(run.memory, transcript, violations)
            transcript.note("faults", **counted(run.happened))
    transcript.note("ended", violations=len(violations), first=violations[:10])
    transcript.close()
    return len(violations)


def _afterwards(site: ProductionSite, place: Path, transcript: Transcript) -> list[str]:
    """Reconcile all sides and audit both books when calm has come."""
    for finding in settle_step(site):
        transcript.note("settled", ok=finding.is_fine, **finding.figures)
    sides = Sides(
        place / "ledger",
        site.api,
        site.key,
        site.link.access(site.secondary_address),
        database=site.postgres.url(site.database),
        read=2_000,
    )
    try:
        found = reconcile(sides)
    except (CannotRead, OSError) as error:
        return [str(error)]
    wrong = [str(difference) for difference in found.differences]
    transcript.note("reconciled", differences=len(wrong), first=wrong[:10], **found.compared)
    commands = {
        "audit": ("audit", "--config", str(site.configuration)),
        "secondary audit": ("secondary", "--data", str(site.secondary_data), "audit"),
    }
    for name, command in commands.items():
        try:
            run_xibiao(*command)
            transcript.note(name, ok=True)
        except CommandFailed as failure:
            wrong.append(f"{name}: {failure}")
            transcript.note(name, ok=False, said=str(failure)[-1_000:])
    return wrong


def _judge_memory(memory: MemorySampler, transcript: Transcript, violations: list[str]) -> None:
    for one in growth(memory.samples):
        slope = round(one.percent_an_hour, 2)
        transcript.note(
            "memory", name=one.name, mib=round(one.mib, 1), percent_an_hour=slope,
            over_hours=round(one.hours, 3),
        )  # fmt: skip
        if one.hours >= JUDGED_FROM_H and slope > MOST_PERCENT_AN_HOUR:
            violations.append(f"memory of {one.name} grows by {slope} %/h")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.soak", description="长稳试验 (hours of load with faults)"
    )
    add = parser.add_argument
    add("--hours", type=float, default=1.0, help="时长，小时 (hours)")
    add("--minutes", type=float, default=0.0, help="时长，分钟，优先 (minutes instead)")
    add("--seed", type=int, default=1, help="随机种子 (random seed)")
    add("--out", type=Path, default=Path("soak-run"), help="结果目录 (where results go)")
    given = parser.parse_args(arguments)
    seconds = 60 * given.minutes or 3600 * given.hours
    place = given.out / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    place.mkdir(parents=True)
    try:
        violations = soak(place, seconds=seconds, seed=given.seed)
    except (CommandFailed, ServerFailed, BenchFailed) as failure:
        print(f"中断 broken off: {failure}", file=sys.stderr, flush=True)
        return BROKEN_OFF
    verdict = "无违反 no violation" if not violations else f"违反 {violations} 处 violations"
    print(f"{verdict}  {place}/transcript.ndjson", flush=True)
    return VIOLATED if violations else HELD


if __name__ == "__main__":
    sys.exit(main())
