"""The fault rows of the link, one after the other: `python -m loadtest.trials.fault_matrix F14`.

Every row has a node, a line and a secondary node of its own (`link_site`), over mutual TLS where
bytes are not what is spoilt. Invariants: one JSON line a row, printed and added to the results as
soon as the row is over; the exit status is 1 when a row did not hold or broke off.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.trials import sync_garbage_trial
from loadtest.trials.findings import Finding, TrialFailed
from loadtest.trials.link_certificates import LinkSecurity, make_certificates
from loadtest.trials.link_site import LinkSite
from loadtest.trials.stores import Stores
from loadtest.trials.sync_answers_trial import f16, f17, f18
from loadtest.trials.sync_drills import DRILLS, drill
from loadtest.trials.sync_garbage_trial import f19
from loadtest.trials.sync_kill_trial import sync_kill
from loadtest.trials.sync_limits import FULL, Limits
from loadtest.trials.sync_outage_trial import BACKLOG, f14, f15
from loadtest.trials.sync_peer_trial import f20, f21, f21_idle
from loadtest.trials.sync_whole_trial import sync_two_processes
from tests.postgres_server import DURABLE, PostgresServer
from tests.server_process import ServerFailed

RESULTS = Path(__file__).with_name("results") / "sync.jsonl"
BACKENDS = ("postgresql", "sqlite")
Trouble = Callable[[LinkSite, int, Limits], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row at full size. `rows`: batches it needs for a size; `settings`: of the node."""

    what: str
    trouble: Trouble
    size: int
    rows: Callable[[int], int]
    settings: Mapping[str, str] = field(default_factory=dict)
    has_tls: bool = True


def _just(size: int) -> int:
    return size


# A lost answer is given up after a second, so that a hundred thousand changes take minutes.
_IMPATIENT = {
    "XIBIAO_SYNC__ANSWER_TIMEOUT": "1s",
    "XIBIAO_SYNC__REDIAL": "50ms",
    "XIBIAO_SYNC__LONGEST_REDIAL": "200ms",
    "XIBIAO_SYNC__BATCH": "200",
}
ROWS: Mapping[str, Row] = {
    "F14": Row("peer away", f14, 100_000, lambda size: size + size // 5 + 1),
    "F15": Row("late and thin line", f15, 12_000, lambda size: size + BACKLOG),
    "F16": Row("acknowledgements lost", f16, 100_000, _just, _IMPATIENT),
    "F17": Row(
        "acknowledgements doubled, late, out of order",
        f17,
        100_000,
        _just,
        {"XIBIAO_SYNC__BATCH": "100"},
    ),
    "F18": Row("one in a hundred refused", f18, 100_000, _just),
    "F19": Row(
        "broken answers", f19, 10_000, lambda size: size, sync_garbage_trial.SETTINGS, has_tls=False
    ),
    "F20": Row("peer restored from an old backup", f20, 5_000, lambda size: 2 * size),
    "F21": Row("frozen peer", f21, 2_000, _just),
    "F21-idle": Row("frozen peer, nothing under way", f21_idle, 2_000, _just),
    "sync-kill": Row("sudden deaths", sync_kill, 50, lambda rounds: 2_000 * rounds),
    "sync-two-processes": Row("a whole import", sync_two_processes, 300_000, _just),
}
NAMES = (*ROWS, *DRILLS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rows named, all of them without names, and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.trials.fault_matrix",
        description="同步链路故障矩阵 (fault rows of the link)",
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="ROW", help=f"可选 (one or more of) {' '.join(NAMES)}")
    add("--size", type=int, default=0, help="规模，0 为全规模 (size; 0 = full)")
    add("--backend", choices=BACKENDS, default=BACKENDS[0], help="存储 (store)")
    add("--seed", type=int, default=1, help="随机种子 (random seed)")
    add("--outage", type=float, default=0.0, metavar="S", help="F14 至少中断秒数 (least outage)")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in NAMES]:
        parser.error(f"没有这些行 (no such row): {' '.join(unknown)}")
    limits = replace(FULL, outage_s=given.outage)
    held = [
        _holds(name, given.size, given.seed, given.backend, limits) for name in given.names or NAMES
    ]
    return 0 if all(held) else 1


def _holds(name: str, size: int, seed: int, backend: str, limits: Limits) -> bool:
    """Run a row, write down what was found and say whether all of it held."""
    began, checks = time.monotonic(), dict[str, object]()
    is_fine = True
    try:
        for finding in _findings(name, size, seed, backend, limits):
            checks[finding.check] = {"ok": finding.is_fine, **finding.figures}
            is_fine = is_fine and finding.is_fine
            print(f"{name}: {finding.check}: {finding.is_fine}", file=sys.stderr, flush=True)
    except (TrialFailed, ServerFailed) as failure:
        checks["the row ran to its end"] = {"ok": False, "error": str(failure)[-4_000:]}
        is_fine = False
    line = {
        "row": name,
        "ok": is_fine,
        "seed": seed,
        "backend": backend,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.monotonic() - began, 1),
        "checks": checks,
    }
    text = json.dumps(line, ensure_ascii=False)
    print(text, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as results:
        results.write(f"{text}\n")
    return is_fine


def _findings(name: str, size: int, seed: int, backend: str, limits: Limits) -> Iterator[Finding]:
    if name in DRILLS:
        yield drill(name)
        return
    row = ROWS[name]
    size = size or row.size
    with ExitStack() as ground:
        place = Path(ground.enter_context(TemporaryDirectory(prefix="xibiao-faults-")))
        stores = Stores()
        if backend == "postgresql":
            postgres = ground.enter_context(closing(PostgresServer(DURABLE)))
            stores = Stores(postgres.create_database())
        security = make_certificates(place / "keys") if row.has_tls else LinkSecurity()
        site = LinkSite(
            place,
            stores,
            rows=row.rows(size),
            seed=seed,
            settings=row.settings,
            security=security,
        )
        yield from row.trouble(ground.enter_context(site), size, limits)


if __name__ == "__main__":
    sys.exit(main())
