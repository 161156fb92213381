"""P10: from the acceptance of a change to its acknowledgement by the secondary node.

A node in production roles with a relay takes 1,000 registrations a second for a minute, in requests
of 100. The lag is read from what the relay writes down: for each batch the time of its oldest
change and that of its acknowledgement, each batch counting for all its changes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import bulk_bodies, write_batches
from loadtest.bench.bulk_client import send_one
from loadtest.bench.harness import Bench, Better, Comparison, Sample, repeat
from loadtest.bench.nodes import NodeProcess, Site, prepare_site, production_node
from loadtest.bench.secondary import SecondaryProcess, acked_size, wait_until
from loadtest.bench.servers import PostgresCluster

RATE, SECONDS, REQUEST = 1_000, 60, 100
TIMEOUT_S = 60.0
_LAGS = """
SELECT coalesce(percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY lag), '{0,0,0}')
FROM (SELECT 1000 * extract(epoch FROM acked_at::timestamptz - oldest_at::timestamptz) AS lag
      FROM sync_batch, generate_series(first_index, end_index - 1)) AS changes;
"""


def lag_of(cluster: PostgresCluster, database: str) -> tuple[float, float, float]:
    """Give p50, p99 and the greatest lag in ms."""
    text = cluster.execute(" ".join(_LAGS.split()), database).strip().strip("{}")
    p50, p99, greatest = (float(part) for part in text.split(","))
    return p50, p99, greatest


def _paced(node: NodeProcess, site: Site, bodies: Sequence[bytes]) -> float:
    """Send a body every REQUEST / RATE seconds; return the requests' rate."""
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        sent = []
        for number, body in enumerate(bodies):
            time.sleep(max(0.0, began + number * REQUEST / RATE - time.monotonic()))
            sent.append(pool.submit(send_one, node.port, site.key, body))
        for request in sent:
            request.result()
    return len(bodies) * REQUEST / (time.monotonic() - began)


def _run() -> Comparison:
    with TemporaryDirectory(prefix="xibiao-bench-p10-") as place, closing(PostgresCluster()) as pg:
        batches = Path(place, "batches.csv")
        write_batches(batches, RATE * SECONDS)
        bodies = bulk_bodies(batches, size=REQUEST)
        empty = pg.create_database()
        site = prepare_site(Path(place, "node"), profile="ree-batch", database=pg.url(empty))
        rounds: list[str] = []

        def product() -> Sample:
            rounds.append(f"{empty}_{len(rounds)}")
            database = rounds[-1]
            pg.execute(f"CREATE DATABASE {database} TEMPLATE {empty};")
            with SecondaryProcess(Path(place, database)) as peer:
                settings = {"XIBIAO_SYNC__SECONDARY": f"grpc://{peer.address}"}
                url = pg.url(database)
                with (
                    production_node(site, url) as nodes,
                    NodeProcess(site, roles="relay", database=url, settings=settings),
                ):
                    rate = _paced(nodes[0], site, bodies)
                    total = RATE * SECONDS
                    wait_until(lambda: acked_size(pg, database) >= total, TIMEOUT_S, "lag")
            p50, p99, greatest = lag_of(pg, database)
            return Sample(p99, f"{rate:,.0f}/s, p50 {p50:.0f} ms, greatest {greatest:.0f} ms")

        return repeat(product, unit="ms p99")


BENCH = Bench("P10", "同步延迟 sync lag p99 at 1,000/s", 1_000, 250, _run, Better.LOWER)
