"""`xibiao campaign`: load tests, declared before they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

import click
import msgspec

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import connect, json_option, node_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs, print_rows
from node.errors import InvalidInput

PATH = "/api/v1/campaigns"
_CHINA = timezone(timedelta(hours=8))
_TIME = "时间 / Time: 2026-11-21T09:00 (北京时间 Beijing) or with a zone"

Shown = dict[str, object]


@click.group(epilog=EXIT_CODES)
def campaign() -> None:
    """压测声明:声明过的压测不计入解析量 / Campaigns: what load tests ask for is never counted."""


@campaign.command(epilog=EXIT_CODES)
@click.option("--from", "begins", metavar="TIME", help=f"开始 / Begins [now]. {_TIME}.")
@click.option("--until", "ends", metavar="TIME", required=True, help="结束 / Ends before.")
@click.option("--reason", required=True, help="事由,将写入日志 / Why; it stands in the log.")
@click.option("--prefix", "prefixes", metavar="P", multiple=True, help="标识前缀 / Prefix.")
@click.option("--network", "networks", metavar="NET", multiple=True, help="来源网段 / Network.")
@click.option("--key", "keys", metavar="ID", multiple=True, help="密钥编号 / API key by its id.")
@click.option(
    "--agent", "agents", metavar="TEXT", multiple=True, help="User-Agent 所含文字 / Text."
)
@node_option
@json_option
@click.pass_obj
def declare(
    surroundings: Surroundings,
    *,
    begins: str | None,
    ends: str,
    reason: str,
    prefixes: tuple[str, ...],
    networks: tuple[str, ...],
    keys: tuple[str, ...],
    agents: tuple[str, ...],
    node: str | None,
    as_json: bool,
) -> int:
    """声明一次压测,须在开始之前 / Declare a load test, before it begins.

    同类选项满足其一,不同类须同时满足。需要管理员密钥。
    One of each kind of option must fit, and all kinds that are given. Needs an administrator's key.
    """
    body = {
        "from": _moment(begins) if begins else "",
        "until": _moment(ends),
        "reason": reason,
        "prefixes": prefixes,
        "networks": networks,
        "keys": keys,
        "agents": agents,
    }
    with connect(surroundings, node) as client:
        shown = client.post(PATH, Shown, body=[msgspec.json.encode(body)])
    _print("已声明 Declared", shown, as_json=as_json)
    return OK


@campaign.command(name="list", epilog=EXIT_CODES)
@node_option
@json_option
@click.pass_obj
def list_campaigns(surroundings: Surroundings, *, node: str | None, as_json: bool) -> int:
    """列出压测与突发 / List campaigns, and bursts that were found."""
    with connect(surroundings, node) as client:
        found = client.get(PATH, dict[str, Sequence[Shown]])["campaigns"]
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        print_rows([_row(each) for each in found])
    return OK


@campaign.command(epilog=EXIT_CODES)
@click.argument("name", metavar="ID")
@node_option
@json_option
@click.pass_obj
def cancel(surroundings: Surroundings, *, name: str, node: str | None, as_json: bool) -> int:
    """提前结束压测 / End a campaign now."""
    with connect(surroundings, node) as client:
        shown = client.post(f"{PATH}/{name}:cancel", Shown)
    _print("已结束 Ended", shown, as_json=as_json)
    return OK


def _moment(text: str) -> str:
    """Return a time with its zone; without one it is meant in Beijing."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"时间“{text}”有误", f"{text!r} is no time; {_TIME}") from error
    return (at if at.tzinfo else at.replace(tzinfo=_CHINA)).astimezone(UTC).isoformat()


def _row(shown: Mapping[str, object]) -> Mapping[str, object]:
    names = ("id", "declared", "state", "from", "until", "operator", "reason", "leaf_index")
    return {name: shown.get(name) for name in names}


def _print(title: str, shown: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(shown).decode())
    else:
        print_pairs(title, list(_row(shown).items()))
