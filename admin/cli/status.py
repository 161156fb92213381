"""`xibiao status`: how a running node is."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec

from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import connect, json_option, node_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import flat, print_pairs
from node.errors import Unavailable

_TITLES = {
    "node": "节点 Node",
    "registered": "登记 Registered",
    "log": "日志 Log",
    "sync": "同步 Synchronisation",
    "resolutions": "解析 Resolutions",
    "imports": "导入 Imports",
    "health": "健康 Health",
}


@click.command(epilog=EXIT_CODES)
@node_option
@json_option
@click.pass_obj
def status(surroundings: Surroundings, *, node: str | None, as_json: bool) -> int:
    """节点状态 / Registrations, log, synchronisation, resolutions and health.

    节点不健康时退出码为 1。
    The exit code is 1 while the node is not healthy.
    """
    with connect(surroundings, node) as client:
        body = client.get_bytes("/api/v1/status")
    try:
        report = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable("节点状态无法读取", "The node's status cannot be read") from error
    if as_json:
        click.echo(body.decode())
    else:
        _print(report)
    return OK if _is_healthy(report.get("health")) else FINDING


def _is_healthy(health: object) -> bool:
    """Judge `health`, which is "ok" or an object whose `status` is "ok"."""
    return (health.get("status") if isinstance(health, Mapping) else health) == "ok"


def _print(report: Mapping[str, object]) -> None:
    alone = {name: value for name, value in report.items() if not isinstance(value, Mapping)}
    if alone:
        print_pairs(_TITLES["node"], [(_TITLES.get(n, n), v) for n, v in alone.items()])
    for name, part in report.items():
        if isinstance(part, Mapping):
            print_pairs(_TITLES.get(name, name), list(flat(part)))
