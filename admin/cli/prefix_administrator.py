"""`xibiao prefix admin`: who administers the handles below a prefix over the Handle protocol."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.surroundings import Surroundings
from admin.cli.tables import print_pairs
from node.errors import InvalidInput

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="admin", epilog=EXIT_CODES)
@click.argument("name", metavar="P")
@click.option(
    "--handle",
    required=True,
    metavar="H",
    help="管理员标识,如 86.1000/ADMIN / Handle of the administrator.",
)
@click.option(
    "--index",
    type=click.IntRange(1, 2**31 - 1),
    default=300,
    show_default=True,
    metavar="N",
    help="密钥所在索引 / Index of his key.",
)
@click.option("--secret-file", type=_file, help="含密钥的文件 / File that holds a secret key.")
@click.option(
    "--public-key", type=_file, help="公钥文件(PEM 或 pubkey.bin) / Public key, PEM or pubkey.bin."
)
@config_options
@json_option
@click.pass_obj
def administrator(
    surroundings: Surroundings,
    *,
    name: str,
    handle: str,
    index: int,
    secret_file: Path | None,
    public_key: Path | None,
    config_file: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> int:
    """设置 Handle 管理员,拥有前缀下全部权限 / Give a key every right below a prefix.

    管理员标识尚未登记时一并登记;已登记时加入或更换其密钥。
    The administrator's record is registered if need be; if there is one, the key is added to it or
    takes the place of the one at that index.
    """
    config = effective_config(surroundings, config_file, overrides={"data_dir": data_dir})
    local = surroundings.local
    match secret_file, public_key:
        case Path() as path, None:
            made = local.make_administrator_with_secret(
                config, name, handle=handle, index=index, secret=_secret(path)
            )
        case None, Path() as path:
            made = local.make_administrator_with_public_key(
                config, name, handle=handle, index=index, public_key=path.read_bytes()
            )
        case _:
            raise click.UsageError(
                "请给出 --secret-file 或 --public-key 之一 / Give one of the two."
            )
    if as_json:
        click.echo(json.dumps(dict(made), ensure_ascii=False))
    else:
        print_pairs("已设置 Administrator", list(dict(made).items()))
    return OK


def _secret(path: Path) -> bytes:
    """Return the secret in a file without the newline that editors put at its end."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        click.echo(
            f"警告:其他用户可读取 {path},请执行 chmod 600\n"
            f"Warning: other users may read {path}; chmod 600 it",
            err=True,
        )
    secret = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise InvalidInput(f"密钥文件 {path} 为空", f"The secret file {path} is empty")
    return secret
