"""`xibiao sync`: what waits at the link to the secondary node, and decisions about it."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import cast

import click
import msgspec

from admin.cli.client import NodeClient
from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import connect, json_option, node_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_rows
from node.errors import Unavailable

SYNC = "/api/v1/sync"
LOOK_S = 0.2
timeout_option = click.option(
    "--timeout", type=click.FloatRange(1, 86_400), default=60.0, show_default=True, help="s"
)


_ITEM_COLUMNS = ("index", "identifier", "state", "code", "reason", "attempts")


class _Page(msgspec.Struct, frozen=True):
    """A page of items; `next` is None on the last one."""

    items: list[dict[str, object]]
    next: int | None = None


@click.group(epilog=EXIT_CODES)
def sync() -> None:
    """二级节点同步 / The link to the secondary node: items, orders, alarms."""


@sync.command(epilog=EXIT_CODES)
@node_option
@json_option
@click.pass_obj
def show(surroundings: Surroundings, *, node: str | None, as_json: bool) -> int:
    """待处理的条目、指令和告警 / Items, orders and alarms that wait."""
    with connect(surroundings, node) as client:
        found = client.get(SYNC, dict[str, object])
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return OK
    for name, title, columns in (
        ("items", "条目 Items", _ITEM_COLUMNS),
        ("directives", "指令 Orders", ("id", "kind", "received_at", "handled_by", "note")),
        ("alarms", "告警 Alarms", ("kind", "zh", "en", "raised_at")),
    ):
        rows = cast("list[dict[str, object]]", found[name])
        click.echo(title)
        print_rows([{column: row[column] for column in columns} for row in rows])
    return OK


@sync.command(epilog=EXIT_CODES)
@click.option(
    "--state",
    default="rejected",
    show_default=True,
    help="rejected, blocked, unknown, retry, dropped",
)
@node_option
@json_option
@click.pass_obj
def items(surroundings: Surroundings, *, state: str, node: str | None, as_json: bool) -> int:
    """列出某一状态的全部条目 / List every item in a state, with --json one a line."""
    asked, rows = {"state": state}, list[dict[str, object]]()
    with connect(surroundings, node) as client:
        while True:
            page = client.get(f"{SYNC}/items", _Page, params=asked)
            rows += page.items
            if page.next is None:
                break
            asked["after"] = str(page.next)
    if as_json:
        for row in rows:
            click.echo(msgspec.json.encode(row).decode())
    else:
        print_rows([{column: row[column] for column in _ITEM_COLUMNS} for row in rows])
    return OK


@sync.command(epilog=EXIT_CODES)
@click.argument("indexes", nargs=-1, type=click.IntRange(0), required=True)
@click.option("--reason", default="", help="原因 / Why.")
@node_option
@click.pass_obj
def retry(
    surroundings: Surroundings, *, indexes: tuple[int, ...], reason: str, node: str | None
) -> int:
    """重新发送被拒的条目 / Send refused items again."""
    return _move(surroundings, "retry", indexes, reason, node)


@sync.command(epilog=EXIT_CODES)
@click.argument("indexes", nargs=-1, type=click.IntRange(0), required=True)
@click.option("--reason", required=True, help="原因 / Why.")
@node_option
@click.pass_obj
def drop(
    surroundings: Surroundings, *, indexes: tuple[int, ...], reason: str, node: str | None
) -> int:
    """放弃发送条目,须说明原因 / Give up on items, with a reason."""
    return _move(surroundings, "drop", indexes, reason, node)


def _move(
    surroundings: Surroundings, action: str, indexes: tuple[int, ...], reason: str, node: str | None
) -> int:
    body = msgspec.json.encode({"indexes": indexes, "reason": reason})
    with connect(surroundings, node) as client:
        moved = client.post(f"{SYNC}/items:{action}", dict[str, int], body=[body])
    click.echo(msgspec.json.encode(moved).decode())
    return OK


@sync.command(epilog=EXIT_CODES)
@click.argument("number", metavar="ID")
@click.option("--accept/--refuse", required=True, help="接受或拒绝 / Accept or refuse.")
@click.option("--note", default="", help="说明 / What was done.")
@node_option
@click.pass_obj
def directive(
    surroundings: Surroundings, *, number: str, accept: bool, note: str, node: str | None
) -> int:
    """处理需人工决定的指令 / Decide about an order that no rule decides."""
    body = msgspec.json.encode({"accepted": accept, "note": note})
    with connect(surroundings, node) as client:
        found = client.post(f"{SYNC}/directives/{number}", dict[str, object], body=[body])
    click.echo(msgspec.json.encode(found).decode())
    return OK


@sync.command(epilog=EXIT_CODES)
@click.argument("kind")
@node_option
@click.pass_obj
def evidence(surroundings: Surroundings, *, kind: str, node: str | None) -> int:
    """输出告警的证据,如相互矛盾的两份检查点 / Print what proves an alarm, e.g. two checkpoints.

    没有该告警时退出码为 1。
    The exit code is 1 when no such alarm stands.
    """
    with connect(surroundings, node) as client:
        found = client.get(SYNC, dict[str, object])
    for alarm in cast("list[dict[str, object]]", found["alarms"]):
        if alarm["kind"] == kind:
            click.echo(b64decode(str(alarm["evidence"])), nl=False)
            return OK
    return FINDING


@sync.command(epilog=EXIT_CODES)
@click.option("--size", type=click.IntRange(0), default=0, help="叶数,0 为全部 / Leaves, 0: all.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="回执写入文件 / Write the note to a file.",
)
@timeout_option
@node_option
@click.pass_obj
def receipt(
    surroundings: Surroundings, *, size: int, out: Path | None, timeout: float, node: str | None
) -> int:
    """取得二级节点的回执 / Fetch the secondary node's signed receipt.

    未取得时退出码为 1。
    The exit code is 1 when none is given.
    """
    with connect(surroundings, node) as client:
        found = _served(client, f"{SYNC}/receipts", {"size": size}, timeout)
    if found["failure"]:
        click.echo(f"未取得回执 No receipt: {found['failure']}", err=True)
        return FINDING
    note = str(found["note"])
    if out is None:
        click.echo(note, nl=False)
    else:
        out.write_text(note, "utf-8")
    return OK


@sync.command(name="report-day", epilog=EXIT_CODES)
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]))
@timeout_option
@node_option
@click.pass_obj
def report_day(
    surroundings: Surroundings, *, day: datetime, timeout: float, node: str | None
) -> int:
    """上报过去某日(北京时间)的统计 / Report a past day (Beijing time) to the secondary node.

    未被接受时退出码为 1。
    The exit code is 1 when it is not accepted.
    """
    with connect(surroundings, node) as client:
        found = _served(client, f"{SYNC}/day-reports", {"day": f"{day:%Y-%m-%d}"}, timeout)
    if found["failure"]:
        click.echo(f"未被接受 Not accepted: {found['failure']}", err=True)
        return FINDING
    click.echo(msgspec.json.encode(found).decode())
    return OK


def _served(
    client: NodeClient, path: str, body: Mapping[str, object], timeout_s: float
) -> dict[str, object]:
    """Ask for an errand and return it once it was run."""
    asked = client.post(path, dict[str, object], body=[msgspec.json.encode(body)])
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = client.get(f"{SYNC}/errands/{asked['id']}", dict[str, object])
        if found["state"] != "waiting":
            return found
        time.sleep(LOOK_S)
    raise Unavailable(
        f"任务 {asked['id']} 尚未完成,二级节点可能不可达",
        f"Errand {asked['id']} has not been run; the secondary node may be out of reach",
        code="still_running",
    )


@sync.command(name="clear-alarm", epilog=EXIT_CODES)
@click.argument("kind")
@node_option
@click.pass_obj
def clear_alarm(surroundings: Surroundings, *, kind: str, node: str | None) -> int:
    """解除已处理的告警 / Clear an alarm that was dealt with."""
    body = msgspec.json.encode({"kind": kind})
    with connect(surroundings, node) as client:
        cleared = client.post(f"{SYNC}/alarms:clear", dict[str, int], body=[body])
    click.echo(msgspec.json.encode(cleared).decode())
    return OK
