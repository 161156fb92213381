"""Write 附件9 项目建设绩效目标表 as an office uses it: DOCX and XLSX.

Invariants: wording and order are the guideline's; every field says something, 「无」 when nobody
filled it in; the stamp's place stays empty.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import xlsxwriter
from docx.document import Document

from admin.acceptance.documents import word_file
from admin.acceptance.documents.form_rows import NONE, FormRow, fill_rows, form_title
from admin.acceptance.documents.svg import printable
from admin.acceptance.documents.word_file import add_table, add_text, fill
from admin.acceptance.report import Report

COLUMNS = ("一级指标", "二级指标", "三级指标", "预期指标目标值", "指标完成情况")
_WIDTHS_MM = (22, 24, 50, 26, 40)
_WIDTHS_CHARACTERS = (11, 14, 36, 18, 34)
_LINE_POINTS = 16
_REMARK = "备注：其他指标由企业根据项目情况自行制定填报（表格可自行添加）。"


@dataclass(frozen=True, slots=True)
class _Span:
    """A cell that spans rows, and two columns where a row has no second level."""

    first: int
    last: int
    column: int
    last_column: int
    text: str


def indicators_docx(report: Report, made: datetime) -> bytes:
    """Return 附件9 as DOCX."""
    author = printable(report.project.applicant)
    document = word_file.new_document(f"附件9 {form_title()}", author, made)
    add_text(document, "附件9", "附件号")
    add_text(document, form_title(), "表题")
    for line in _identity(report):
        add_text(document, line, "表文")
    add_indicator_table(document, fill_rows(report))
    add_text(document, _REMARK, "表文")
    return word_file.docx_bytes(document)


def _identity(report: Report) -> tuple[str, str]:
    project = report.project
    name = printable(project.name).strip() or NONE
    return f"项目名称：{name}", f"申报单位（盖章）：{printable(project.applicant).strip() or NONE}"


def add_indicator_table(document: Document, rows: Sequence[FormRow]) -> None:
    """Append the table of all rows to a document."""
    table = add_table(document, _WIDTHS_MM, len(rows) + 1)
    # A table finds a cell by walking all of them; its rows are asked once.
    cells = [row.cells for row in table.rows]
    for column, title in enumerate(COLUMNS):
        fill(cells[0][column], title, "表头")
    word_file.repeat_head(table)
    for place, row in enumerate(rows, start=1):
        fill(cells[place][2], row.third)
        fill(cells[place][3], row.target, "表文居中")
        fill(cells[place][4], row.done)
    for span in _spans(rows):
        last = cells[span.last + 1][span.last_column]
        fill(cells[span.first + 1][span.column].merge(last), span.text, "表文居中")


def _spans(rows: Sequence[FormRow]) -> Iterator[_Span]:
    numbered = list(enumerate(rows))
    for (first, second), members in groupby(numbered, lambda one: (one[1].first, one[1].second)):
        places = [place for place, _ in members]
        if second:
            yield _Span(places[0], places[-1], 1, 1, second)
        else:
            yield _Span(places[0], places[-1], 0, 1, first)
    for first, members in groupby(numbered, lambda one: one[1].first):
        run = list(members)
        if run[0][1].second:
            yield _Span(run[0][0], run[-1][0], 0, 0, first)


def indicators_xlsx(report: Report, made: datetime) -> bytes:
    """Return 附件9 as XLSX, ready to print on A4; every cell is text."""
    rows, out, top = fill_rows(report), io.BytesIO(), 5
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        author = printable(report.project.applicant)
        book.set_properties({"title": f"附件9 {form_title()}", "author": author, "created": made})
        sheet = book.add_worksheet("附件9")
        sheet.set_default_row(_LINE_POINTS + 4)
        song, black = {"font_name": "仿宋", "font_size": 12}, {"font_name": "黑体", "font_size": 12}
        ruled = {"border": 1, "text_wrap": True, "valign": "vcenter"}
        text = book.add_format({**song, **ruled})
        middle = book.add_format({**song, **ruled, "align": "center"})
        head = book.add_format({**black, **ruled, "align": "center"})
        title = book.add_format({**black, "font_size": 22, "align": "center", "valign": "vcenter"})
        for column, width in enumerate(_WIDTHS_CHARACTERS):
            sheet.set_column(column, column, width)
        sheet.write_string(0, 0, "附件9", book.add_format({**black, "font_size": 16}))
        sheet.merge_range(1, 0, 1, 4, "", title)
        sheet.write_string(1, 0, form_title(), title)
        sheet.set_row(1, 36)
        for place, line in enumerate(_identity(report), start=2):
            sheet.write_string(place, 0, line, book.add_format(song))
        for column, name in enumerate(COLUMNS):
            sheet.write_string(top - 1, column, name, head)
        for place, row in enumerate(rows, start=top):
            sheet.write_string(place, 2, row.third, text)
            sheet.write_string(place, 3, row.target, middle)
            sheet.write_string(place, 4, row.done, text)
            sheet.set_row(place, _LINE_POINTS * _lines(row) + 4)
        for span in _spans(rows):
            first, last = top + span.first, top + span.last
            sheet.merge_range(first, span.column, last, span.last_column, "", middle)
            sheet.write_string(first, span.column, span.text, middle)
        sheet.write_string(top + len(rows), 0, _REMARK, book.add_format(song))
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(top - 1)
        sheet.set_margins(left=0.6, right=0.6)
        sheet.set_footer("&C&P / &N")
    return out.getvalue()


def _lines(row: FormRow) -> int:
    """Return how many lines the tallest cell takes: rows of merged cells do not grow alone."""
    cells = zip((row.third, row.target, row.done), _WIDTHS_CHARACTERS[2:], strict=True)
    return max(-(-2 * len(text) // (width - 2)) or 1 for text, width in cells)
