"""`xibiao reconcile`: compare with the secondary node and mend what differs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import cast

import click
import msgspec

from admin.cli.client import NodeClient
from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import connect, json_option, node_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs
from node.errors import Unavailable

COMPARISONS = "/api/v1/sync/reconciliations"
LOOK_S = 0.2


@click.command(epilog=EXIT_CODES)
@click.option("--full", is_flag=True, help="逐条比对 / Compare every record, not digests first.")
@click.option(
    "--timeout", type=click.FloatRange(1, 86_400), default=600.0, show_default=True, help="s"
)
@node_option
@json_option
@click.pass_obj
def reconcile(
    surroundings: Surroundings, *, full: bool, timeout: float, node: str | None, as_json: bool
) -> int:
    """与二级节点比对并修补差异 / Compare with the secondary node and mend differences.

    仍有未修补的差异时退出码为 1。
    The exit code is 1 while differences remain.
    """
    with connect(surroundings, node) as client:
        found = _compared(client, "full" if full else "digest", timeout)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)
    failed = "failed" in cast("Mapping[str, object]", found.get("details", {}))
    return FINDING if failed or found["differences"] != found["mended"] else OK


def _compared(client: NodeClient, kind: str, timeout_s: float) -> dict[str, object]:
    body = msgspec.json.encode({"kind": kind})
    asked = client.post(COMPARISONS, dict[str, object], body=[body])
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = client.get(f"{COMPARISONS}/{asked['id']}", dict[str, object])
        if found["state"] == "finished":
            return found
        time.sleep(LOOK_S)
    raise Unavailable(
        f"比对 {asked['id']} 尚未完成,请稍后再查",
        f"Comparison {asked['id']} has not finished; ask again later",
        code="still_running",
    )


def _print(found: Mapping[str, object]) -> None:
    print_pairs(
        "比对 Comparison",
        [
            ("记录 Records", found["records"]),
            ("日志大小 Log size", found["size"]),
            ("差异 Differences", found["differences"]),
            ("已修补 Mended", found["mended"]),
        ],
    )
    details = cast("Mapping[str, object]", found.get("details", {}))
    for name, value in details.items():
        if value:
            shown = ", ".join(map(str, value[:20])) if isinstance(value, list) else str(value)
            click.echo(f"{name}: {shown}")
