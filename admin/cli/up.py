"""`xibiao up`: run a node in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from admin.cli.failures import EXIT_CODES
from admin.cli.options import config_options, effective_config, json_option
from admin.cli.surroundings import Surroundings
from node.config import ROLES


@click.command(epilog=EXIT_CODES)
@config_options
@click.option(
    "--roles",
    metavar="ROLE,…",
    help=f"本进程的角色 / What this process does: {', '.join(ROLES)} [all].",
)
@click.option("--http", metavar="H:P", help="HTTP 地址 / HTTP address [127.0.0.1:8080]; 0 = any.")
@click.option("--https", metavar="H:P", help="HTTPS 地址 / HTTPS address [无 / none]; 0 = any.")
@click.option(
    "--handle",
    metavar="H:P",
    help="Handle 协议地址,UDP 与 TCP / Handle address, UDP and TCP [127.0.0.1:2641]; 0 = any; off.",
)
@click.option(
    "--grpc", metavar="H:P", help="二级节点委托解析的 gRPC 地址 / gRPC address [无 / none]."
)
@click.option(
    "--secondary",
    metavar="local|H:P|off",
    help="二级节点,local 为本机参考节点 / Secondary node; local: one of our own [--demo].",
)
@click.option("--demo", is_flag=True, help="登记演示前缀和数据 / Register demo prefixes and data.")
@json_option
@click.pass_obj
def up(
    surroundings: Surroundings,
    *,
    config_file: Path | None,
    data_dir: Path | None,
    roles: str | None,
    http: str | None,
    https: str | None,
    handle: str | None,
    grpc: str | None,
    secondary: str | None,
    demo: bool,
    as_json: bool,
) -> int:
    """启动节点 / Start the node.

    全部接口就绪后输出一行 ready …;SIGTERM 使其处理完在途请求后退出。
    Prints one line "ready …" once every face answers; SIGTERM drains and exits 0.
    """
    chosen = None if roles is None else [role.strip() for role in roles.split(",")]
    config = effective_config(
        surroundings,
        config_file,
        overrides={
            "data_dir": data_dir,
            "roles": chosen,
            "http.listen": http,
            "https.listen": https,
            "handle.listen": handle,
            "sync.listen": grpc,
            "sync.secondary": _peer(secondary),
        },
    )

    def announce(faces: Mapping[str, str]) -> None:
        line = " ".join(["ready", *(f"{face}={address}" for face, address in faces.items())])
        # `click.echo` flushes: whoever waits for this line must see it at once, even in a pipe.
        click.echo(json.dumps(dict(faces)) if as_json else line)

    return surroundings.local.run_node(config, demo=demo, ready=announce)


def _peer(text: str | None) -> str | None:
    """Return the setting for a secondary node: a bare address is one that speaks gRPC."""
    is_address = text is not None and text not in ("", "local", "off") and "://" not in text
    return f"grpc://{text}" if is_address else text
