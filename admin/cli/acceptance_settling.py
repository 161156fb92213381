"""Before a bundle is built, a running node closes the period of counting and fetches a receipt.

Invariant: what cannot be had is said on standard error and the bundle is built from what there is;
its figures then end earlier, they are never wrong.
"""

from __future__ import annotations

import click
import msgspec

from admin.cli.client import NodeClient
from admin.cli.surroundings import Surroundings
from node.errors import NotFound, Unavailable, XibiaoError

PAUSE_S = 0.2
LOGGED_S, RECEIPT_S = 30.0, 60.0


class _LogStatus(msgspec.Struct, frozen=True):
    size: int
    pending: int


class _Status(msgspec.Struct, frozen=True):
    log: _LogStatus


class _Errand(msgspec.Struct, frozen=True):
    id: int
    state: str = "waiting"
    failure: str = ""


def settle(client: NodeClient, surroundings: Surroundings) -> None:
    """Ask the node for a statement up to now and a receipt about all leaves."""
    try:
        client.post("/api/v1/resolutions:seal", dict[str, object])
    except XibiaoError as error:
        _say(
            "节点未能结算当前时段,按已结算的部分生成",
            "The node did not close the period; the bundle ends with the last statement",
            error,
        )
        return
    try:
        _await_log(client, surroundings)
        _fetch_receipt(client, surroundings)
    except NotFound:
        return  # There is no secondary node to ask.
    except XibiaoError as error:
        _say("未取得新的回执", "There is no new receipt", error)


def _await_log(client: NodeClient, surroundings: Surroundings) -> None:
    deadline = surroundings.clock() + LOGGED_S
    while client.get("/api/v1/status", _Status).log.pending:
        if surroundings.clock() > deadline:
            return  # A busy node always has something pending; the statement is in by now.
        surroundings.pause(PAUSE_S)


def _fetch_receipt(client: NodeClient, surroundings: Surroundings) -> None:
    asked = client.post("/api/v1/sync/receipts", _Errand, body=[b"{}"])
    deadline = surroundings.clock() + RECEIPT_S
    while surroundings.clock() <= deadline:
        found = client.get(f"/api/v1/sync/errands/{asked.id}", _Errand)
        if found.failure:
            raise Unavailable(found.failure, found.failure)
        if found.state != "waiting":
            return
        surroundings.pause(PAUSE_S)
    raise Unavailable("二级节点没有及时出具回执", "The secondary node gave none in time")


def _say(zh: str, en: str, error: XibiaoError) -> None:
    click.echo(f"{zh}({error.zh})\n{en} ({error.en})", err=True)
