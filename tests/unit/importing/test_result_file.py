"""The file given back: the same rows, three more columns, and no live formula."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from node.importing.limits import Limits
from node.importing.result_file import (
    Language,
    RowResult,
    formula_safe,
    write_result,
)
from node.importing.table_reader import Table, open_table
from node.importing.xlsx_reader import read_sheet
from tests.unit.importing.batch_rows import VALID, analysed, csv_text, identifier, row, stored

RESULTS = [RowResult(2, "已登记", "", ""), RowResult(3, "已拒绝", "第 3 行:原因,甲", "net_kg=1")]
TWO = (row(), row(handle=identifier(2)))


def written(table: Table, results: list[RowResult] = RESULTS) -> bytes:
    target = table.path.with_name("result")
    write_result(table, results, target)
    return target.read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_comes_back_in_its_own_form_with_three_columns(
    tmp_path: Path, encoding: str, delimiter: str, end: str
) -> None:
    source = csv_text(*TWO, delimiter=delimiter, end=end)
    data = written(stored(tmp_path, source.encode(encoding)))
    assert data[:2] == source.encode(encoding)[:2]
    lines = data.decode(encoding).split(end)
    titles, first, second, rest = lines
    assert [titles, first] == [
        source.split(end)[0] + delimiter + delimiter.join(["状态", "原因", "建议"]),
        source.split(end)[1] + delimiter + "已登记" + delimiter * 2,
    ]
    assert second.startswith(source.split(end)[2])
    assert rest == ""
    (fields,) = csv.reader([second], delimiter=delimiter)
    assert fields[-3:] == ["已拒绝", "第 3 行:原因,甲", "net_kg=1"]


def test_rows_without_result_get_empty_cells(tmp_path: Path) -> None:
    source = "登记表\n" + csv_text(row()) + "合计\n"
    text = written(stored(tmp_path, source), [RowResult(3, "已登记", "", "")]).decode()
    lines = text.splitlines()
    assert lines[0] == "登记表,,,"
    assert lines[1].endswith(",状态,原因,建议")
    assert lines[2].endswith(",已登记,,")
    assert lines[3] == "合计,,,"


def test_last_line_without_end_gets_the_end_of_the_file(tmp_path: Path) -> None:
    source = csv_text(row(), end="\r\n").removesuffix("\r\n")
    assert written(stored(tmp_path, source), RESULTS[:1]).endswith("已登记,,\r\n".encode())


def test_row_in_another_encoding_comes_back_in_that_of_the_file(tmp_path: Path) -> None:
    header, first = csv_text(row()).splitlines(keepends=True)
    data = (header + first * 2).encode() + first.encode("gb18030")
    lines = written(stored(tmp_path, data), []).decode().splitlines()
    assert lines[3] == lines[1]


def test_formulas_in_echoed_cells_are_disarmed_and_figures_stay(tmp_path: Path) -> None:
    source = csv_text(row(lot_no="=cmd|' /c calc'!A1", fe_pct="-0.5", plant="x") | {})
    text = written(stored(tmp_path, source), []).decode()
    fields = list(csv.reader(io.StringIO(text)))[1]
    assert fields[list(VALID).index("lot_no")] == "'=cmd|' /c calc'!A1"
    assert fields[list(VALID).index("fe_pct")] == "-0.5"


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "\0="]
)
def test_no_text_starts_a_formula(start: str) -> None:
    assert formula_safe(f"{start}HYPERLINK(1)").startswith("'")


@pytest.mark.parametrize("number", ["-1", "+1.5", "-1,000.00", "-5%", "1E+5", "-"])
def test_figures_are_no_formulas(number: str) -> None:
    assert formula_safe(number) == (number if number != "-" else "'-")


@settings(deadline=None)
@given(st.text())
def test_safe_text_is_safe_and_stays_so(text: str) -> None:
    assert formula_safe(formula_safe(text)) == formula_safe(text)


def test_ndjson_gets_three_keys_and_broken_lines_are_kept(tmp_path: Path) -> None:
    source = json.dumps(VALID, ensure_ascii=False) + "\n{broken\n"
    table = stored(tmp_path, source)
    results = [RowResult(1, "已登记", "", ""), RowResult(2, "已拒绝", "坏", "")]
    first, second = [json.loads(line) for line in written(table, results).splitlines()]
    assert first == {**VALID, "状态": "已登记", "原因": "", "建议": ""}
    assert second == {"raw": "{broken", "状态": "已拒绝", "原因": "坏", "建议": ""}


def test_xlsx_comes_back_as_text_cells(tmp_path: Path) -> None:
    source = tmp_path / "f.xlsx"
    with xlsxwriter.Workbook(str(source)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(VALID))
        for column, text in enumerate(row(lot_no="011040").values()):
            sheet.write_string(1, column, text)
    table = open_table(source, "f.xlsx", Limits())
    target = tmp_path / "result.xlsx"
    write_result(table, [RowResult(2, "已拒绝", "=1+1", "")], target)
    titles, cells = list(read_sheet(target, Limits()))
    assert titles[-3:] == ("状态", "原因", "建议")
    assert cells[list(VALID).index("lot_no")] == "011040"
    assert cells[-3:] == ("已拒绝", "'=1+1", "")


def test_english_titles_may_be_asked_for(tmp_path: Path) -> None:
    table = stored(tmp_path, csv_text(row()))
    write_result(table, [], tmp_path / "result", language=Language.EN)
    assert (tmp_path / "result").read_text("utf-8").startswith(",".join(VALID) + ",Status,Reason")


def test_result_file_may_be_corrected_and_uploaded_again(tmp_path: Path) -> None:
    again = stored(tmp_path, written(stored(tmp_path, csv_text(*TWO))), "again.csv")
    drafts = [d for analysis in analysed(again) for d in analysis.drafts]
    assert [d.findings for d in drafts] == [[], []]
