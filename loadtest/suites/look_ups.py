"""What is looked up, and whether the answer is right; no client of any kind is in here.

What is asked for: mostly registered records by the power law, a share of suspended ones, a share
that nobody has registered. Every answer is judged by the record book.
"""

from __future__ import annotations

from loadtest.suites.load_run import UNANSWERED, LoadRun
from loadtest.suites.shown_answer import Shown

SUSPENDED_SHARE, MISSING_SHARE = 0.05, 0.05
FOUND, ABSENT, STATUS = "found", "absent", "status"


class Wrong(Exception):
    """An answer was not what it should be."""


class LookUps:
    """Draws what to ask for and judges what came."""

    def __init__(self, run: LoadRun, channel: str) -> None:
        self.run = run
        self._channel = channel

    def draw(self) -> str:
        """Draw an identifier; "" while nothing is registered."""
        run = self.run
        lot = run.chance.random()
        if lot < MISSING_SHARE:
            return run.missing()
        if lot < MISSING_SHARE + SUSPENDED_SHARE and (chosen := run.book.choose_suspended()):
            return chosen
        return run.book.choose() if len(run.book) else ""

    def judge(self, identifier: str, shown: Shown | None, began: float) -> None:
        """Count an answer; raises Wrong, having noted the fault, when it is not right."""
        fault = self.fault(identifier, shown, began)
        outcome = ABSENT if shown is None else FOUND if shown.status == "active" else STATUS
        self.run.note_resolution(self._channel, outcome)
        if fault:
            self.blame(identifier, fault)

    def blame(self, identifier: str, fault: str) -> None:
        """Note a wrong answer and raise Wrong."""
        self.run.note_fault(f"{fault} [{self._channel}] {identifier}")
        raise Wrong(fault)

    def unanswered(self) -> None:
        """Count a question that may have been answered, but nothing came."""
        self.run.note_resolution(self._channel, UNANSWERED)

    def fault(self, identifier: str, shown: Shown | None, began: float) -> str:
        """Say what is wrong with an answer to a look-up that began at `began`, "" if nothing."""
        if identifier in self.run.book:
            return self.run.book.fault(identifier, shown, began)
        return "未登记却查询到 found, but never registered" if shown is not None else ""
