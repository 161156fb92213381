"""Open an uploaded file of rows, whatever its format, and hand it out in chunks.

Invariants: the format is decided by content, never by the file's name; nothing is read beyond the
limits; row numbers are those Excel shows (the first line of the file is row 1, blank and title rows
count); a chunk is picklable and is parsed by whoever analyses it (`chunk_rows.parse_chunk`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from node.importing.limits import Limits
from node.importing.table_shape import Chunk, Column, TableShape

__all__ = ["Chunk", "Column", "Limits", "Table", "TableShape", "open_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """An opened file: its shape and where it lies. Reading it again gives the same chunks."""

    path: Path
    filename: str
    shape: TableShape
    limits: Limits

    @property
    def header(self) -> tuple[Column, ...]:
        """Return the columns in file order."""
        return self.shape.columns

    @property
    def encoding(self) -> str:
        """Return the character encoding of the file, e.g. `utf-8-sig`; "" for XLSX."""
        return self.shape.encoding

    @property
    def delimiter(self) -> str:
        """Return the field delimiter; "" unless the file is CSV."""
        return self.shape.delimiter

    def chunks(self, size: int = 2_000) -> Iterator[Chunk]:
        """Yield the data rows in file order, at most `size` per chunk; raise LimitExceeded."""
        raise NotImplementedError


def open_table(path: Path, filename: str, limits: Limits) -> Table:
    """Recognise the file's format, encoding, dialect and header.

    Raise InvalidInput when it is no table or misses a needed column, LimitExceeded when it is larger
    than `limits` allow.
    """
    raise NotImplementedError
