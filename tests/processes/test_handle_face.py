"""The Handle face of real node processes: who listens, who may not, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.handle_register import ABC, fill_register
from tests.handle_sockets import header_of, resolution, tcp, udp

ROOT = Path(__file__).parents[2]
WAIT_S = 60
SHARED = {"XIBIAO_HANDLE__REUSE_PORT": "true"}


def command(data: Path, *options: str) -> list[str]:
    program = [sys.executable, "-m", "admin", "up", "--json", "--data", str(data)]
    return [*program, "--http", "127.0.0.1:0", *options]


@contextmanager
def node(
    data: Path, *options: str, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a node; yield its Handle address ("" without one) and the process."""
    with (data.parent / "node.log").open("a") as log:
        process = subprocess.Popen(
            command(data, *options),
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()).get("handle", ""), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(WAIT_S)


def place_of(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def codes_at(address: str) -> tuple[int, int]:
    """Resolve over UDP and TCP."""
    with udp(place_of(address)) as datagrams, tcp(place_of(address)) as connection:
        asked = resolution(ABC)
        return header_of(datagrams.ask(asked)).code, header_of(connection.ask(asked)).code


@pytest.fixture
def data(tmp_path: Path) -> Path:
    fill_register(tmp_path / "data")
    return tmp_path / "data"


def test_node_answers_on_one_free_port_over_both_transports_and_ends_well(data: Path) -> None:
    with node(data, "--handle", "127.0.0.1:0") as (address, process):
        assert codes_at(address) == (1, 1)
        assert ended(process) == 0


def test_node_ends_well_with_connections_open(data: Path) -> None:
    with node(data, "--handle", "127.0.0.1:0") as (address, process), tcp(place_of(address)) as c:
        c.send(resolution(ABC)[:30])
        assert ended(process) == 0
        assert c.socket.recv(1) == b""


@pytest.mark.parametrize("options", [("--roles", "api"), ("--handle", "off")])
def test_node_without_the_role_or_the_wish_does_not_listen(
    tmp_path: Path, options: tuple[str, str]
) -> None:
    with node(tmp_path / "data", *options) as (address, process):
        assert address == ""
        assert ended(process) == 0


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_port_that_is_taken_for_either_transport_is_refused_before_data_is_touched(
    tmp_path: Path, kind: int
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = subprocess.run(
            command(tmp_path / "data", "--handle", address),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    assert refused.returncode == 2
    assert f"无法监听 {address}" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_processes_that_all_say_so_share_a_port(data: Path) -> None:
    with node(data, "--handle", "127.0.0.1:0", settings=SHARED) as (address, first):
        roles = ("--roles", "resolver", "--handle", address)
        with node(data, *roles, settings=SHARED) as (same, second):
            assert same == address
            assert {codes_at(address) for _ in range(8)} == {(1, 1)}
            assert ended(first) == 0
            assert {codes_at(address) for _ in range(8)} == {(1, 1)}
            assert ended(second) == 0
