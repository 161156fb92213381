"""Two processes share the port of the Handle protocol, and clients need not know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.handle_prover import (
    Reply,
    admin,
    answer,
    asking,
    secret,
    session_of,
    setup_body,
    value,
    with_values,
)
from tests.handle_register import ABC, fill_register
from tests.handle_sockets import request, tcp

ROOT = Path(__file__).parents[2]
STOP_S = 60
CREATE, RESOLVE, SETUP = 100, 1, 400
# That the kernel gives all connections to one of two processes is as likely as 2 ** -48.
TIMES = 24


@contextmanager
def process(data: Path, log: Path, *, roles: str, handle: str) -> Iterator[tuple[str, int]]:
    """Run a process that shares its Handle port; yield where that is."""
    program = [sys.executable, "-m", "admin", "up", "--json", "--data", str(data)]
    faces = ["--http=127.0.0.1:0", "--https=127.0.0.1:0", f"--handle={handle}"]
    settings = {"XIBIAO_HANDLE__REUSE_PORT": "true", "XIBIAO_ROLES": roles}
    with log.open("w") as errors:
        started = subprocess.Popen(
            [*program, *faces],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert started.stdout is not None
    try:
        ready = started.stdout.readline()
        assert ready, log.read_text()
        host, _, port = json.loads(ready)["handle"].rpartition(":")
        yield host, int(port)
        started.send_signal(signal.SIGTERM)
        assert started.wait(STOP_S) == 0, log.read_text()
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


def test_answers_and_sessions_find_the_process_they_belong_to(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fill_register(data)
    every = "api,sequencer,importer,resolver"
    with (
        process(data, tmp_path / "one.log", roles=every, handle="127.0.0.1:0") as address,
        process(data, tmp_path / "two.log", roles="api,resolver", handle=f"127.0.0.1:{address[1]}"),
    ):

        def ask(message: bytes) -> Reply:
            with tcp(address) as connection:
                return Reply(connection.ask(message))

        for number in range(TIMES):
            body = with_values(f"86.1000/SHARED-{number}", value(1), admin())
            challenge = ask(request(CREATE, body))
            assert challenge.code == 402
            assert ask(answer(challenge, secret(0x13))).code == 1
        session = session_of(ask(request(SETUP, setup_body(), flags=0x5980_0000)))
        for _ in range(TIMES):
            assert ask(session.message(RESOLVE, asking(ABC), flags=0x1100_0000)).code == 1
    assert not list((data / "run").glob("*.sock"))
