"""Real node processes: what each role answers, who owns an address, and who may read the files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from node.domain.timing import decode_span
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).parents[2]
WAIT_S = 60


def command(data: Path, *options: str) -> list[str]:
    program = [sys.executable, "-m", "admin", "up", "--json", "--data", str(data)]
    return [*program, "--handle", "127.0.0.1:0", *options]


@contextmanager
def node(data: Path, *options: str, **settings: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a node; yield its address ("" without one) and the process, which ends at the end."""
    with (data.parent / "node.log").open("a") as log:
        process = subprocess.Popen(
            command(data, *options),
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            umask=0o022,
        )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline() or "{}").get("http", ""), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(WAIT_S)


def test_a_second_node_on_an_address_is_refused_before_it_touches_its_data(tmp_path: Path) -> None:
    with node(tmp_path / "first", "--http", "127.0.0.1:0") as (url, first):
        address = url.removeprefix("http://")
        second = subprocess.run(
            command(tmp_path / "second", "--http", address),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert second.returncode == 2
        assert f"无法监听 {address}" in second.stderr
        assert not (tmp_path / "second").exists()
        assert ended(first) == 0


def test_a_resolver_answers_look_ups_and_sends_writers_away(tmp_path: Path) -> None:
    options = ("--roles", "resolver", "--http", "127.0.0.1:0")
    with node(tmp_path / "data", *options) as (url, process), httpx.Client(base_url=url) as http:
        written = http.post("/api/v1/identifiers", content=b"{}")
        assert (written.status_code, written.json()["code"]) == (404, "role_not_here")
        assert http.get("/88.111.1/ABSENT").json()["code"] == "not_found"
        assert http.get("/log/vkey").status_code == 200
        assert http.get("/readyz").status_code == 200
        assert ended(process) == 0


def test_a_node_keeps_how_long_registrations_and_look_ups_took(tmp_path: Path) -> None:
    options = ("--demo", "--http", "127.0.0.1:0")
    with node(tmp_path / "data", *options) as (url, process):
        assert httpx.get(f"{url}/88.111.1/ABSENT", timeout=WAIT_S).json()["code"] == "not_found"
        assert ended(process) == 0
    lines = [
        decode_span(line)
        for path in (tmp_path / "data" / "tally" / "timing").iterdir()
        for line in path.read_bytes().splitlines()
    ]
    assert {span.subject for span in lines} == {"registering", "resolving"}


def test_a_sequencer_listens_only_when_told_to_and_then_answers_health_alone(
    tmp_path: Path,
) -> None:
    with node(tmp_path / "data", "--roles", "sequencer") as (url, process):
        assert url == ""
        assert ended(process) == 0
    options = ("--roles", "sequencer", "--http", "127.0.0.1:0")
    with node(tmp_path / "data", *options) as (url, process), httpx.Client(base_url=url) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 200
        assert http.get("/api/v1/status").status_code == 200
        assert http.get("/metrics").status_code == 200
        for path in ("/88.111.1/ABSENT", "/log/checkpoint", "/api/handles/88.111.1/A"):
            assert http.get(path).json()["code"] == "no_path"
        assert ended(process) == 0


def test_nobody_but_the_owner_reads_the_data_directory(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with node(data, "--http", "127.0.0.1:0") as (_, process):
        modes = {path: path.stat().st_mode & 0o777 for path in [data, *data.rglob("*")]}
        assert ended(process) == 0
    assert any(path.suffix == ".db" for path in modes)
    for path, mode in modes.items():
        assert mode & 0o077 == 0, (path, oct(mode))


def test_a_node_whose_database_went_away_still_ends_well(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    settings = {"XIBIAO_DATABASE__URL": postgres_url, "XIBIAO_SHUTDOWN__GRACE": "1s"}
    with node(tmp_path / "data", "--http", "127.0.0.1:0", **settings) as (url, process):
        postgres.kill()
        assert httpx.get(f"{url}/readyz", timeout=WAIT_S).json()["reasons"]
        assert ended(process) == 0
    assert re.search("not_drained", (tmp_path / "node.log").read_text())
