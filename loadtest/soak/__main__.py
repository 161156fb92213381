"""Runs a soak: `python -m loadtest.soak --hours 1`; `--minutes 3` for a short one.

Invariants: the transcript lies in `soak-run/<date>/` as JSON lines and as text; the exit status is
0 without a violation, 1 with one, 2 when the soak broke off.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from loadtest.acceptance.commands import CommandFailed
from loadtest.acceptance.production_site import ProductionSite
from loadtest.bench.processes import BenchFailed
from loadtest.soak.fault_schedule import schedule
from loadtest.soak.plan import SoakPlan
from loadtest.soak.run import Soak
from loadtest.soak.transcript import Transcript
from loadtest.suites.plant_data import prepare
from tests.server_process import ServerFailed

HELD, VIOLATED, BROKEN_OFF = 0, 1, 2
RESOLVERS = 2
# Small enough to be full within minutes: what grows afterwards is not the cache.
SETTINGS = '[lookup]\nmemory_cache = "48MiB"'


def soak(plan: SoakPlan, place: Path) -> int:
    """Run a whole soak in `place` and return the number of violations; raises what breaks it."""
    transcript = Transcript(place)
    faults = len(schedule(plan))
    transcript.note(
        "begins",
        f"{plan.seconds / 60:.1f} min, {plan.register:.0f}/s + {plan.resolve:.0f}/s,"
        f" seed {plan.seed}, {faults} 次故障 faults",
        seed=plan.seed,
        seconds=plan.seconds,
        register=plan.register,
        resolve=plan.resolve,
    )
    with tempfile.TemporaryDirectory(prefix="xibiao-soak-") as directory:
        data = Path(directory, "data")
        prepare(data, rows=plan.rows, file_rows=0, rows_a_file=1)
        with ProductionSite(Path(directory, "site"), resolvers=RESOLVERS, more=SETTINGS) as site:
            transcript.note("started", ", ".join(f"{n} {pid}" for n, pid in site.pids().items()))
            run = Soak(site, plan, place, data=data, tell=transcript)
            try:
                violations = run.run()
            finally:
                _keep_logs(site, place / "logs")
    verdict = "无违反 no violation" if not violations else f"违反 {violations} violations"
    transcript.note("verdict", verdict, violations=violations, first=run.violations[:20])
    transcript.close()
    return violations


def _keep_logs(site: ProductionSite, place: Path) -> None:
    """Copy what the processes wrote, which goes with the site."""
    place.mkdir()
    for name in site.processes:
        shutil.copy(site.place / f"{name}.log", place)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.soak", description="长稳试验 (hours of load with faults)"
    )
    add = parser.add_argument
    add("--hours", type=float, default=1.0, help="时长，小时 (hours)")
    add("--minutes", type=float, default=0.0, help="时长，分钟，优先 (minutes instead)")
    add("--register", type=float, default=200.0, help="每秒登记数 (registrations a second)")
    add("--resolve", type=float, default=1_000.0, help="每秒解析数 (look-ups a second)")
    add("--seed", type=int, default=1, help="随机种子 (random seed)")
    add("--gap", type=float, nargs=2, default=(60.0, 180.0), help="故障间隔秒 (s between faults)")
    add("--rest", type=float, default=60.0, help="末段无故障秒 (s without faults at the end)")
    add("--freeze", type=float, default=40.0, help="二级节点冻结秒 (s the peer is stopped)")
    add("--kinds", nargs="*", default=(), help="只用这些故障 (only these faults)")
    add("--out", type=Path, default=Path("soak-run"), help="结果目录 (where results go)")
    given = parser.parse_args(arguments)
    plan = SoakPlan(
        60 * given.minutes or 3_600 * given.hours,
        given.register,
        given.resolve,
        given.seed,
        gap_s=(given.gap[0], given.gap[1]),
        rest_s=given.rest,
        freeze_s=given.freeze,
        kinds=tuple(given.kinds),
    )
    place = given.out / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    place.mkdir(parents=True)
    try:
        violations = soak(plan, place)
    except (CommandFailed, ServerFailed, BenchFailed) as failure:
        print(f"中断 broken off: {failure}", file=sys.stderr, flush=True)
        return BROKEN_OFF
    print(f"{place}/transcript.txt", flush=True)
    return VIOLATED if violations else HELD


if __name__ == "__main__":
    sys.exit(main())
