"""XLSX: read the first sheet of an inspected package as texts.

Invariants: the package was inspected first (`xlsx_package`); formulas are read as their cached
value, never evaluated; cells come out as texts, numbers without an exponent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from node.errors import LimitExceeded
from node.importing.limits import Limits
from node.importing.xlsx_package import damaged

Cell = int | float | str | bool | time | date | datetime | timedelta


def read_sheet(path: Path, limits: Limits) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the first sheet as texts, from row 1; raise InvalidInput, LimitExceeded.

    The package must have been inspected. The parser holds the whole sheet while it is read.
    """
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            sheet = book.get_sheet_by_index(0)
            if sheet.height > limits.rows or sheet.width > limits.columns:
                raise LimitExceeded(
                    f"超过 {limits.rows} 行或 {limits.columns} 列",
                    f"More than {limits.rows} rows or {limits.columns} columns",
                    code="sheet_size",
                )
            first_row, first_column = sheet.start or (0, 0)
            yield from ((),) * first_row
            padding = ("",) * first_column
            for row in sheet.iter_rows():
                yield padding + _texts(row)
    except CalamineError as error:
        raise damaged() from error


def _texts(row: Sequence[Cell]) -> tuple[str, ...]:
    return tuple([cell if isinstance(cell, str) else cell_text(cell) for cell in row])


def cell_text(cell: Cell) -> str:
    """Return what a typed cell says: 11040.0 -> 11040, a midnight datetime -> its date."""
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case int():
            return str(cell)
        case float():
            return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime():
            return cell.isoformat(sep=" ", timespec="seconds")
        case date() | time():
            return cell.isoformat()
    return str(cell)
