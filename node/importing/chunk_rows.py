"""From a chunk's bytes to rows of text: decoded, split into fields, blank and total rows left out.

Invariants: every record of the chunk is a good row, a refused row with its reason, a total of
others, or blank; good rows have exactly as many fields as the header; fields are never moved to
other columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from node.importing.csv_reader import split_record
from node.importing.encoding import decode_lines
from node.importing.ndjson_reader import MalformedLine, cells_of, parse_line
from node.importing.table_shape import Chunk, Format, TableShape

_TOTAL = re.compile(
    r"\s*(?:合\s*计|小\s*计|总\s*计|累\s*计|(?:sub|grand )?total|sum)\b.*", re.I | re.S
)


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that could not be read: why, and the cells as far as they are known."""

    row: int
    kind: str
    detail: str
    cells: list[str]


@dataclass(slots=True)
class ChunkRows:
    """The rows of a chunk; `numbers` are the row numbers of `cells`, `recoded` the numbers of rows
    in another encoding than the file."""

    cells: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    recoded: set[int] = field(default_factory=set)
    refused: list[RefusedRow] = field(default_factory=list)


def parse_chunk(chunk: Chunk, shape: TableShape) -> ChunkRows:
    """Return the rows of a chunk; never raise for what stands in it."""
    rows = ChunkRows()
    if shape.format == Format.XLSX:
        width = len(shape.columns)
        for row, cells in enumerate(chunk.cells, start=chunk.first_row):
            _sort_in(rows, row, [*cells[:width], *[""] * (width - len(cells))], shape)
        return rows
    encoding = "utf-8" if shape.encoding.startswith("utf-16") else shape.encoding
    decoded = decode_lines(chunk.raw, encoding)
    take = _take_object if shape.format == Format.NDJSON else _take_record
    for row, text in enumerate(decoded.texts, start=chunk.first_row):
        if text is None:
            rows.refused.append(RefusedRow(row, "undecodable", "", []))
        else:
            take(rows, row, text, shape)
    rows.recoded = {chunk.first_row + index for index in decoded.others}
    return rows


def _take_record(rows: ChunkRows, row: int, text: str, shape: TableShape) -> None:
    cells = split_record(text, shape.delimiter)
    if cells is None:
        rows.refused.append(RefusedRow(row, "malformed_row", "引号不成对 unmatched quotes", []))
    else:
        _sort_in(rows, row, cells, shape)


def _sort_in(rows: ChunkRows, row: int, cells: list[str], shape: TableShape) -> None:
    """Put one row where it belongs: good, refused, or nowhere (blank, or a total of others)."""
    width = len(shape.columns)
    first = cells[0] if cells else ""
    if max(map(len, cells), default=0) > shape.cell_limit:
        rows.refused.append(RefusedRow(row, "too_long", str(shape.cell_limit), []))
        return
    if len(cells) == width and first and not _TOTAL.fullmatch(first):
        rows.cells.append(cells)
        rows.numbers.append(row)
        return
    filled = [cell for cell in cells if cell.strip()]
    if not filled or _TOTAL.fullmatch(filled[0]):
        return
    if len(cells) == width:
        rows.cells.append(cells)
        rows.numbers.append(row)
    else:
        detail = f"{len(cells)} ≠ {width}"
        rows.refused.append(RefusedRow(row, "column_shift", detail, cells))


def _take_object(rows: ChunkRows, row: int, text: str, shape: TableShape) -> None:
    if not text.strip():
        return
    try:
        cells = cells_of(parse_line(text), [column.title for column in shape.columns])
    except MalformedLine as error:
        rows.refused.append(RefusedRow(row, "malformed_row", str(error), []))
        return
    _sort_in(rows, row, cells, shape)
