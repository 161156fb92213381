"""The shape of an opened table and one chunk of its rows: values that cross process borders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """The file formats the importer reads."""

    CSV = "csv"
    XLSX = "xlsx"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file. `attribute`: "handle", "parents", an attribute name, None if unknown.

    `power` is the decimal exponent the header's unit adds: 3 for 净重(吨) in a kg column, -4 for
    Fe(ppm) in a % column, else 0.
    """

    index: int
    title: str
    attribute: str | None
    power: int = 0


@dataclass(frozen=True, slots=True)
class TableShape:
    """How to read the file. `encoding`: of the file; `header_row`: 1-based, 0 for NDJSON.

    `cell_limit`: characters a cell may have before its row is refused.
    """

    format: Format
    columns: tuple[Column, ...]
    encoding: str
    delimiter: str
    line_end: str
    header_row: int
    cell_limit: int = 32_767


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows: `raw` records (CSV, NDJSON) or ready `cells` (XLSX); the other is empty.

    `first_row` is the row number Excel shows for the first of them. Records keep their line end.
    """

    first_row: int
    raw: tuple[bytes, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
