"""What a node has acknowledged of each identifier, and which answers are right from then on.

The rule: an answer to a look-up that began at `t` shows no older revision than was acknowledged
before `t` minus the bound, none that was never made, and the facts of the revision it shows.

Invariants: revisions of an identifier are noted in their order; times are those of one monotonic
clock, in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.trials.http_requests import Reply


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of a record. `acknowledged_at` is when the answer to the change had come."""

    status: str
    acknowledged_at: float


class AnswerHistory:
    """The acknowledged revisions of the identifiers of a trial.

    `bound_s`: how long after its acknowledgement a change may stay unseen.
    """

    def __init__(self, bound_s: float) -> None:
        self._bound_s = bound_s
        self._revisions: dict[str, list[Revision]] = {}
        self._changing: dict[str, str] = {}
        self._lot_numbers: dict[str, str] = {}

    def note_item(self, identifier: str, lot_number: str) -> None:
        """Note an identifier that is about to be registered, with the lot number it will have."""
        self._lot_numbers[identifier] = lot_number
        self._revisions[identifier] = []
        self._changing[identifier] = "active"

    def note_intent(self, identifier: str, status: str) -> None:
        """Note a change that is about to be asked for: it may be seen from now on."""
        self._changing[identifier] = status

    def note_answer(self, identifier: str, at: float) -> None:
        """Note that the change asked for was acknowledged."""
        status = self._changing.pop(identifier)
        self._revisions[identifier].append(Revision(status, at))

    def identifiers(self) -> Sequence[str]:
        """Give the identifiers whose registration was acknowledged, oldest first."""
        return [name for name, revisions in self._revisions.items() if revisions]

    def noted(self) -> Sequence[str]:
        """Give all identifiers, the one about to be registered included."""
        return list(self._revisions)

    def status(self, identifier: str) -> str:
        """Give the latest acknowledged status."""
        return self._revisions[identifier][-1].status

    def fault(self, identifier: str, reply: Reply, began: float) -> str:
        """Give what is wrong with the reply to a look-up that began at `began`, "" if nothing."""
        revisions = self._revisions[identifier]
        settled = sum(r.acknowledged_at < began - self._bound_s for r in revisions)
        if reply.status == 404:
            return "not found" if settled else ""
        if reply.status != 200:
            return f"status {reply.status}"
        shown = json.loads(reply.body)
        possible = [r.status for r in revisions]
        if identifier in self._changing:
            possible.append(self._changing[identifier])
        number = shown["revision"]
        if shown["identifier"] != identifier or not settled <= number <= len(possible):
            return f"{shown['identifier']} revision {number} for {settled} … {len(possible)}"
        if shown["status"] != possible[number - 1] or shown["valid"] != (
            shown["status"] == "active"
        ):
            return f"revision {number} is {shown['status']}, valid {shown['valid']}"
        values = [a["value"] for a in shown["attributes"] if a["name"] == "lot_no"]
        return "" if values in ([], [self._lot_numbers[identifier]]) else f"lot {values}"
