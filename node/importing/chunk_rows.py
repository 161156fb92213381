"""From a chunk's bytes to rows of text: decoded, split into fields, blank and total rows left out.

Invariants: every record of the chunk is a good row, a refused row with its reason, a total, or
blank; good rows have exactly as many fields as the header; fields are never moved to other columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from node.importing.csv_reader import split_records
from node.importing.encoding import DecodedLine, decode_lines
from node.importing.ndjson_reader import MalformedLine, cells_of, parse_line
from node.importing.table_shape import Chunk, Format, TableShape

_TOTAL = re.compile(r"\s*(?:合\s*计|小\s*计|总\s*计|累\s*计|(?:sub|grand )?total|sum)\b.*", re.I | re.S)


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that could not be read: why, and the cells as far as they are known."""

    row: int
    kind: str
    detail: str
    cells: list[str]


@dataclass(slots=True)
class ChunkRows:
    """The rows of a chunk; `numbers` are the row numbers of `cells`, `recoded` those of another
    encoding, `totals` the rows that sum others up."""

    cells: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    recoded: dict[int, str] = field(default_factory=dict)
    refused: list[RefusedRow] = field(default_factory=list)
    totals: list[tuple[int, list[str]]] = field(default_factory=list)


def parse_chunk(chunk: Chunk, shape: TableShape) -> ChunkRows:
    """Return the rows of a chunk; never raise for what stands in it."""
    rows = ChunkRows()
    if shape.format == Format.XLSX:
        width = len(shape.columns)
        for row, cells in enumerate(chunk.cells, start=chunk.first_row):
            _sort_in(rows, row, [*cells[:width], *[""] * (width - len(cells))], width)
        return rows
    encoding = "utf-8" if shape.encoding.startswith("utf-16") else shape.encoding
    decoded = decode_lines(chunk.raw, encoding)
    for row, line in enumerate(decoded, start=chunk.first_row):
        if line.other:
            rows.recoded[row] = line.other
    if shape.format == Format.NDJSON:
        _take_objects(rows, decoded, chunk.first_row, shape)
    else:
        _take_records(rows, decoded, chunk.first_row, shape)
    return rows


def _take_records(
    rows: ChunkRows, decoded: list[DecodedLine], first_row: int, shape: TableShape
) -> None:
    width = len(shape.columns)
    texts = [line.text or "" for line in decoded]
    split = split_records(texts, shape.delimiter)
    for row, (line, cells) in enumerate(zip(decoded, split, strict=True), start=first_row):
        if line.text is None:
            rows.refused.append(RefusedRow(row, "undecodable", "", []))
        elif cells is None:
            rows.refused.append(RefusedRow(row, "malformed_row", "引号不成对 unmatched quotes", []))
        else:
            _sort_in(rows, row, cells, width)


def _sort_in(rows: ChunkRows, row: int, cells: list[str], width: int) -> None:
    """Put one row where it belongs: good, blank, a total, or of the wrong width."""
    first = cells[0] if cells else ""
    if len(cells) == width and first and not _TOTAL.fullmatch(first):
        rows.cells.append(cells)
        rows.numbers.append(row)
        return
    filled = [cell for cell in cells if cell.strip()]
    if not filled:
        return
    surplus_is_blank = len(cells) > width and not "".join(cells[width:]).strip()
    if _TOTAL.fullmatch(filled[0]):
        rows.totals.append((row, cells))
    elif len(cells) == width or surplus_is_blank:
        rows.cells.append(cells[:width])
        rows.numbers.append(row)
    else:
        detail = f"{len(cells)} ≠ {width}"
        rows.refused.append(RefusedRow(row, "column_shift", detail, cells))


def _take_objects(
    rows: ChunkRows, decoded: list[DecodedLine], first_row: int, shape: TableShape
) -> None:
    keys = [column.title for column in shape.columns]
    for row, line in enumerate(decoded, start=first_row):
        if line.text is None:
            rows.refused.append(RefusedRow(row, "undecodable", "", []))
            continue
        if not line.text.strip():
            continue
        try:
            cells = cells_of(parse_line(line.text), keys)
        except MalformedLine as error:
            rows.refused.append(RefusedRow(row, "malformed_row", str(error), []))
            continue
        rows.cells.append(cells)
        rows.numbers.append(row)
