"""Collect the findings of a chunk's rows while its columns are gone through one by one.

Invariant: a finding is written once, with the row number and column title people know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.importing.finding_texts import describe
from node.importing.findings import Finding
from node.importing.table_shape import Column


def titles_of(columns: Iterable[Column]) -> dict[str, str]:
    """Return the file's title for every attribute its columns mean."""
    return {column.attribute: column.title for column in columns if column.attribute}


class RowNotes:
    """Findings by row index of one chunk; `numbers` are the row numbers Excel shows."""

    def __init__(self, numbers: Sequence[int], titles: dict[str, str]) -> None:
        self._numbers = numbers
        self._titles = titles
        self._findings: dict[int, list[Finding]] = {}

    def add(
        self,
        index: int,
        kind: str,
        column: str,
        original: str = "",
        *,
        proposed: str = "",
        detail: str = "",
    ) -> None:
        """Note a finding about the row at `index`, in an attribute's column ("" for the row)."""
        finding = describe(
            kind,
            row=self._numbers[index],
            column=column,
            title=self._titles.get(column, column),
            original=original,
            proposed=proposed,
            detail=detail,
        )
        self._findings.setdefault(index, []).append(finding)

    def of(self, index: int) -> list[Finding]:
        """Return the findings of one row, in the order they were noted."""
        return self._findings.get(index, [])
