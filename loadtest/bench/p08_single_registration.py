"""P8: single durable registrations over HTTP from 64 clients, beside pgbench.

Product: production roles on PostgreSQL, API processes that share a port and one sequencer; every
answer is for a record that is committed. Ceiling: pgbench with the product's own statement for one
row of the same size, prepared, over the unix socket, at the client count that suits it best: no
HTTP, no judging, no hashing, and one row a transaction.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import PREFIX, write_batches, write_single_bodies
from loadtest.bench.ceilings import best_pgbench
from loadtest.bench.harness import Bench, Comparison, Sample, interleave
from loadtest.bench.nodes import Site, prepare_site, processes, production_node
from loadtest.bench.processes import BenchFailed, CoreMeter, run_to_end
from loadtest.bench.registration_statement import register_one
from loadtest.bench.servers import PostgresCluster
from loadtest.bench.wrk import parse_report
from tests.server_process import find_program, free_port

CLIENTS, SECONDS = 64, 5
# More than are sent in SECONDS: each body is sent once, so that each request registers.
BODIES = 80_000
_POST_BODIES = Path(__file__).with_name("post_bodies.lua")

_EMPTY = "TRUNCATE record, change, pending;\nCHECKPOINT;"
_TYPICAL_ROW = """
SELECT to_json(typical) FROM (
  SELECT object_class, template, status, is_test, registered_at AS at, action, content, salt, leaf
  FROM record JOIN change USING (change_id)
  ORDER BY abs(length(content) - (SELECT avg(length(content)) FROM change)) LIMIT 1
) AS typical;
"""


def _run() -> Comparison:
    with TemporaryDirectory(prefix="xibiao-bench-p8-") as place, closing(PostgresCluster()) as pg:
        batches, bodies = Path(place, "batches.csv"), Path(place, "bodies.ndjson")
        write_batches(batches, BODIES)
        write_single_bodies(batches, bodies)
        empty = pg.create_database()
        site = prepare_site(Path(place, "node"), profile="ree-batch", database=pg.url(empty))

        def product() -> Sample:
            with pg.copied(empty) as database:
                return _registration_rate(pg, database, site, bodies)

        with pg.copied(empty) as database:
            # Not counted: it makes the row that the ceiling inserts.
            _registration_rate(pg, database, site, bodies)
            row = json.loads(pg.execute(_TYPICAL_ROW, database))
        script = register_one({name: f"'{text}'" for name, text in row.items()}, prefix=PREFIX)
        pg.execute(f"CREATE DATABASE {empty}_ceiling TEMPLATE {empty};")
        return interleave(
            product,
            lambda: best_pgbench(pg, script, database=f"{empty}_ceiling", reset=_EMPTY),
            unit="registrations/s",
        )


def _registration_rate(pg: PostgresCluster, database: str, site: Site, bodies: Path) -> Sample:
    with production_node(site, pg.url(database), port=free_port(17_000)) as nodes:
        ours, postgres = CoreMeter(processes(nodes)), CoreMeter([pg.pid])
        wrk = find_program("wrk", package="wrk")
        size = ["-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--latency"]
        what = ["-s", str(_POST_BODIES), nodes[0].origin, "--", str(bodies), site.key]
        rate = parse_report(run_to_end([wrk, *size, *what]))
        cores = f"node {ours.cores():.2f}, PostgreSQL {postgres.cores():.2f} cores"
    _require_registered(pg, database, at_least=rate.requests_per_s * SECONDS * 0.99)
    return Sample(
        rate.requests_per_s, f"p50 {rate.p50_ms:.3g} ms, p99 {rate.p99_ms:.3g} ms, {cores}"
    )


def _require_registered(pg: PostgresCluster, database: str, *, at_least: float) -> None:
    """Raise BenchFailed when requests were answered that registered nothing."""
    registered = int(pg.execute("SELECT count(*) FROM record;", database))
    if registered < at_least:
        raise BenchFailed(f"{registered} records after {at_least:.0f} requests")


BENCH = Bench("P8", "单次登记 single durable registration, 64 clients", 0.45, 1.00, _run)
