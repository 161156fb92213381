"""P2: HTTP resolution from Redis, memory cold, beside nginx with a file of the same size.

As P1, but the memory of the process holds one answer only, and every answer lies in Redis.
"""

from __future__ import annotations

from contextlib import closing

from loadtest.bench.harness import Bench, Comparison
from loadtest.bench.p01_http_memory import compare_with_nginx
from tests.redis_process import RedisServer

NO_MEMORY = {"XIBIAO_LOOKUP__MEMORY_CACHE": "1B"}
# Longer than the bench, so that no entry ends on the way.
_LASTING = {"XIBIAO_REDIS__ENTRY_TTL": "1h"}


def _run() -> Comparison:
    with closing(RedisServer()) as redis:
        settings = {"XIBIAO_REDIS__URL": redis.url}
        return compare_with_nginx(NO_MEMORY | _LASTING | settings, source="redis")


BENCH = Bench("P2", "解析(Redis) HTTP resolution from Redis", 0.30, 0.55, _run)
