"""The servers the other tests stand on: what they promise holds, over crash and restart."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import redis

from tests.postgres_server import PostgresServer
from tests.redis_process import RedisServer
from tests.server_process import ServerFailed, find_program


async def test_fresh_database_is_empty_and_runs_version_15_or_newer(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SHOW server_version_num") >= "150000"
        assert await connection.fetchval("SELECT count(*) FROM pg_stat_user_tables") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("cluster", ["postgres", "pg_durable"])
async def test_committed_row_is_there_after_the_cluster_was_killed(
    cluster: str, request: pytest.FixtureRequest
) -> None:
    server: PostgresServer = request.getfixturevalue(cluster)
    url = server.create_database()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE mark (n int)")
    await connection.execute("INSERT INTO mark VALUES (7)")
    server.kill()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT n FROM mark")
    connection.terminate()
    server.start()
    again = await asyncpg.connect(url)
    try:
        assert await again.fetchval("SELECT n FROM mark") == 7
    finally:
        await again.close()


def test_stopped_cluster_refuses_and_started_again_answers(postgres: PostgresServer) -> None:
    postgres.stop()
    with pytest.raises(ServerFailed, match="CREATE DATABASE"):
        postgres.create_database()
    postgres.start()
    postgres.drop_database(postgres.create_database())


def test_paused_redis_is_silent_and_resumed_answers(
    redis_server: RedisServer, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url, socket_timeout=0.05, retry=None) as client:
        redis_server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        redis_server.resume()
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_redis_started_again_is_empty_at_the_same_address(
    redis_server: RedisServer, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("a", "b")
    redis_server.stop()
    redis_server.start()
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_store_address_opens_an_empty_store(store_url: str) -> None:
    scheme, _, place = store_url.partition("://")
    if scheme == "sqlite":
        file = Path(place.removeprefix("/"))
        assert file.parent.is_dir()
        assert not file.exists()
    else:
        assert scheme == "postgresql"


@pytest.mark.parametrize(
    ("module", "construct"),
    [("postgres_server", "PostgresServer(module.FAST)"), ("redis_process", "RedisServer()")],
)
def test_server_ends_when_the_test_process_is_killed(module: str, construct: str) -> None:
    script = (
        f"import sys; import tests.{module} as module; server = module.{construct};"
        "print(server.pid, server.directory, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, directory = owner.stdout.readline().split()
        server = os.pidfd_open(int(pid))
        owner.send_signal(signal.SIGKILL)
    assert select.select([server], [], [], 30.0)[0]
    os.close(server)
    shutil.rmtree(directory)


def test_missing_program_is_an_error_that_names_the_package() -> None:
    with pytest.raises(ServerFailed, match="install the package imaginary-server"):
        find_program("imaginary-serverd", package="imaginary-server")
