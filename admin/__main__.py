"""Start of the program: the only place where the command line meets the real world.

What works on a data directory brings FastAPI, SQLAlchemy and Alembic with it, two seconds of
loading: it is loaded when a command runs it, so that a look-up from a shell answers at once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from admin.cli.program import run
from admin.cli.surroundings import (
    AcceptanceOperations,
    LocalOperations,
    SecondaryOperations,
    Surroundings,
)
from node.telemetry import configure_logging


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # As after `python -m admin`, worker processes then need not load this module to begin.
    sys.modules["__main__"].__spec__ = __spec__
    # Standard output belongs to reports; until a configuration says more, logs go beside it.
    configure_logging(sys.stderr, level="info", line_format="console")
    local = LocalOperations(
        run_node=_when_called("admin.launch", "run_node"),
        upgrade=_when_called("admin.schema_upgrade", "upgrade"),
        audit=_when_called("admin.log_audit", "audit"),
        create_key=_when_called("admin.local_keys", "create_key"),
        list_keys=_when_called("admin.local_keys", "list_keys"),
        revoke_key=_when_called("admin.local_keys", "revoke_key"),
        add_prefix=_when_called("admin.local_prefixes", "add"),
        list_prefixes=_when_called("admin.local_prefixes", "list_all"),
        suspend_prefix=_when_called("admin.local_prefixes", "suspend"),
        resume_prefix=_when_called("admin.local_prefixes", "resume"),
        make_administrator_with_secret=_when_called(
            "admin.local_administrators", "make_with_secret"
        ),
        make_administrator_with_public_key=_when_called(
            "admin.local_administrators", "make_with_public_key"
        ),
        create_authority=_when_called("admin.link_pairing", "create_authority"),
        issue_link_certificate=_when_called("admin.link_pairing", "issue"),
        renew_link_certificate=_when_called("admin.link_pairing", "renew"),
        pin_of_file=_when_called("admin.link_certificate_files", "pin_of_file"),
    )
    secondary = SecondaryOperations(
        run=_when_called("admin.secondary_node", "run"),
        issue_directive=_when_called("admin.secondary_node", "issue_directive"),
        list_directives=_when_called("sync.secondary.operation", "list_directives"),
        status=_when_called("sync.secondary.operation", "status"),
        audit=_when_called("sync.secondary.operation", "audit"),
    )
    acceptance = AcceptanceOperations(
        commented_project=_when_called("admin.acceptance.operations", "commented_project"),
        build=_when_called("admin.acceptance.operations", "build"),
        sample=_when_called("admin.acceptance.operations", "sample"),
    )
    surroundings = Surroundings(
        environ=os.environ,
        clock=time.monotonic,
        pause=time.sleep,
        local=local,
        ask_handle=_when_called("admin.handle_question", "ask"),
        secondary=secondary,
        acceptance=acceptance,
    )
    sys.exit(run(sys.argv[1:], surroundings))


def _when_called(module: str, function: str) -> Callable[..., Any]:
    """Return a function that loads its module when it is called, and keeps its files private.

    What works on a data directory writes keys, records and uploads: nobody but the node's own user
    may read them, whatever the shell's umask says.
    """

    def call(*arguments: object, **options: object) -> object:
        os.umask(0o077)
        return getattr(import_module(module), function)(*arguments, **options)

    return call


if __name__ == "__main__":
    main()
