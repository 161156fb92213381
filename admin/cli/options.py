"""Options that several commands share, and what they resolve to.

Invariant: an option given on the command line wins over the environment, which wins over the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from admin.cli.client import NodeClient
from admin.cli.surroundings import Surroundings
from node.config import Config, load

_F = TypeVar("_F", bound=Callable[..., Any])

DEFAULT_NODE = "http://127.0.0.1:8080"

json_option = click.option(
    "--json", "as_json", is_flag=True, help="以 JSON 输出 / Print the report as JSON."
)
node_option = click.option(
    "--node",
    metavar="URL",
    help=f"节点地址 / Address of the node [XIBIAO_NODE; {DEFAULT_NODE}].",
)


def config_options(command: _F) -> _F:
    """Add `--config` and `--data`."""
    config = click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="配置文件(TOML) / Configuration file [XIBIAO_CONFIG].",
    )
    data = click.option(
        "--data",
        "data_dir",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="数据目录 / Data directory [xibiao-data].",
    )
    return config(data(command))


def effective_config(
    surroundings: Surroundings, config_file: Path | None, *, overrides: Mapping[str, object]
) -> Config:
    """Return the configuration of a command; `overrides` as for `node.config.load`."""
    named = surroundings.environ.get("XIBIAO_CONFIG")
    path = config_file or (Path(named) if named else None)
    return load(path, surroundings.environ, overrides)


def connect(surroundings: Surroundings, node: str | None) -> NodeClient:
    """Return a client of the node at `node_url`."""
    return NodeClient(
        node_url(surroundings, node),
        surroundings.environ.get("XIBIAO_API_KEY", ""),
        transport=surroundings.transport,
    )


def node_url(surroundings: Surroundings, node: str | None) -> str:
    """Return the address named by `--node`, `XIBIAO_NODE` or the default."""
    return node or surroundings.environ.get("XIBIAO_NODE") or DEFAULT_NODE
