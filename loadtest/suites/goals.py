"""When a headless run is over and how it ended (pure).

Exit status: 0 every goal reached and nothing wrong; 1 an answer was wrong; 3 a goal was missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ALL_WELL, WRONG_ANSWERS, GOAL_MISSED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Totals:
    """What all processes of a run have done together."""

    registered: int = 0
    resolved: int = 0
    faults: int = 0

    def __add__(self, other: Totals) -> Totals:
        """Return both together."""
        return Totals(
            self.registered + other.registered,
            self.resolved + other.resolved,
            self.faults + other.faults,
        )


@dataclass(frozen=True, slots=True)
class Goals:
    """Counts to be reached; 0: no goal. `faults`: a run with so many is over (0: never)."""

    registered: int = 0
    resolved: int = 0
    faults: int = 0

    @property
    def are_set(self) -> bool:
        """Say whether there is anything to reach."""
        return self.registered > 0 or self.resolved > 0

    def missed(self, totals: Totals) -> Mapping[str, int]:
        """Return how much is missing, by name."""
        missing = {
            "registered": self.registered - totals.registered,
            "resolved": self.resolved - totals.resolved,
        }
        return {name: count for name, count in missing.items() if count > 0}

    def is_over(self, totals: Totals) -> bool:
        """Say whether a run may end: all is reached, or too much is wrong."""
        if self.faults and totals.faults >= self.faults:
            return True
        return self.are_set and not self.missed(totals)

    def exit_status(self, totals: Totals) -> int:
        """Return the status with which a run ends."""
        if totals.faults:
            return WRONG_ANSWERS
        return GOAL_MISSED if self.missed(totals) else ALL_WELL
