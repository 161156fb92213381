"""What a whole file says about its columns, and the decisions no single row allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.importing.findings import RowDraft


@dataclass(frozen=True, slots=True)
class ColumnEvidence:
    """Counts gathered by chunk and merged over the file."""

    def merge(self, other: ColumnEvidence) -> ColumnEvidence:
        """Return the evidence of both chunks together."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class FileDecisions:
    """Decisions that hold for every row of the file."""


def decide(evidence: Iterable[ColumnEvidence]) -> FileDecisions:
    """Decide once per file from the evidence of all its chunks."""
    raise NotImplementedError


def settle(draft: RowDraft, decisions: FileDecisions) -> RowDraft:
    """Return the draft with its open questions answered as the file decided."""
    raise NotImplementedError
