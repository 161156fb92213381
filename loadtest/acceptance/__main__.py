"""Runs the acceptance: `python -m loadtest.acceptance [--smoke]`; see docs/loadtest.md.

Invariants: the result lies in `acceptance-run/<date>/` as report.html and report.json; the exit
status is 0 when everything held, 1 when something did not, 2 when the run broke off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtest.acceptance.commands import CommandFailed
from loadtest.acceptance.plan import FULL, SMOKE, Plan
from loadtest.acceptance.production_site import ProductionSite
from loadtest.acceptance.report_page import write_report
from loadtest.acceptance.run import RunResult, accept_on
from loadtest.bench.processes import BenchFailed
from loadtest.suites.plant_data import prepare
from tests.server_process import ServerFailed

ALL_WELL, FAILED, BROKEN_OFF = 0, 1, 2


def accept(plan: Plan, place: Path) -> RunResult:
    """Do a whole run in `place` and write its report; raises what breaks it off."""
    result = RunResult(plan, place)
    with tempfile.TemporaryDirectory(prefix="xibiao-acceptance-") as directory:
        data = Path(directory, "data")
        prepare(data, rows=plan.rows, file_rows=plan.file_rows, rows_a_file=plan.rows_a_file)
        result.lap("data")
        with ProductionSite(Path(directory, "site"), resolvers=plan.resolvers) as site:
            result.lap("start")
            for finding in accept_on(site, result, data):
                print(finding, flush=True)
    write_report(result, datetime.now(UTC))
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.acceptance",
        description="验收运行:登记、解析、同步、三方对账 (the acceptance run)",
    )
    parser.add_argument("--smoke", action="store_true", help="小规模 (a small one)")
    parser.add_argument(
        "--out", type=Path, default=Path("acceptance-run"), help="结果目录 (where results go)"
    )
    given = parser.parse_args(arguments)
    plan = SMOKE if given.smoke else FULL
    now = datetime.now().astimezone()
    place = given.out / f"{now:%Y-%m-%d-%H%M%S}-{plan.name}"
    place.mkdir(parents=True)
    began = time.monotonic()
    try:
        result = accept(plan, place)
    except (CommandFailed, ServerFailed, BenchFailed) as failure:
        print(f"运行中断 broken off: {failure}", file=sys.stderr, flush=True)
        return BROKEN_OFF
    verdict = "通过 PASSED" if result.is_fine else "未通过 FAILED"
    spent = time.monotonic() - began
    print(f"{verdict}  {spent:.0f} s  {place}/report.html", flush=True)
    return ALL_WELL if result.is_fine else FAILED


if __name__ == "__main__":
    sys.exit(main())
