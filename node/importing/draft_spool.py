"""The rows of a file between the two passes: on disk, with what the second pass must know of them.

Invariants: chunks are appended in file order and never change; a chunk is read back at most once
for judging, whatever number of its rows the review has something to say about; everything here is
file work and computation, to be called from a thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node.importing.chunk_analysis import ChunkAnalysis
from node.importing.file_review import FileReview
from node.importing.findings import RowDraft

_drafts = msgspec.msgpack.Decoder(list[RowDraft])


@dataclass(frozen=True, slots=True)
class SpooledChunk:
    """A chunk's drafts on disk, row and identifier of each, and the drafts that have findings."""

    offset: int
    length: int
    rows: array[int]
    identifiers: tuple[str, ...]
    odd: Mapping[int, RowDraft]


class DraftSpool:
    """The spool of one run; `path` is written anew by each run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chunks: list[SpooledChunk] = []
        path.write_bytes(b"")

    def append(self, analysis: ChunkAnalysis, packed: bytes) -> None:
        """Add a chunk; `packed`: its drafts as they lie in the spool (msgpack)."""
        with self.path.open("ab") as spool:
            offset = spool.tell()
            spool.write(packed)
        rows = array("q", [draft.row for draft in analysis.drafts])
        identifiers = tuple([draft.identifier for draft in analysis.drafts])
        odd = {draft.row: draft for draft in analysis.drafts if draft.findings}
        self.chunks.append(SpooledChunk(offset, len(packed), rows, identifiers, odd))

    def judged(self, chunk: SpooledChunk, review: FileReview) -> dict[int, RowDraft]:
        """Return, by row, the drafts of a chunk that the review changes; call in file order."""
        plain: dict[int, RowDraft] | None = None
        judged: dict[int, RowDraft] = {}
        for row, identifier in zip(chunk.rows, chunk.identifiers, strict=True):
            draft = chunk.odd.get(row)
            if draft is None:
                if review.adds_nothing(row, identifier):
                    continue
                if plain is None:
                    plain = self._read(chunk)
                draft = plain[row]
            judged[row] = review.judge(draft)
        return judged

    def _read(self, chunk: SpooledChunk) -> dict[int, RowDraft]:
        with self.path.open("rb") as spool:
            spool.seek(chunk.offset)
            drafts = _drafts.decode(spool.read(chunk.length))
        return {draft.row: draft for draft in drafts}
