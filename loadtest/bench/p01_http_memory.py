"""P1: HTTP resolution from the memory of one process, beside nginx with a file of the same size.

Product: one process with the roles resolver and api on one core, PostgreSQL behind it, 300,000
records, and random ones of PATHS identifiers asked for, each of which was asked for before. The
load generator has the other core. Ceiling: one nginx worker on the same core, a static file as
large as the median answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from loadtest.bench.ceilings import nginx_static_file
from loadtest.bench.harness import Bench, Comparison, Sample, interleave
from loadtest.bench.http_look_ups import WARMING, ask_once, median_answer
from loadtest.bench.nodes import NodeProcess
from loadtest.bench.processes import SERVER_CORE
from loadtest.bench.registered_data import SMALL, registered_records
from loadtest.bench.servers import NginxServer
from loadtest.bench.wrk import Load, load_paths

PATHS = 20_000
LOAD = Load(connections=32)


def compare_with_nginx(settings: Mapping[str, str], *, source: str) -> Comparison:
    """Compare look-ups with a static file, `settings` deciding where the node finds answers.

    `source` is the count that has to rise with the look-ups: "memory", "redis" or "store".
    """
    with registered_records(SMALL) as registered:
        paths = registered.paths(PATHS)
        with NodeProcess(
            registered.site,
            roles="api,resolver",
            database=registered.url,
            core=SERVER_CORE,
            settings=settings,
        ) as node:
            for _ in range(WARMING):
                ask_once(node.port, paths)
            with closing(NginxServer(median_answer(node.port, paths))) as nginx:

                def product() -> Sample:
                    before = node.lookup_counts()
                    rate = load_paths(node.origin, node.pid, paths=paths, load=LOAD)
                    rise = {k: n - before[k] for k, n in node.lookup_counts().items()}
                    share = rise[source] / sum(rise[k] for k in ("memory", "redis", "store"))
                    return Sample(rate.requests_per_s, f"{rate.note}, {share:.1%} from {source}")

                return interleave(
                    product, lambda: nginx_static_file(nginx, LOAD), unit="requests/s"
                )


def _run() -> Comparison:
    return compare_with_nginx({}, source="memory")


BENCH = Bench("P1", "解析(内存) HTTP resolution from memory", 0.40, 0.75, _run)
