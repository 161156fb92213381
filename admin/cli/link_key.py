"""`xibiao key authority`, `key link`, `key pin`: certificates between node and secondary node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES, OK
from admin.cli.options import json_option
from admin.cli.surroundings import Surroundings

_DIRECTORY = click.Path(path_type=Path, file_okay=False)
_LABELS = {
    "certificate": "证书 certificate",
    "private_key": "私钥 private_key",
    "authority": "根证书 authority",
    "pin": "公钥指纹 pin",
    "expires_at": "有效期至 expires_at",
}
_directory_option = click.option(
    "--directory",
    metavar="DIR",
    type=_DIRECTORY,
    default=Path("link"),
    show_default=True,
    help="写入此目录 / Where the files are put.",
)


@click.command(epilog=EXIT_CODES)
@_directory_option
@click.option(
    "--name",
    default="稀标 Xibiao link authority",
    show_default=True,
    help="机构名称 / Name of the authority.",
)
@json_option
@click.pass_obj
def authority(surroundings: Surroundings, *, directory: Path, name: str, as_json: bool) -> int:
    """建立私有签发机构(10 年) / Make a private authority for the link, good for ten years.

    其私钥 authority.key 只在签发和续期时需要,可离线保存。
    Its key, authority.key, is needed to issue and renew only, and is best kept elsewhere.
    """
    _print(surroundings.local.create_authority(directory, name), as_json=as_json)
    return OK


@click.command(epilog=EXIT_CODES)
@click.argument("name", metavar="NAME")
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="主机名或 IP,可重复 / Host name or IP address; may be repeated.",
)
@click.option(
    "--authority",
    "authority_directory",
    metavar="DIR",
    type=_DIRECTORY,
    help="签发机构所在目录 / Where the authority lies [--directory].",
)
@_directory_option
@click.option(
    "--renew", is_flag=True, help="续期,私钥与指纹不变 / Renew; the key and its pin stay."
)
@json_option
@click.pass_obj
def link(
    surroundings: Surroundings,
    *,
    name: str,
    hosts: tuple[str, ...],
    authority_directory: Path | None,
    directory: Path,
    renew: bool,
    as_json: bool,
) -> int:
    """签发同步证书(90 天) / Issue a certificate for the link, good for 90 days.

    NAME 为文件名,例如 node 或 secondary;已有文件不会被覆盖。
    NAME, such as node or secondary, names the files; none that exists is overwritten.
    """
    if Path(name).name != name or name in ("", ".", "..", "authority"):
        raise click.UsageError("NAME 须为文件名且不能是 authority / NAME is a file name of its own")
    if not hosts and not renew:
        raise click.UsageError("缺少 --host / --host is missing")
    operations = surroundings.local
    work = operations.renew_link_certificate if renew else operations.issue_link_certificate
    _print(work(authority_directory or directory, directory, name, hosts), as_json=as_json)
    return OK


@click.command(epilog=EXIT_CODES)
@click.argument("certificate", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def pin(surroundings: Surroundings, *, certificate: Path) -> int:
    """显示证书的公钥指纹 / Print the SHA-256 of a certificate's public key.

    对方以此值核对本方:sync.peer_key,或 xibiao secondary --clients 的清单。
    The other side knows this one by it: sync.peer_key, or the list of xibiao secondary --clients.
    """
    click.echo(surroundings.local.pin_of_file(certificate))
    return OK


def _print(stored: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dict(stored), ensure_ascii=False))
        return
    for name, value in stored.items():
        click.echo(f"{_LABELS[name]}  {value}")
