"""The ceilings: what this machine can do without the product.

Invariants: each call is one round and gives one sample; a round leaves nothing behind that would
make the next one quicker or slower.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from loadtest.bench.harness import Sample
from loadtest.bench.processes import BenchFailed, CoreMeter, run_to_end
from loadtest.bench.servers import NginxServer, PostgresCluster
from loadtest.bench.wrk import Load, load_url
from tests.server_process import find_program

CLIENT_COUNTS = (1, 8, 32, 64)
_DEBIAN_PROGRAMS = "usr/lib/postgresql/*/bin"


def nginx_static_file(server: NginxServer, load: Load) -> Sample:
    """Give nginx's requests/s for one static file (P1, P2)."""
    rate = load_url(server.url, server.pid, load)
    return Sample(rate.requests_per_s, rate.note)


def psql_copy(cluster: PostgresCluster, rows: Path, *, columns: str, database: str) -> Sample:
    r"""Give the rows/s of `psql \copy` into one fresh table without an index (P6, P9).

    `rows` is a CSV without headings that fits `columns`, which is the inside of CREATE TABLE.
    """
    cluster.execute("DROP TABLE IF EXISTS copied; CHECKPOINT;", database)
    cluster.execute(f"CREATE TABLE copied ({columns});", database)
    meter = CoreMeter([cluster.pid])
    # Timed by psql itself, so that its start does not count.
    copy = f"\\timing on\n\\copy copied from '{rows}' with (format csv)\n"
    seconds = parse_psql_timing(cluster.execute(copy, database))
    cores = meter.cores()
    copied = int(cluster.execute("SELECT count(*) FROM copied;", database))
    if copied == 0:
        raise BenchFailed(f"{rows} has no rows")
    cluster.execute("DROP TABLE copied;", database)
    return Sample(copied / seconds, f"{copied} rows, PostgreSQL {cores:.2f} cores")


def best_pgbench(
    cluster: PostgresCluster,
    script: str,
    *,
    database: str,
    reset: str,
    seconds: int = 4,
    client_counts: Sequence[int] = CLIENT_COUNTS,
) -> Sample:
    """Give the transactions/s of a pgbench script at the client count that suits it best (P8).

    The script runs with prepared statements over the unix socket. `reset` is the SQL that empties
    what it fills; it runs before every client count and at the end.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        rates: dict[int, float] = {}
        for clients in client_counts:
            cluster.execute(reset, database)
            url = cluster.socket_url(database)
            rates[clients] = _pgbench(url, file.name, clients=clients, seconds=seconds)
    cluster.execute(reset, database)
    best = max(rates, key=lambda clients: rates[clients])
    others = ", ".join(f"{clients}: {rate:,.0f}" for clients, rate in rates.items())
    return Sample(rates[best], f"{best} clients best of {others}")


def parse_psql_timing(output: str) -> float:
    """Read the seconds of the only command that psql timed. Raises BenchFailed without one."""
    time_ms = re.search(r"^Time: ([\d.]+) ms", output, re.MULTILINE)
    if time_ms is None or float(time_ms[1]) == 0:
        raise BenchFailed(f"psql: {output}")
    return float(time_ms[1]) / 1000


def parse_pgbench_report(report: str) -> float:
    """Read the transactions/s, without connection time, of pgbench's report.

    Raises BenchFailed when transactions failed or the report is not one of pgbench.
    """
    failed = re.search(r"^number of failed transactions: ([1-9].*)$", report, re.MULTILINE)
    rate = re.search(r"^tps = ([\d.]+) \(without initial connection time\)$", report, re.MULTILINE)
    if failed or rate is None:
        raise BenchFailed(f"pgbench: {report}")
    return float(rate[1])


def _pgbench(url: str, script: str, *, clients: int, seconds: int) -> float:
    pgbench = find_program("pgbench", package="postgresql-contrib", also_in=_DEBIAN_PROGRAMS)
    how = ["-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2))]
    return parse_pgbench_report(run_to_end([pgbench, *how, "-T", str(seconds), "-f", script, url]))
