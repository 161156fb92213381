"""The demonstration: realistic batches registered through the same use case as everything else."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import structlog

from admin.demo_batches import iter_rows
from node.domain.record import Parent
from node.registration.register import Registrar
from node.registration.requests import Actor, Item, Role
from node.storage import record_queries
from node.storage.engine import Database

_log = structlog.get_logger(__name__)

ROWS, SEED, BATCH = 2_000, 20241001, 500
ACTOR = Actor("demo", Role.ADMINISTRATOR)


async def load_demo(registrar: Registrar, database: Database) -> None:
    """Register the demonstration batches, once: a register that has the first one is left alone."""
    rows = iter_rows(ROWS, SEED)
    while batch := list(islice(rows, BATCH)):
        items = [_item(row) for row in batch]
        async with database.read() as scope:
            if await record_queries.find_within(scope, [items[0].identifier]):
                return
        results = await registrar.register(items, actor=ACTOR, source_kind="demo")
        refused = sum(result.outcome == "refused" for result in results)
        _log.info("demo_registered", rows=len(items), refused=refused)


def things_to_try(address: str, data: Path, *, handle: str) -> str:
    """Return what a newcomer may type once the demonstration runs.

    `address` begins the URLs, `handle` is the `host:port` of the Handle protocol, "" without it.
    """
    identifier = next(iter_rows(1, SEED))["handle"]
    over_udp = f".venv/bin/xibiao resolve {identifier} --via udp --server {handle}"
    commands = [
        f"curl {address}/{identifier}",
        f".venv/bin/xibiao resolve {identifier} --proof --node {address}",
        *([over_udp] if handle else []),
        f".venv/bin/xibiao status --node {address}",
        f".venv/bin/xibiao key create --role producer --data {data} --json",
    ]
    listed = "\n".join(f"  {command}" for command in commands)
    return f"""
试一试 Try (in a second terminal):
{listed}
接口文档 API: {address}/api/docs    停止 Stop: Ctrl-C
"""


def _item(row: dict[str, str]) -> Item:
    parents = (part.split("=") for part in row["parents"].split("|") if part)
    return Item(
        identifier=row["handle"],
        attributes={k: v for k, v in row.items() if v and k not in ("handle", "parents")},
        parents=tuple(Parent(handle, kg) for handle, kg in parents),
        document=row["coa_no"],
    )
