"""XLSX files: typed cells come out as the texts people meant; bombs never reach the parser."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time
from pathlib import Path

import pytest
import xlsxwriter

from node.errors import InvalidInput, LimitExceeded
from node.importing.limits import Limits
from node.importing.table_reader import open_table
from node.importing.xlsx_reader import Cell, cell_text
from tests.unit.importing.batch_rows import VALID, analysed, row


def workbook(path: Path, *rows: dict[str, object]) -> Path:
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        sheet.write_string(0, 0, "批次登记表")
        for column, name in enumerate(VALID):
            sheet.write_string(1, column, name)
        for number, values in enumerate(rows, start=2):
            for column, name in enumerate(VALID):
                sheet.write(number, column, values[name])
    return path


def test_typed_cells_are_read_as_the_texts_they_show(tmp_path: Path) -> None:
    typed: dict[str, object] = {
        **row(),
        "lot_no": 202409261001,
        "produced_on": date(2024, 9, 26),
        "net_kg": 78580.0,
        "tre_pct": 51.09,
    }
    table = open_table(workbook(tmp_path / "f.xlsx", typed), "f.csv", Limits())
    ((draft,),) = [analysis.drafts for analysis in analysed(table)]
    assert (draft.row, draft.identifier, draft.findings) == (3, VALID["handle"], [])
    assert draft.attributes["lot_no"] == "202409261001"
    assert draft.attributes["produced_on"] == "2024-09-26"
    assert draft.attributes["net_kg"] == "78580"
    assert draft.attributes["tre_pct"] == "51.09"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (11040.0, "11040"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (True, "TRUE"),
        (7, "7"),
        (datetime(2026, 4, 5), "2026-04-05"),  # noqa: DTZ001 - a sheet has no zones
        (datetime(2026, 4, 5, 8, 30), "2026-04-05 08:30:00"),  # noqa: DTZ001
        (time(8, 30), "08:30:00"),
        ("011040", "011040"),
    ],
)
def test_cell_is_shown_without_exponent_or_midnight(cell: Cell, text: str) -> None:
    assert cell_text(cell) == text


def package(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_compression_bomb_is_refused_while_it_unpacks(tmp_path: Path) -> None:
    bomb = package(tmp_path / "f.xlsx", {"xl/worksheets/sheet1.xml": b"0" * 20_000_000})
    with pytest.raises(LimitExceeded) as caught:
        open_table(bomb, "f.xlsx", Limits())
    assert caught.value.code == "decompression"


@pytest.mark.parametrize(
    "prolog",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b'<!ENTITY e SYSTEM "file:///etc/passwd">',
        "<!DOCTYPE x>".encode("utf-16-le"),
        b" " * ((1 << 16) - 4) + b"<!DOCTYPE x>",
    ],
)
def test_dtd_is_refused_wherever_it_stands(tmp_path: Path, prolog: bytes) -> None:
    filler = bytes(range(256)) * 300
    path = package(tmp_path / "f.xlsx", {"xl/workbook.xml": prolog, "filler": filler})
    with pytest.raises(InvalidInput) as caught:
        open_table(path, "f.xlsx", Limits(ratio=10_000))
    assert caught.value.code == "xml_dtd"


@pytest.mark.parametrize(
    "cells",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"/></row>',
        """<x:row  r = '1048576'><x:c r='xfd1048576'/></x:row>""",
        '<row r="1048576">' + "<c/>" * 16_000 + "</row>",
        '<row r="999999999999999999"><c r="A1"/></row>',
    ],
)
def test_few_cells_that_span_a_huge_rectangle_are_refused(tmp_path: Path, cells: str) -> None:
    source = workbook(tmp_path / "good.xlsx", dict(row()))
    with zipfile.ZipFile(source) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["xl/worksheets/sheet1.xml"] = members["xl/worksheets/sheet1.xml"].replace(
        b"</sheetData>", cells.encode() + b"</sheetData>"
    )
    with pytest.raises(LimitExceeded) as caught:
        open_table(package(tmp_path / "f.xlsx", members), "f.xlsx", Limits())
    assert caught.value.code == "decompression"


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = package(tmp_path / "f.xlsx", {f"m{n}": b"" for n in range(30)})
    with pytest.raises(LimitExceeded):
        open_table(path, "f.xlsx", Limits(members=20))


def test_damaged_or_foreign_packages_are_refused(tmp_path: Path) -> None:
    good = workbook(tmp_path / "f.xlsx", dict(row())).read_bytes()
    other = package(tmp_path / "o.xlsx", {"hello.txt": b"hello"})
    for data in (good[:-200], good[:100], b"PK\x03\x04", other.read_bytes()):
        path = tmp_path / "broken.xlsx"
        path.write_bytes(data)
        with pytest.raises(InvalidInput):
            open_table(path, "broken.xlsx", Limits())


def test_sheet_with_too_many_rows_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "f.xlsx", *[dict[str, object](row())] * 20)
    with pytest.raises(LimitExceeded):
        open_table(path, "f.xlsx", Limits(rows=10))
