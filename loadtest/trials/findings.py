"""What a trial found: one statement, whether it held, and the figures beside it.

Invariants: a finding is one JSON object a line; a trial goes on after a finding that did not hold,
and is over with TrialFailed only when nothing more can be learnt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


class TrialFailed(Exception):
    """Something that a trial stands on broke: a node that did not start, a command that failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a trial looked at. `figures` are JSON values; `is_fine` says whether it held."""

    trial: str
    check: str
    is_fine: bool
    figures: Mapping[str, object]

    def to_json(self, **about: str) -> str:
        """Write the finding as one line; `about` are further members, such as the backend."""
        fields = {"trial": self.trial, "check": self.check, "ok": self.is_fine, **about}
        return json.dumps({**fields, **self.figures}, ensure_ascii=False)


def equal(
    trial: str, check: str, *, wanted: Mapping[str, object], found: Mapping[str, object]
) -> Finding:
    """State that figures are what they should be; `found` may hold more than is wanted."""
    wrong = {name: value for name, value in wanted.items() if found.get(name) != value}
    figures = {**found, **({"wanted": wrong} if wrong else {})}
    return Finding(trial, check, not wrong, figures)


def none_of(trial: str, check: str, faults: Mapping[str, object], **figures: object) -> Finding:
    """State that there are no faults; the first twenty are shown."""
    shown = {"faults": len(faults), "first": dict(list(faults.items())[:20])} if faults else {}
    return Finding(trial, check, not faults, {**figures, **shown})
