"""`xibiao migrate`: bring the database schema to the newest version."""

from __future__ import annotations

import json
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.surroundings import Surroundings


@click.command(epilog=EXIT_CODES)
@config_options
@json_option
@click.pass_obj
def migrate(
    surroundings: Surroundings, *, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> int:
    """升级数据库结构 / Bring the database schema to the newest version.

    数据库比程序新时拒绝执行。
    Refuses when the database is newer than this program.
    """
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    version = surroundings.local.upgrade(config)
    text = f"数据库结构版本 {version} / Schema version {version}"
    click.echo(json.dumps({"schema": version}) if as_json else text)
    return OK
