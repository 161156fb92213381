"""`xibiao sync`: what waits at the link to the secondary node, and decisions about it."""

from __future__ import annotations

from typing import cast

import click
import msgspec

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import connect, json_option, node_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_rows

SYNC = "/api/v1/sync"


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
        ("items", "条目 Items", ("index", "identifier", "state", "code", "reason", "attempts")),
        ("directives", "指令 Orders", ("id", "kind", "received_at", "handled_by", "note")),
        ("alarms", "告警 Alarms", ("kind", "zh", "en", "raised_at")),
    ):
        rows = cast("list[dict[str, object]]", found[name])
        click.echo(title)
        print_rows([{column: row[column] for column in columns} for row in rows])
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
