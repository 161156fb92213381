"""Where a node keeps its register and its look-up cache, and how a trial counts in it.

Counting looks past the product: into the SQLite file, or with psql. Invariant: read only.
"""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loadtest.trials.findings import TrialFailed
from tests.server_process import find_program

# What is live, what is in the log, and whether the log's numbers have neither gap nor repeat.
_COUNT = """
SELECT (SELECT count(*) FROM record WHERE status = 'active'),
       (SELECT count(*) FROM record),
       (SELECT count(*) FROM change),
       (SELECT count(*) FROM pending),
       (SELECT count(*) FROM leaf),
       (SELECT count(DISTINCT change_id) FROM leaf),
       (SELECT coalesce(min(leaf_index), 0) FROM leaf),
       (SELECT coalesce(max(leaf_index), -1) FROM leaf)
"""


@dataclass(frozen=True, slots=True)
class Stores:
    """Addresses: `database` of PostgreSQL, "" = the embedded one; `redis`, "" = none."""

    database: str = ""
    redis: str = ""

    def settings(self) -> dict[str, str]:
        """Give the environment variables that tell a node of them."""
        named = {"XIBIAO_DATABASE__URL": self.database, "XIBIAO_REDIS__URL": self.redis}
        return {name: address for name, address in named.items() if address}


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of a register; `log_is_contiguous`: leaves 0 … n-1, each of another change."""

    live: int
    records: int
    changes: int
    pending: int
    leaves: int
    log_is_contiguous: bool


def count(data: Path, stores: Stores) -> Counts:
    """Count in the database of a node; `data` is its data directory."""
    (row,) = rows_of(data, stores, _COUNT)
    live, records, changes, pending, leaves, logged, first, last = map(int, row)
    whole = first == 0 and last == leaves - 1 and logged == leaves
    return Counts(live, records, changes, pending, leaves, whole)


def rows_of(data: Path, stores: Stores, sql: str) -> list[tuple[str, ...]]:
    """Give what a query finds in the database of a node, each value as text without tabs."""
    return _from_psql(stores.database, sql) if stores.database else _from_file(data, sql)


def _from_file(data: Path, sql: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"file:{data / 'xibiao.db'}?mode=ro", uri=True)) as database:
        return [tuple(map(str, row)) for row in database.execute(sql)]


def _from_psql(url: str, sql: str) -> list[tuple[str, ...]]:
    psql = find_program("psql", package="postgresql", also_in="usr/lib/postgresql/*/bin")
    command = [psql, "-X", "-q", "-A", "-t", "-F", "\t", "-d", url, "-c", sql]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrialFailed(f"psql: {done.stderr}")
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]
