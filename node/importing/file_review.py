"""Judge the rows of one file against each other and against the register.

Two passes in file order: `survey` every chunk's analysis, look up `unknown_parents()` in the
register, `conclude`, then `judge` every draft again (spooled or analysed anew; same result).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from node.importing.chunk_analysis import ChunkAnalysis
from node.importing.findings import RowDraft
from node.importing.lot_facts import LotFacts


class FileReview:
    """The state of one file between the two passes: about 400 bytes per lot."""

    def __init__(self, confirmed: Collection[str] = ()) -> None:
        """`confirmed`: finding kinds a person agreed to for this file."""

    def survey(self, analysis: ChunkAnalysis) -> None:
        """Take in one chunk's analysis (first pass)."""
        raise NotImplementedError

    def unknown_parents(self) -> list[str]:
        """Return the parents no row of the file provides, to be looked up in the register."""
        raise NotImplementedError

    def conclude(self, registered: Mapping[str, LotFacts]) -> None:
        """Judge duplicates and genealogy; `registered`: facts of the unknown parents that exist."""
        raise NotImplementedError

    def judge(self, draft: RowDraft) -> RowDraft:
        """Return the draft with every finding, proposals of confirmed kinds put in (second pass)."""
        raise NotImplementedError
