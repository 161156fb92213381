"""One identifier, one row: find repeats and contradictions inside a file.

Invariants: the first row that is not refused keeps the identifier; a later row with equal content
is a repeat, with other content a contradiction; both rows of a contradiction are told about it.
"""

from __future__ import annotations

from node.importing.findings import RowDraft

_CONTENT_BITS = 64
_CONTENT_MASK = (1 << _CONTENT_BITS) - 1


class Duplicates:
    """The first row and a content hash of each identifier of the file, in file order."""

    def __init__(self) -> None:
        # Row and content in one number: a tuple of two takes three times the memory.
        self._first: dict[str, int] = {}
        self._repeats: dict[int, int] = {}
        self._contradictions: dict[int, int] = {}
        self._contradicted: dict[int, int] = {}

    def claim(self, draft: RowDraft) -> bool:
        """Note a row that is not refused; tell whether it is the first of its identifier."""
        own = draft.row << _CONTENT_BITS | _content(draft)
        if self._first.setdefault(draft.identifier, own) >> _CONTENT_BITS == draft.row:
            return True
        self.compare(draft)
        return False

    def compare(self, draft: RowDraft) -> None:
        """Note whether a row, refused or not, repeats or contradicts an earlier one."""
        first = self._first.get(draft.identifier)
        if first is None or (first_row := first >> _CONTENT_BITS) == draft.row:
            return
        if first & _CONTENT_MASK == _content(draft):
            self._repeats[draft.row] = first_row
        else:
            self._contradictions[draft.row] = first_row
            self._contradicted.setdefault(first_row, draft.row)

    def concerns(self, row: int) -> bool:
        """Tell whether a row repeats or contradicts another, or is contradicted."""
        return row in self._repeats or row in self._contradictions or row in self._contradicted

    def repeats(self, row: int) -> int | None:
        """Return the row this one repeats, or None."""
        return self._repeats.get(row)

    def contradicts(self, row: int) -> int | None:
        """Return the earlier row this one contradicts, or None."""
        return self._contradictions.get(row)

    def contradicted_by(self, row: int) -> int | None:
        """Return the first later row that contradicts this one, or None."""
        return self._contradicted.get(row)


def _content(draft: RowDraft) -> int:
    """Return a hash of what the row says; of this process only, never stored."""
    attributes = draft.attributes
    said = hash((tuple(attributes), tuple(attributes.values()), tuple(draft.parents)))
    return said & _CONTENT_MASK


def difference(first: RowDraft, second: RowDraft) -> str:
    """Return where two rows differ, at most three attributes: `net_kg 31025.0 ≠ 33000.0`."""
    names = sorted({*first.attributes, *second.attributes})
    differing = [
        f"{name} {first.attributes.get(name, '-')} ≠ {second.attributes.get(name, '-')}"
        for name in names
        if first.attributes.get(name) != second.attributes.get(name)
    ]
    if first.parents != second.parents:
        differing.append("parents")
    return ", ".join(differing[:3])
