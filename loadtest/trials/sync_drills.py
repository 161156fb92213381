"""Rows that are drills of the test suite: forged histories (F22) and certificates (F53).

They need what a trial has not, a client or a peer that lies with the right keys; so the tests that
have it are run, and a row is theirs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from loadtest.trials.findings import Finding
from loadtest.trials.xibiao_command import run_to_end

# Which tests a row is made of, from the checkout.
DRILLS: dict[str, Sequence[str]] = {
    "F22": (
        "tests/contract/test_equivocation.py",
        "tests/processes/test_equivocation_drill.py",
        "tests/contract/test_secondary_service.py",
        "tests/unit/sync/test_witness.py",
    ),
    "F53": (
        "tests/contract/test_link_security.py",
        "tests/unit/sync/test_security_files.py",
    ),
}
_PASSED = re.compile(r"(\d+) passed")


def drill(row: str) -> Finding:
    """Run the tests of a row."""
    program = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    done = run_to_end([*program, *DRILLS[row]], {})
    passed = _PASSED.search(done.output)
    figures = {"tests": int(passed[1]) if passed else 0, "files": list(DRILLS[row])}
    said = {"said": done.output[-2_000:]} if done.status else {}
    return Finding(row, "the drill's tests pass", done.status == 0, {**figures, **said})
