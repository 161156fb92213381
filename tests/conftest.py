"""Fixtures that give tests a real PostgreSQL and a real Redis.

Each test process (each pytest-xdist worker) starts its own servers when a test first asks and ends
them with the session. Session fixtures hand out the server, to be stopped and killed by crash
tests; the `…_url` fixtures hand out something empty on a server that is sure to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres_server import DURABLE, FAST, PostgresServer
from tests.redis_process import RedisServer

# The same examples in every run, and none refused because another process took the processor.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Share a PostgreSQL cluster with fsync off: right for everything but lost machines."""
    with closing(PostgresServer(FAST)) as server:
        yield server


@pytest.fixture(scope="session")
def pg_durable() -> Iterator[PostgresServer]:
    """Share a PostgreSQL cluster that writes through to disk, as in production."""
    with closing(PostgresServer(DURABLE)) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """Give the address of a fresh, empty PostgreSQL database."""
    postgres.start()
    url = postgres.create_database()
    yield url
    postgres.start()
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Share a Redis server; flush() it, or take `redis_url`, for an empty one."""
    with closing(RedisServer()) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Give the address of an empty Redis that runs and answers."""
    redis_server.start()
    redis_server.resume()
    redis_server.flush()
    return redis_server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/xibiao.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
