"""XLSX: inspect the package before anything parses it, then read the first sheet as texts.

Invariants: no XML reaches the parser before every member was unpacked once, counted against the
limits and searched for DTDs (no entity is ever expanded, no external one fetched); formulas are
read as their cached value, never evaluated; cells come out as texts, numbers without an exponent.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from node.errors import InvalidInput, LimitExceeded
from node.importing.limits import Limits

_BLOCK = 1 << 16
_OVERLAP = 32
_DTD = (b"<!DOCTYPE", b"<!ENTITY")
_WIDE_DTD = tuple(
    mark.decode().encode(wide) for mark in _DTD for wide in ("utf-16-le", "utf-16-be")
)

Cell = int | float | str | bool | time | date | datetime | timedelta


def inspect_package(path: Path, limits: Limits) -> None:
    """Unpack the package once to nowhere; raise InvalidInput or LimitExceeded if it is unfit.

    Refused: more members or bytes than allowed, a ratio above `limits.ratio`, encryption, damaged
    members, any DTD.
    """
    packed = max(path.stat().st_size, 1)
    allowed = min(limits.unpacked, packed * limits.ratio)
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
            if len(members) > limits.members:
                raise _bomb(f"{len(members)} members")
            for member in members:
                allowed -= _inspect_member(package, member, allowed)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise _damaged() from error
    except (ValueError, RuntimeError) as error:
        raise InvalidInput(
            "XLSX 文件已加密或已损坏", "The XLSX is encrypted or damaged", code="xlsx"
        ) from error


def _inspect_member(package: zipfile.ZipFile, member: zipfile.ZipInfo, allowed: int) -> int:
    size, tail = 0, b""
    with package.open(member) as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > allowed:
                raise _bomb(member.filename[:80])
            window = tail + block
            if any(mark in window for mark in (*_DTD, *_WIDE_DTD)):
                raise InvalidInput(
                    "XLSX 中含 XML 实体或 DTD,已拒绝", "The XLSX contains a DTD", code="xml_dtd"
                )
            tail = block[-_OVERLAP:]
    return size


def _bomb(what: str) -> LimitExceeded:
    return LimitExceeded(
        f"XLSX 解压后过大或压缩比过高,已拒绝({what})",
        f"The XLSX unpacks to too much ({what})",
        code="decompression",
    )


def _damaged() -> InvalidInput:
    return InvalidInput("XLSX 文件已损坏", "The XLSX is damaged", code="xlsx")


def read_sheet(path: Path, limits: Limits) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the first sheet as texts, from row 1; raise InvalidInput, LimitExceeded.

    Call `inspect_package` first. The whole sheet is held in memory by the parser while it is read.
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
        raise _damaged() from error


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
