"""Start of the program: the only place where the command line meets the real world."""

from __future__ import annotations

import os
import sys
import time

from admin import local_keys, local_prefixes
from admin.cli.program import run
from admin.cli.surroundings import LocalOperations, Surroundings
from admin.launch import run_node
from admin.log_audit import audit
from admin.schema_upgrade import upgrade


def main() -> None:
    """Run the command line of this process and exit with its code."""
    local = LocalOperations(
        run_node=run_node,
        upgrade=upgrade,
        audit=audit,
        create_key=local_keys.create_key,
        list_keys=local_keys.list_keys,
        revoke_key=local_keys.revoke_key,
        add_prefix=local_prefixes.add,
        list_prefixes=local_prefixes.list_all,
        suspend_prefix=local_prefixes.suspend,
        resume_prefix=local_prefixes.resume,
    )
    surroundings = Surroundings(
        environ=os.environ, clock=time.monotonic, pause=time.sleep, local=local
    )
    sys.exit(run(sys.argv[1:], surroundings))


if __name__ == "__main__":
    main()
