"""`xibiao up` and `xibiao secondary --snms` as processes: a demonstration arrives, also after a
`kill -9` of the node in the middle of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from loadtest.trials.node_process import TrialNode
from loadtest.trials.stores import Stores
from tests.link import until

ROOT = Path(__file__).parents[2]


@contextmanager
def snms_secondary(data: Path, password: Path) -> Iterator[str]:
    """Start a secondary node with an SNMS face; yield the face's address."""
    options = ["--snms", "127.0.0.1:0", "--snms-user", "plant", "--snms-password", str(password)]
    listen = ["--data", str(data), "--listen", "127.0.0.1:0", "--json"]
    command = [sys.executable, "-m", "admin", "secondary", *listen, *options]
    with (
        (data.parent / "secondary.log").open("a") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["snms"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def records(data: Path) -> list[tuple[str, int]]:
    """Return handle and number of writes of every record the secondary node holds."""
    with closing(sqlite3.connect(f"file:{data}/secondary.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT handle, writes FROM snms_record").fetchall()


async def test_a_demonstration_arrives_whole_though_the_node_is_killed_on_the_way(
    tmp_path: Path,
) -> None:
    password = tmp_path / "password"
    password.write_text("an open secret\n")
    held = tmp_path / "peer"
    with snms_secondary(held, password) as address:
        settings = {
            "XIBIAO_SYNC__SECONDARY": f"snms+http://{address}",
            "XIBIAO_SYNC__SNMS__USER": "plant",
            "XIBIAO_SYNC__SNMS__PASSWORD_FILE": str(password),
            "XIBIAO_SYNC__BATCH": "100",
        }
        roles = "api,sequencer,importer,resolver,relay"
        node = TrialNode(tmp_path / "node", Stores(), roles=roles, settings=settings)

        async def has(number: int) -> bool:
            return len(records(held)) >= number

        with node:
            await until(lambda: has(200))
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(node.start)
            await until(lambda: has(2_000))
    found = records(held)
    assert len(found) == 2_000
    assert {writes for _, writes in found} == {1}
    noted = b"".join(path.read_bytes() for path in (tmp_path / "node" / "snms").iterdir())
    assert b"batchCreate" in noted
    assert b"an open secret" not in noted + b"".join(p.read_bytes() for p in held.glob("*.db*"))
