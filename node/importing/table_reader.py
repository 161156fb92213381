"""Open an uploaded file of rows, whatever its format, and hand it out in chunks.

Invariants: the format is decided by content, never by the file's name; nothing is read beyond the
limits; row numbers are those Excel shows (the first record of the file is row 1; blank and title
rows count); a chunk is picklable and is parsed by whoever analyses it (`chunk_rows.parse_chunk`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from node.errors import InvalidInput, LimitExceeded
from node.importing.csv_reader import read_lines, read_records
from node.importing.dialect import (
    HEADER_SEARCH_ROWS,
    Header,
    checked,
    columns_of,
    find_csv_header,
    find_sheet_header,
)
from node.importing.encoding import decode_lines, detect_encoding
from node.importing.limits import Limits
from node.importing.ndjson_reader import MalformedLine, keys_of
from node.importing.table_shape import Chunk, Column, Format, TableShape
from node.importing.xlsx_package import inspect_package
from node.importing.xlsx_reader import read_sheet

__all__ = ["Chunk", "Column", "Limits", "Table", "TableShape", "open_table"]

_ZIP, _OLD_EXCEL, _PDF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"


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

    def records(self) -> Iterator[bytes]:
        """Yield every raw record of a CSV or NDJSON file from row 1; UTF-16 comes as UTF-8."""
        if self.shape.format == Format.NDJSON:
            return read_lines(self.path, self.encoding, self.limits)
        return read_records(self.path, self.encoding, self.delimiter, self.limits)

    def chunks(self, size: int = 2_000) -> Iterator[Chunk]:
        """Yield the data rows in file order, at most `size` per chunk; raise LimitExceeded."""
        first = self.shape.header_row
        if self.shape.format == Format.XLSX:
            cells = islice(read_sheet(self.path, self.limits), first, None)
            while taken := tuple(islice(cells, size)):
                yield Chunk(first + 1, cells=taken)
                first += len(taken)
            return
        records = islice(self.records(), first, None)
        while raw := tuple(islice(records, size)):
            if first + len(raw) > self.limits.rows + self.shape.header_row:
                raise _too_many_rows(self.limits)
            yield Chunk(first + 1, raw=raw)
            first += len(raw)


def open_table(path: Path, filename: str, limits: Limits) -> Table:
    """Recognise the file's format, encoding, dialect and header.

    Raise InvalidInput when it is no table or misses a needed column, LimitExceeded when it is
    larger than `limits` allow. `filename` is for people only.
    """
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise LimitExceeded(
            f"文件超过 {limits.file_bytes} 字节",
            f"The file is larger than {limits.file_bytes} bytes",
            code="file_size",
        )
    with path.open("rb") as file:
        start = file.read(512)
    return Table(path, filename, _shape_of(path, start, limits), limits)


def _shape_of(path: Path, start: bytes, limits: Limits) -> TableShape:
    if start.startswith(_ZIP):
        return _xlsx_shape(path, limits)
    if start.startswith((_OLD_EXCEL, _PDF)):
        raise InvalidInput(
            "不支持此格式,请另存为 XLSX 或 CSV 后重试",
            "This format is not supported; save the file as XLSX or CSV",
            code="file_format",
        )
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return _ndjson_shape(path, limits)
    return _csv_shape(path, limits)


def _xlsx_shape(path: Path, limits: Limits) -> TableShape:
    inspect_package(path, limits)
    rows = list(islice(read_sheet(path, limits), HEADER_SEARCH_ROWS))
    header = find_sheet_header(rows, limits)
    return TableShape(Format.XLSX, header.columns, "", "", "", header.row, limits.cell_bytes)


def _csv_shape(path: Path, limits: Limits) -> TableShape:
    encoding = detect_encoding(path, limits)
    # Delimiters matter for records only inside quotes; the comma serves until one is known.
    records = tuple(islice(read_records(path, encoding, ",", limits), HEADER_SEARCH_ROWS))
    decoded = decode_lines(records, encoding)
    header = find_csv_header([text or "" for text in decoded.texts], limits)
    line_end = "\r\n" if records[header.row - 1].endswith(b"\r\n") else "\n"
    return TableShape(
        Format.CSV,
        header.columns,
        encoding,
        header.delimiter,
        line_end,
        header.row,
        limits.cell_bytes,
    )


def _ndjson_shape(path: Path, limits: Limits) -> TableShape:
    encoding = detect_encoding(path, limits)
    first = next((line for line in read_lines(path, encoding, limits) if line.strip()), b"")
    text = decode_lines((first,), encoding).texts[0] or ""
    try:
        columns = columns_of(keys_of(text))
    except MalformedLine as error:
        raise InvalidInput(
            f"首行不是有效的 JSON 对象:{error}",
            f"The first line is no JSON object: {error}",
            code="json",
        ) from None
    if len(columns) > limits.columns:
        raise LimitExceeded(
            f"列数超过 {limits.columns}", f"More than {limits.columns} columns", code="columns"
        )
    known = sum(column.attribute is not None for column in columns)
    checked(Header(0, columns), known)
    return TableShape(Format.NDJSON, columns, encoding, "", "\n", 0, limits.cell_bytes)


def _too_many_rows(limits: Limits) -> LimitExceeded:
    return LimitExceeded(f"超过 {limits.rows} 行", f"More than {limits.rows} rows", code="rows")
