"""Runs trials: `python -m loadtest.trials import --rows 300000 --backend postgresql --seed 1`.

Invariants: one JSON line a finding, as it comes; the exit status is 1 when one did not hold or a
trial broke off; PostgreSQL and Redis are the trial's own and durable as in production.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.trials.counts_trial import LOOK_UPS, Size, counts_trial
from loadtest.trials.dirty_trial import dirty_trial
from loadtest.trials.findings import Finding, TrialFailed
from loadtest.trials.handle_flood_trial import handle_flood_trial
from loadtest.trials.handle_fuzz_trial import handle_fuzz_trial
from loadtest.trials.handle_patience_trial import handle_patience_trial
from loadtest.trials.idempotency_trial import idempotency_trial
from loadtest.trials.import_trial import import_trial
from loadtest.trials.kill_trial import database_kill_trial, kill_trial
from loadtest.trials.redis_trial import redis_trial
from loadtest.trials.stores import Stores
from loadtest.trials.tally_kill_trial import DEATHS, tally_kill_trial
from tests.postgres_server import DURABLE, PostgresServer
from tests.redis_process import RedisServer
from tests.server_process import ServerFailed

Trial = Callable[["Ground", int, int], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a trial stands on: an empty directory, its stores, and the servers to be hurt.

    `look_ups` and `changes` are of the trial `counts` alone.
    """

    place: Path
    stores: Stores
    postgres: PostgresServer | None
    redis: RedisServer | None
    look_ups: int
    changes: int


def _import(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return import_trial(ground.place, ground.stores, rows=rows, seed=seed)


def _kill(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    yield from kill_trial(ground.place / "node", ground.stores, rows=rows, seed=seed)
    if (postgres := ground.postgres) is not None:
        stores = Stores(postgres.create_database(), ground.stores.redis)
        place = ground.place / "database"
        yield from database_kill_trial(place, postgres, stores, rows=rows, seed=seed)


def _dirty(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    """Three encodings with two seeds each."""
    for number in range(6):
        place, stores = ground.place / str(number), ground.stores
        if (postgres := ground.postgres) is not None:
            stores = Stores(postgres.create_database(), stores.redis)
        yield from dirty_trial(place, stores, rows=rows, seed=seed + number)


def _idempotency(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return idempotency_trial(ground.place, ground.stores, rows=rows, seed=seed)


def _redis(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return redis_trial(ground.place, ground.stores, rows=rows, seed=seed)


def _handle_fuzz(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return handle_fuzz_trial(ground.place, ground.stores, rows=rows, seed=seed)


def _handle_flood(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return handle_flood_trial(ground.place, ground.stores, rows=rows, seed=seed)


def _handle_patience(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return handle_patience_trial(ground.place, ground.stores, rows=rows, seed=seed)


def _tally_kill(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    return tally_kill_trial(ground.place, ground.stores, seed=seed, deaths=rows)


def _counts(ground: Ground, rows: int, seed: int) -> Iterator[Finding]:
    size = Size(rows, ground.look_ups, ground.changes)
    wipe = None if ground.redis is None else ground.redis.flush
    return counts_trial(ground.place, ground.stores, size=size, seed=seed, wipe=wipe)


# The rows of a trial at full size (idempotency: requests; handle-…: datagrams; tally-kill: deaths).
TRIALS: dict[str, tuple[Trial, int]] = {
    "import": (_import, 300_000),
    "kill": (_kill, 300_000),
    "dirty": (_dirty, 30_000),
    "idempotency": (_idempotency, 100_000),
    "redis": (_redis, 10_000),
    "handle-fuzz": (_handle_fuzz, 10_000_000),
    "handle-flood": (_handle_flood, 4_000_000),
    "handle-patience": (_handle_patience, 10_000),
    "tally-kill": (_tally_kill, DEATHS),
    "counts": (_counts, 315_000),
}
BACKENDS = ("sqlite", "postgresql")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials named, all of them without names, and give the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.trials", description="产品试验 (trials of the whole product)"
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="TRIAL", help=f"可选 (one or more of) {' '.join(TRIALS)}")
    add("--rows", type=int, default=0, help="行数，0 为全规模 (rows; 0 = full size)")
    add("--backend", choices=BACKENDS, help="存储，缺省两种 (store; both by default)")
    add("--look-ups", type=int, default=LOOK_UPS, help="counts: 解析次数 (look-ups)")
    add("--tamper", type=int, default=0, help="counts: 改动字节次数 (bytes changed in the bundle)")
    add("--seed", type=int, default=1, help="随机种子 (random seed)")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in TRIALS]:
        parser.error(f"没有这些试验 (no such trial): {' '.join(unknown)}")
    backends = [given.backend] if given.backend else BACKENDS
    held = [_holds(name, backend, given) for name in given.names or TRIALS for backend in backends]
    return 0 if all(held) else 1


def _holds(name: str, backend: str, given: argparse.Namespace) -> bool:
    """Run one trial on one backend, print its findings and say whether all of them held."""
    trial, full_size = TRIALS[name]
    rows: int = given.rows or full_size
    is_fine = True
    try:
        with ExitStack() as servers:
            for finding in trial(_ground(servers, backend, given), rows, given.seed):
                print(finding.to_json(backend=backend), flush=True)
                is_fine = is_fine and finding.is_fine
    except (TrialFailed, ServerFailed) as failure:
        broken = {"error": str(failure)[-4_000:]}
        finding = Finding(name, "the trial ran to its end", False, broken)
        print(finding.to_json(backend=backend), flush=True)
        return False
    return is_fine


def _ground(servers: ExitStack, backend: str, given: argparse.Namespace) -> Ground:
    sizes = given.look_ups, given.tamper
    place = Path(servers.enter_context(TemporaryDirectory(prefix="xibiao-trial-")))
    if backend == "sqlite":
        return Ground(place, Stores(), None, None, *sizes)
    postgres = servers.enter_context(closing(PostgresServer(DURABLE)))
    redis = servers.enter_context(closing(RedisServer()))
    stores = Stores(postgres.create_database(), redis.url)
    return Ground(place, stores, postgres, redis, *sizes)


if __name__ == "__main__":
    sys.exit(main())
