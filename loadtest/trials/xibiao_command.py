"""The command line of the product, run from the checkout.

Invariants: a command gets its key in the environment, as a person would give it; what it says is
kept, so that a failure can be quoted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    status: int
    output: str
    errors: str


def xibiao(*arguments: str) -> list[str]:
    """Give the command `xibiao` with arguments, for the interpreter that runs the trial."""
    return [sys.executable, "-m", "admin", *arguments]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a command: the trial's own with `settings` on top."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), **settings}


def run_to_end(command: Sequence[str], settings: Mapping[str, str]) -> Ended:
    """Run a command and give how it ended, whatever its status."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env=environment(settings),
    )
    return Ended(done.returncode, done.stdout, done.stderr)
