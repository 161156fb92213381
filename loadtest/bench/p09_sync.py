"""P9: a backlog synced with the secondary node beside `psql \\copy` of the same rows.

Product: a register with 300,000 logged changes on PostgreSQL; a relay process starts, and the clock
runs from its first session until the reference secondary node, a process of its own with its own
file, has verified, stored and acknowledged the last one. Ceiling: that of P6.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import bulk_bodies, write_batches
from loadtest.bench.bulk_client import register_in_bulk
from loadtest.bench.ceilings import psql_copy
from loadtest.bench.harness import Bench, Comparison, Sample, interleave
from loadtest.bench.nodes import NodeProcess, Site, prepare_site, production_node
from loadtest.bench.p06_bulk_registration import COLUMNS, copy_out
from loadtest.bench.processes import CoreMeter
from loadtest.bench.secondary import SecondaryProcess, acked_size, wait_until
from loadtest.bench.servers import PostgresCluster

RECORDS = 300_000
TIMEOUT_S = 300.0


def backlog_rate(
    cluster: PostgresCluster, database: str, site: Site, place: Path, size: int
) -> Sample:
    """Give the changes/s at which a backlog of `size` leaves is acknowledged."""
    with SecondaryProcess(place) as peer:
        settings = {"XIBIAO_SYNC__SECONDARY": f"grpc://{peer.address}"}
        url = cluster.url(database)
        began = time.monotonic()
        with NodeProcess(site, roles="relay", database=url, settings=settings) as node:
            meters = [CoreMeter([pid]) for pid in (node.pid, peer.pid, cluster.pid)]
            began = time.monotonic()
            first = acked_size(cluster, database)
            wait_until(lambda: acked_size(cluster, database) >= size, TIMEOUT_S, "backlog")
            seconds = time.monotonic() - began
            relay, secondary, postgres = (meter.cores() for meter in meters)
    note = f"relay {relay:.2f}, secondary {secondary:.2f}, PostgreSQL {postgres:.2f} cores"
    return Sample((size - first) / seconds, f"{size - first} changes in {seconds:.1f} s, {note}")


def _run() -> Comparison:
    with TemporaryDirectory(prefix="xibiao-bench-p9-") as place, closing(PostgresCluster()) as pg:
        batches, rows = Path(place, "batches.csv"), Path(place, "rows.csv")
        write_batches(batches, RECORDS)
        empty = pg.create_database()
        site = prepare_site(Path(place, "node"), profile="ree-batch", database=pg.url(empty))
        full = f"{empty}_full"
        pg.execute(f"CREATE DATABASE {full} TEMPLATE {empty};")
        with production_node(site, pg.url(full)) as nodes:
            registered, _ = register_in_bulk(nodes[:-1], site, bulk_bodies(batches))
        copy_out(pg, full, rows)

        def product() -> Sample:
            with pg.copied(full) as database:
                return backlog_rate(pg, database, site, Path(place, database), registered)

        def ceiling() -> Sample:
            return psql_copy(pg, rows, columns=COLUMNS, database=empty)

        return interleave(product, ceiling, unit="changes/s")


BENCH = Bench("P9", "同步积压 backlog synced with the secondary node", 0.30, 0.50, _run)
