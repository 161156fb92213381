"""`xibiao check-config`: what a node would run with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.surroundings import Surroundings
from node.config import redacted


@click.command(name="check-config", epilog=EXIT_CODES)
@config_options
@json_option
@click.pass_obj
def check_config(
    surroundings: Surroundings, *, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> int:
    """检查并显示有效配置,口令不显示 / Check and print the configuration, passwords masked.

    输出是可用的 TOML;有错误时逐条指出,退出码为 2。
    The output is a valid TOML file; errors are named one by one, with exit code 2.
    """
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    tree = redacted(config)
    text = json.dumps(tree, ensure_ascii=False, indent=2) if as_json else "\n".join(_toml(tree, ""))
    click.echo(text)
    return OK


def _toml(table: Mapping[str, object], path: str) -> Iterator[str]:
    """Yield TOML lines. JSON spells texts, numbers, booleans and lists the way TOML does."""
    for name, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield f"\n[{path}{name}]"
            yield from _toml(value, f"{path}{name}.")
