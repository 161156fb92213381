"""Start of the program: the only place where the command line meets the real world."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping

import admin.local_keys as keys
import admin.local_prefixes as prefixes
from admin.cli.program import run
from admin.cli.surroundings import LocalOperations, Surroundings
from admin.launch import run_node
from admin.log_audit import audit
from admin.schema_upgrade import upgrade
from node.config import Config
from node.telemetry import configure_logging


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # Standard output belongs to reports; until a configuration says more, logs go beside it.
    configure_logging(sys.stderr, level="info", line_format="console")
    local = LocalOperations(
        run_node=_run_node,
        upgrade=upgrade,
        audit=audit,
        create_key=keys.create_key,
        list_keys=keys.list_keys,
        revoke_key=keys.revoke_key,
        add_prefix=prefixes.add,
        list_prefixes=prefixes.list_all,
        suspend_prefix=prefixes.suspend,
        resume_prefix=prefixes.resume,
    )
    surroundings = Surroundings(
        environ=os.environ, clock=time.monotonic, pause=time.sleep, local=local
    )
    sys.exit(run(sys.argv[1:], surroundings))


def _run_node(config: Config, *, demo: bool, ready: Callable[[Mapping[str, str]], None]) -> int:
    configure_logging(sys.stderr, level=config.logging.level, line_format=config.logging.format)
    return run_node(config, demo=demo, ready=ready)


if __name__ == "__main__":
    main()
