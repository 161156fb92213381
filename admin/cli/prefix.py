"""`xibiao prefix`: the prefixes that the node serves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.prefix_administrator import administrator
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs, print_rows
from node.domain.identifiers.suffix_profile import PROFILES

# Days are days of the plant.
_CHINA = timezone(timedelta(hours=8))


def _china_day(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=_CHINA) if day else None


@click.group(epilog=EXIT_CODES)
def prefix() -> None:
    """标识前缀 / Prefixes: add, list, suspend, resume, and who administers them."""


prefix.add_command(administrator)


@prefix.command(epilog=EXIT_CODES)
@click.argument("name", metavar="P")
@click.option(
    "--test", "is_test", is_flag=True, help="测试前缀,不计入验收 / For tests; never counted."
)
@click.option(
    "--profile",
    type=click.Choice(sorted(PROFILES)),
    default="ree-batch",
    show_default=True,
    help="后缀规则 / Grammar of suffixes.",
)
@click.option(
    "--valid-from", type=click.DateTime(["%Y-%m-%d"]), help="生效日期(含) / First day of validity."
)
@click.option(
    "--valid-until", type=click.DateTime(["%Y-%m-%d"]), help="失效日期(不含) / Day it ends before."
)
@config_options
@json_option
@click.pass_obj
def add(
    surroundings: Surroundings,
    *,
    name: str,
    is_test: bool,
    profile: str,
    valid_from: datetime | None,
    valid_until: datetime | None,
    config_file: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """启用前缀 / Put a prefix into service."""
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    added = surroundings.local.add_prefix(
        config,
        name,
        is_test=is_test,
        profile=profile,
        valid_from=_china_day(valid_from),
        valid_until=_china_day(valid_until),
    )
    if as_json:
        click.echo(json.dumps(dict(added), ensure_ascii=False))
    else:
        print_pairs("已启用 In service", list(dict(added).items()))
    return OK


@prefix.command(name="list", epilog=EXIT_CODES)
@config_options
@json_option
@click.pass_obj
def list_prefixes(
    surroundings: Surroundings, *, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> int:
    """列出前缀 / List the prefixes."""
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    prefixes = [dict(row) for row in surroundings.local.list_prefixes(config)]
    if as_json:
        click.echo(json.dumps(prefixes, ensure_ascii=False))
    else:
        print_rows(prefixes)
    return OK


@prefix.command(epilog=EXIT_CODES)
@click.argument("name", metavar="P")
@config_options
@click.pass_obj
def suspend(
    surroundings: Surroundings, *, name: str, config_file: Path | None, data_dir: Path | None
) -> int:
    """停用前缀,已登记的仍可解析 / Take no more registrations; what is there stays resolvable."""
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    surroundings.local.suspend_prefix(config, name)
    click.echo(f"已停用 {name} / Suspended {name}")
    return OK


@prefix.command(epilog=EXIT_CODES)
@click.argument("name", metavar="P")
@config_options
@click.pass_obj
def resume(
    surroundings: Surroundings, *, name: str, config_file: Path | None, data_dir: Path | None
) -> int:
    """恢复前缀 / Take registrations again."""
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    surroundings.local.resume_prefix(config, name)
    click.echo(f"已恢复 {name} / Resumed {name}")
    return OK
