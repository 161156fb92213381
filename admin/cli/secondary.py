"""`xibiao secondary`: the reference secondary node, and what its operator does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from admin.cli.failures import EXIT_CODES, FINDING, OK
from admin.cli.options import json_option
from admin.cli.surroundings import SecurityPaths, SnmsAccess, Surroundings
from admin.cli.tables import print_rows
from sync.peer import DirectiveKind

DEFAULT_DATA, DEFAULT_LISTEN = Path("secondary-data"), "127.0.0.1:50551"
_DATA = "xibiao.secondary.data"
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(invoke_without_command=True, epilog=EXIT_CODES)
@click.option(
    "--data",
    "data_dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    help=f"数据目录 / Data directory [{DEFAULT_DATA}].",
)
@click.option(
    "--listen",
    metavar="H:P",
    default=DEFAULT_LISTEN,
    help=f"gRPC 地址 / gRPC address [{DEFAULT_LISTEN}]; 0 = any.",
)
@click.option(
    "--certificate",
    metavar="FILE",
    type=_FILE,
    help="证书(PEM),更换后自动启用 / Certificate; taken up when replaced.",
)
@click.option("--private-key", metavar="FILE", type=_FILE, help="私钥(PEM) / Its private key.")
@click.option(
    "--authority",
    metavar="FILE",
    type=_FILE,
    help="企业节点证书的签发机构(PEM) / Authority of the nodes' certificates.",
)
@click.option(
    "--clients",
    metavar="FILE",
    type=_FILE,
    help="允许的企业节点,每行一个公钥指纹 / Nodes let in: a pin a line, and a node id.",
)
@click.option(
    "--snms",
    "snms_listen",
    metavar="H:P",
    default="",
    help="SNMS 接口地址,仅限本机 / Address of the SNMS face, on this machine only.",
)
@click.option("--snms-user", metavar="NAME", default="", help="SNMS 用户名 / Its user.")
@click.option("--snms-password", metavar="FILE", type=_FILE, help="密码文件 / His password.")
@click.option("--ends-with-input", is_flag=True, hidden=True)
@click.option(
    "--faults",
    "faults_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="故障脚本(TOML),SIGHUP 重读 / Fault script, read again at SIGHUP.",
)
@json_option
@click.pass_context
def secondary(
    context: click.Context,
    *,
    data_dir: Path,
    listen: str,
    certificate: Path | None,
    private_key: Path | None,
    authority: Path | None,
    clients: Path | None,
    snms_listen: str,
    snms_user: str,
    snms_password: Path | None,
    ends_with_input: bool,
    faults_file: Path | None,
    as_json: bool,
) -> int:
    """参考二级节点 / The reference secondary node.

    不带子命令时启动:可接收调用后输出一行 ready …;SIGTERM 使其处理完在途请求后退出。
    Starts it when no subcommand is given: prints one line "ready …" once it answers; SIGTERM
    drains and exits 0. The subcommands work on its data directory, also while it runs.
    """
    context.meta[_DATA] = data_dir
    if context.invoked_subcommand is not None:
        return OK

    def announce(faces: Mapping[str, str]) -> None:
        line = " ".join(["ready", *(f"{face}={address}" for face, address in faces.items())])
        # `click.echo` flushes: whoever waits for this line must see it at once, even in a pipe.
        click.echo(json.dumps(dict(faces)) if as_json else line)

    surroundings: Surroundings = context.obj
    return surroundings.secondary.run(
        data_dir=data_dir,
        listen=listen,
        security=_security(certificate, private_key, authority, clients),
        snms=_snms(snms_listen, snms_user, snms_password),
        faults_file=faults_file,
        ends_with_input=ends_with_input,
        ready=announce,
    )


def _security(*paths: Path | None) -> SecurityPaths | None:
    given = [path for path in paths if path is not None]
    if not given:
        return None
    if len(given) != len(paths):
        raise click.UsageError(
            "--certificate、--private-key、--authority、--clients 须同时给出"
            " / --certificate, --private-key, --authority and --clients are given together"
        )
    return SecurityPaths(*given)


def _snms(listen: str, user: str, password: Path | None) -> SnmsAccess | None:
    if not (listen or user or password):
        return None
    if not (listen and user and password):
        raise click.UsageError(
            "--snms、--snms-user、--snms-password 须同时给出"
            " / --snms, --snms-user and --snms-password are given together"
        )
    return SnmsAccess(listen, user, password)


@secondary.command(epilog=EXIT_CODES)
@click.argument("kind", type=click.Choice([kind.value for kind in DirectiveKind]))
@click.option("--node", default="", help="企业节点编号 / Node id [唯一的节点 the only one].")
@click.option("--prefix", default="", help="所涉前缀 / Prefix it is about.")
@click.option(
    "--identifier",
    "identifiers",
    multiple=True,
    help="所涉标识,可重复 / Identifier; may be repeated.",
)
@click.option("--from-index", type=click.IntRange(0), default=0, help="起始叶序号 / First leaf.")
@click.option("--to-index", type=click.IntRange(0), default=0, help="终止叶序号 / Last leaf.")
@click.option(
    "--quota", type=click.IntRange(0), default=0, help="新配额,0 不限 / New quota; 0: none."
)
@click.option("--reason", default="", help="原因 / Why.")
@json_option
@click.pass_context
def directive(
    context: click.Context,
    *,
    kind: str,
    node: str,
    prefix: str,
    identifiers: tuple[str, ...],
    from_index: int,
    to_index: int,
    quota: int,
    reason: str,
    as_json: bool,
) -> int:
    """下达指令 / Give an order to an enterprise node.

    涉及前缀的指令在本二级节点立即生效。
    An order about a prefix is in force here at once.
    """
    surroundings: Surroundings = context.obj
    directive_id = surroundings.secondary.issue_directive(
        context.meta[_DATA],
        DirectiveKind(kind),
        node=node,
        prefix=prefix,
        identifiers=identifiers,
        indexes=(from_index, to_index),
        reason=reason,
        quota=quota,
    )
    text = f"已下达指令 {directive_id} / Gave order {directive_id}"
    click.echo(json.dumps({"id": directive_id}) if as_json else text)
    return OK


@secondary.command(epilog=EXIT_CODES)
@json_option
@click.pass_context
def directives(context: click.Context, *, as_json: bool) -> int:
    """列出指令及答复 / List orders and the answers to them."""
    surroundings: Surroundings = context.obj
    _print(surroundings.secondary.list_directives(context.meta[_DATA]), as_json=as_json)
    return OK


@secondary.command(epilog=EXIT_CODES)
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> int:
    """各企业节点的日志副本与标识数 / What is held of each enterprise node."""
    surroundings: Surroundings = context.obj
    _print(surroundings.secondary.status(context.meta[_DATA]), as_json=as_json)
    return OK


@secondary.command(epilog=EXIT_CODES)
@json_option
@click.pass_context
def audit(context: click.Context, *, as_json: bool) -> int:
    """由日志重新计算并比对 / Recompute everything from the leaves held and compare.

    有差异时退出码为 1。
    Exits with 1 when something differs.
    """
    surroundings: Surroundings = context.obj
    report = surroundings.secondary.audit(context.meta[_DATA])
    if as_json:
        click.echo(report.to_json())
    else:
        for sentence in report.differences:
            click.echo(sentence)
        click.echo(f"差异 {len(report.differences)} 处 / {len(report.differences)} differences")
    return FINDING if report.differences else OK


def _print(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
    else:
        print_rows(rows)
