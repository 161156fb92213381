"""Give the uploaded file back with three more columns: 状态, 原因, 建议.

CSV keeps its bytes record by record (encoding, delimiter, line ends); only what would be unsafe or
unreadable is written anew. XLSX is written with text cells, NDJSON gets three more keys.

Invariants: rows keep their order and their number; no cell that this file adds or echoes starts a
formula in a spreadsheet (OWASP CSV injection); a figure such as -0.5 is no formula and stays.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path

import msgspec
import xlsxwriter

from node.importing.csv_reader import join_fields, split_record
from node.importing.encoding import UTF8_BOM, decode_lines
from node.importing.header_aliases import RESULT_TITLES
from node.importing.table_reader import Table
from node.importing.table_shape import Format
from node.importing.xlsx_reader import read_sheet

_FORMULA = re.compile(r"[\s\0]*[=+\-@＝＋－＠]|[\t\r\n\0]")
_NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d+)?%?", re.ASCII)
_XLSX_CELL = 32_767
_KEPT_TAILS = 1_000


class Language(StrEnum):
    """Language of the added columns."""

    ZH = "zh"
    EN = "en"


_TITLES = dict(zip((Language.ZH, Language.EN), RESULT_TITLES, strict=True))


class RowResult(msgspec.Struct, frozen=True, gc=False):
    """The three added cells of one row; `row` as Excel shows it."""

    row: int
    status: str
    reason: str
    suggestion: str


def write_result(
    table: Table, results: Iterable[RowResult], target: Path, *, language: Language = Language.ZH
) -> None:
    """Write `table` to `target` in its own format with the three columns.

    `results` come in ascending row order; rows without a result (titles, blanks, totals) get empty
    cells. A record no encoding reads is echoed with replacement characters.
    """
    match table.shape.format:
        case Format.XLSX:
            _write_xlsx(table, results, target, _TITLES[language])
        case Format.NDJSON:
            _write_ndjson(table, results, target, _TITLES[language])
        case Format.CSV:
            _write_csv(table, results, target, _TITLES[language])


def formula_safe(text: str) -> str:
    """Return a cell text that no spreadsheet takes for a formula: a ' is put before it."""
    if text and _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text.replace("\0", "")
    return text


def _by_row(results: Iterable[RowResult], titles: tuple[str, ...], header: int) -> _Added:
    first = [RowResult(header, *titles)] if header else []
    return _Added(chain(first, results))


class _Added:
    """The added cells in row order: ask with ascending row numbers."""

    def __init__(self, results: Iterable[RowResult]) -> None:
        self._results: Iterator[RowResult] = iter(results)
        self._next = next(self._results, None)

    def of(self, row: int) -> tuple[str, str, str]:
        """Return the three cells of a row, empty ones when there is no result for it."""
        while self._next is not None and self._next.row < row:
            self._next = next(self._results, None)
        found = self._next
        if found is None or found.row != row:
            return "", "", ""
        return (
            formula_safe(found.status),
            formula_safe(found.reason),
            formula_safe(found.suggestion),
        )


def _write_csv(
    table: Table, results: Iterable[RowResult], target: Path, titles: tuple[str, ...]
) -> None:
    shape = table.shape
    added = _by_row(results, titles, shape.header_row)
    tails: dict[tuple[str, str, str], str] = {}
    starts = _formula_starts(shape.delimiter)
    wide = shape.encoding.startswith("utf-16")
    writing = "utf-8" if shape.encoding == UTF8_BOM else shape.encoding
    reading = "utf-8" if wide else shape.encoding
    with target.open("wb") as file:
        file.write(_byte_order_mark(shape.encoding))
        for row, record in enumerate(table.records(), start=1):
            text, same = _decoded(record, reading)
            body, line_end = _without_line_end(text, shape.line_end)
            safe = _safe_record(body, shape.delimiter) if starts(body) else body
            cells = added.of(row)
            # Most rows have the same three cells.
            if (tail := tails.get(cells)) is None:
                tail = shape.delimiter + join_fields(cells, shape.delimiter)
                if len(tails) < _KEPT_TAILS:
                    tails[cells] = tail
            if same and not wide and safe is body:
                file.write(record[: len(record) - len(_line_end_of(record))])
                file.write((tail + line_end).encode(writing, "replace"))
            else:
                file.write((safe + tail + line_end).encode(writing, "replace"))


def _byte_order_mark(encoding: str) -> bytes:
    marks = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    return codecs.BOM_UTF8 if encoding == UTF8_BOM else marks.get(encoding, b"")


def _decoded(record: bytes, encoding: str) -> tuple[str, bool]:
    """Return a record as text, and whether it was in the file's own encoding."""
    decoded = decode_lines((record,), encoding)
    text = decoded.texts[0]
    if text is None:
        return record.decode("utf-8", "replace"), False
    return text, not decoded.others


def _line_end_of(record: bytes) -> bytes:
    return b"\r\n" if record.endswith(b"\r\n") else b"\n" if record.endswith(b"\n") else b""


def _without_line_end(text: str, default: str) -> tuple[str, str]:
    for end in ("\r\n", "\n"):
        if text.endswith(end):
            return text[: -len(end)], end
    return text, default


def _formula_starts(delimiter: str) -> Callable[[str], bool]:
    """Return a function that tells whether a field of a record may start a formula."""
    start = r'"?\s*[=+\-@＝＋－＠\t\r\0]'
    first = re.compile(start).match
    # A search for a pattern that begins with one character is three times as quick as for two.
    further = re.compile(re.escape(delimiter) + start).search
    return lambda body: first(body) is not None or further(body) is not None


def _safe_record(body: str, delimiter: str) -> str:
    """Return the record with formulas disarmed; a record without any is returned as it is."""
    fields = split_record(body, delimiter)
    if fields is None:
        return formula_safe(body)
    safe = [formula_safe(field) for field in fields]
    return body if safe == fields else join_fields(safe, delimiter)


def _write_ndjson(
    table: Table, results: Iterable[RowResult], target: Path, titles: tuple[str, ...]
) -> None:
    added = _by_row(results, titles, 0)
    with target.open("w", encoding="utf-8", newline="\n") as file:
        for row, record in enumerate(table.records(), start=1):
            text, _ = _decoded(record, table.shape.encoding)
            line = text.strip()
            if line:
                cells = dict(zip(titles, added.of(row), strict=True))
                file.write(_with_keys(line, json.dumps(cells, ensure_ascii=False)))
            file.write("\n")


def _with_keys(line: str, added: str) -> str:
    """Return a line with three keys more; a line that is no object becomes the text of one."""
    if not (line.startswith("{") and line.endswith("}")):
        return f'{{"raw": {json.dumps(line, ensure_ascii=False)}, {added[1:]}'
    inner = line[1:-1].rstrip()
    return f"{{{inner}{', ' if inner else ''}{added[1:]}"


def _write_xlsx(
    table: Table, results: Iterable[RowResult], target: Path, titles: tuple[str, ...]
) -> None:
    added = _by_row(results, titles, table.shape.header_row)
    width = len(table.shape.columns)
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(target), options) as book:
        sheet = book.add_worksheet("result")
        for row, cells in enumerate(read_sheet(table.path, table.limits), start=1):
            padded = (*cells[:width], *[""] * (width - len(cells)), *added.of(row))
            for column, text in enumerate(padded):
                if text:
                    sheet.write_string(row - 1, column, formula_safe(text)[:_XLSX_CELL])
