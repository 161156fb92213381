"""Turn one chunk of a file into row drafts: pure, top-level, fit for a process pool."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from node.importing.column_evidence import ColumnEvidence
from node.importing.findings import RowDraft
from node.importing.lot_facts import LotFacts
from node.importing.table_shape import Chunk, TableShape


@dataclass(frozen=True, slots=True)
class ChunkAnalysis:
    """What one chunk gave: drafts with the facts of each (same order) and evidence about columns."""

    drafts: list[RowDraft]
    facts: list[LotFacts]
    evidence: ColumnEvidence


def analyse_chunk(chunk: Chunk, shape: TableShape, today: date) -> ChunkAnalysis:
    """Repair and check every row of `chunk`; `today` bounds production dates (local date)."""
    raise NotImplementedError
