"""`xibiao key`: API keys of the node, and the certificates of its link."""

from __future__ import annotations

import json
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.link_key import authority, link, pin
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_rows


@click.group(epilog=EXIT_CODES)
def key() -> None:
    """接口密钥与同步证书 / API keys, and certificates of the link to the secondary node."""


for _command in (authority, link, pin):
    key.add_command(_command)


@key.command(epilog=EXIT_CODES)
@click.option(
    "--role",
    type=click.Choice(["producer", "administrator", "partner"]),
    required=True,
    help="权限;partner:合作方,只用于解析 / What the holder may do; partner: look up only.",
)
@click.option(
    "--prefix",
    "prefixes",
    metavar="P",
    multiple=True,
    help="只限此前缀,可重复 / Only below this prefix; may be repeated [all].",
)
@click.option("--label", default="", help="用途说明 / What the key is for.")
@config_options
@json_option
@click.pass_obj
def create(
    surroundings: Surroundings,
    *,
    role: str,
    prefixes: tuple[str, ...],
    label: str,
    config_file: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """创建密钥 / Create a key.

    密钥只显示这一次,系统只保存其摘要。
    The key is shown this once; the node keeps its digest only.
    """
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    created = surroundings.local.create_key(config, role, prefixes=prefixes, label=label)
    if as_json:
        click.echo(json.dumps({"id": created["id"], "key": created["key"]}))
    else:
        click.echo(f"编号 id   {created['id']}\n密钥 key  {created['key']}")
        click.echo("请立即保存,此密钥不会再次显示 / Keep it now; it is not shown again", err=True)
    return OK


@key.command(name="list", epilog=EXIT_CODES)
@config_options
@json_option
@click.pass_obj
def list_keys(
    surroundings: Surroundings, *, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> int:
    """列出密钥(不含密钥本身) / List the keys, without their secrets."""
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    keys = [dict(row) for row in surroundings.local.list_keys(config)]
    if as_json:
        click.echo(json.dumps(keys, ensure_ascii=False))
    else:
        print_rows(keys)
    return OK


@key.command(epilog=EXIT_CODES)
@click.argument("key_id", metavar="ID")
@config_options
@click.pass_obj
def revoke(
    surroundings: Surroundings, *, key_id: str, config_file: Path | None, data_dir: Path | None
) -> int:
    """吊销密钥 / Revoke a key at once and for good."""
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    surroundings.local.revoke_key(config, key_id)
    click.echo(f"已吊销 {key_id} / Revoked {key_id}")
    return OK
