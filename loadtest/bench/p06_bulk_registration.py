"""P6: bulk registration over HTTP beside `psql \\copy` of the same rows into one table.

Product: production roles on PostgreSQL (API processes, one sequencer), 1,000
realistic batches a request over a few keep-alive connections, from the first request until the last
entry is in the signed log. Ceiling: the same rows, as the register holds them after that, copied
into one wide table without an index on the same cluster.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import bulk_bodies, write_batches
from loadtest.bench.bulk_client import register_in_bulk
from loadtest.bench.ceilings import psql_copy
from loadtest.bench.harness import Bench, Comparison, Sample, interleave
from loadtest.bench.nodes import Site, prepare_site, processes, production_node
from loadtest.bench.processes import CoreMeter
from loadtest.bench.servers import PostgresCluster

RECORDS = 100_000

# One wide row for `record` and `change` together; texts as text, which is the quicker to copy.
COLUMNS = """
    identifier text, object_class text, template text, status text, revision int, change_id bigint,
    is_test bool, registered_at text, action text, content text, salt bytea, leaf text
"""
_WIDE_ROWS = """
SELECT identifier, object_class, template, status, revision, change_id, is_test, registered_at,
       action, convert_from(content, 'UTF8'), salt, convert_from(leaf, 'UTF8')
FROM record JOIN change USING (identifier, revision, change_id)
"""


def copy_out(cluster: PostgresCluster, database: str, rows: Path) -> None:
    """Write the register's rows as the ceiling copies them."""
    query = " ".join(_WIDE_ROWS.split())
    cluster.execute(f"\\copy ({query}) to '{rows}' with (format csv)", database)


def bulk_rate(cluster: PostgresCluster, database: str, site: Site, bodies: list[bytes]) -> Sample:
    """Register all bodies in a database and give the records/s until all are in the log."""
    with production_node(site, cluster.url(database)) as nodes:
        ours, postgres = CoreMeter(processes(nodes)), CoreMeter([cluster.pid])
        registered, seconds = register_in_bulk(nodes[:-1], site, bodies)
        cores = f"node {ours.cores():.2f}, PostgreSQL {postgres.cores():.2f} cores"
    return Sample(registered / seconds, f"{registered} records in {seconds:.1f} s, {cores}")


def _run() -> Comparison:
    with TemporaryDirectory(prefix="xibiao-bench-p6-") as place, closing(PostgresCluster()) as pg:
        batches, rows = Path(place, "batches.csv"), Path(place, "rows.csv")
        write_batches(batches, RECORDS)
        bodies = bulk_bodies(batches)
        empty = pg.create_database()
        site = prepare_site(Path(place, "node"), profile="ree-batch", database=pg.url(empty))

        def product() -> Sample:
            with pg.copied(empty) as database:
                return bulk_rate(pg, database, site, bodies)

        def ceiling() -> Sample:
            return psql_copy(pg, rows, columns=COLUMNS, database=empty)

        with pg.copied(empty) as database:
            bulk_rate(pg, database, site, bodies)  # not counted: it makes the ceiling's rows
            copy_out(pg, database, rows)
        return interleave(product, ceiling, unit="records/s")


BENCH = Bench("P6", "批量登记 bulk registration over HTTP", 0.25, 0.40, _run)
