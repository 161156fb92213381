"""Every number that stands in a paper stands in `report.json`, or in fixed wording listed here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import docx
import openpyxl
import pytest

from admin.acceptance.documents.notation import moment, moment_of, short_date, short_digest
from admin.acceptance.documents.sections.whole import chinese_paper, english_paper
from admin.acceptance.documents.typesetting import typst_input
from admin.acceptance.documents.workbook import write_workbook
from admin.acceptance.documents.write import write_documents
from admin.acceptance.report import encode_report
from tests.acceptance_reports import sample_project, sample_report

DIGEST = "c0ffee00" * 8
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
# Numbers of the fixed wording: names of figures, sections and forms; 30 s; the odds of a sample;
# the 200 characters; weekday and hour in the titles of squares.
FIXED_TEXTS = (
    "SHA-256", "附件9", "附件10", "P50", "P95", "P99", "R0", "R1", "R2", "R3", "30 秒", "30 s",
    "299 个全部正确", "1% 的把握为 95%", "2,995 个全部正确", "低于 0.1%", "all of 299", "95% sure",
    "less than 1%", "with 2,995, less than 0.1%", "200字以内", "python3",
)  # fmt: skip
SMALL_NUMBERS = {Decimal(n) for n in range(24)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("papers")
    write_documents(sample_report(), made, DIGEST)
    return made


@pytest.fixture(scope="module")
def values() -> list[object]:
    return list(leaves(json.loads(encode_report(sample_report()))))


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def whole_texts(values: Iterable[object]) -> list[str]:
    """Return the texts of the report as papers may show them, longest first."""
    texts = {DIGEST, *FIXED_TEXTS}
    for value in values:
        if isinstance(value, str) and len(value) > 3 and not NUMBER.fullmatch(value):
            forms = {value, moment(value), moment(value)[:10], short_digest(value)}
            texts |= {*forms, short_date(value), value.replace("T", " ") + ":00"}
    return sorted(texts, key=len, reverse=True)


def written_forms(values: Iterable[object]) -> set[Decimal]:
    """Return each number of the report, as it is, in seconds (of ms) and in 万."""
    numbers = set(SMALL_NUMBERS)
    for value in values:
        if isinstance(value, int):
            exact = Decimal(abs(value))
            numbers |= {exact, exact / 1_000, exact / 10_000}
        elif isinstance(value, str) and NUMBER.fullmatch(value):
            numbers.add(Decimal(value))
    return numbers


def strangers(text: str, values: list[object]) -> list[str]:
    """Return the numbers of a text that are not in the report."""
    for known in whole_texts(values):
        text = text.replace(known, " ")
    known_numbers = written_forms(values)
    found = NUMBER.findall(text)
    return [one for one in found if Decimal(one.replace(",", "")) not in known_numbers]


class PageText(HTMLParser):
    """Text, titles and labels of a page, without its style sheet and the ticks of scales."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._silent = tag == "style" or "tick" in (named.get("class") or "").split()
        self.parts.append(named.get("aria-label") or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def test_a_number_that_is_not_in_the_report_is_found(values: list[object]) -> None:
    assert strangers("319,362 个，P95 1.812 秒，31.9362 万", values) == []
    assert strangers("319,363 个，1.813 秒，92.51%", values) == ["319,363", "1.813", "92.51"]


def test_numbers_of_the_page_are_in_the_report(folder: Path, values: list[object]) -> None:
    reader = PageText()
    reader.feed((folder / "report.html").read_text("utf-8"))
    text = "\n".join(reader.parts)
    assert "319,362" in text
    assert strangers(text, values) == []


def test_numbers_of_the_pdf_are_in_the_report(folder: Path, values: list[object]) -> None:
    report = sample_report()
    for paper in (chinese_paper(report), english_paper(report)):
        made = json.loads(typst_input(paper, DIGEST, author=report.project.applicant))
        made.pop("qr")
        sections = made["paper"]["sections"]
        blocks = [block for section in sections for block in section["blocks"]]
        for block in blocks:
            # The same drawings as on the page; shares of bars are drawn, not written.
            block.pop("svg", None)
            block.pop("widths", None)
            bars = [n for n, one in enumerate(block.get("columns", ())) if one["align"] == "bar"]
            for row in block["rows"] if bars else ():
                row["cells"][bars[0]] = ""
        for section in sections:
            section.pop("number")
        texts = "\n".join(str(leaf) for leaf in leaves(made) if isinstance(leaf, str))
        assert "319,362" in texts
        assert strangers(texts, values) == []


def test_the_pdf_says_the_headline_figures(folder: Path) -> None:
    for name in ("report.pdf", "report-en.pdf"):
        assert (folder / name).read_bytes().startswith(b"%PDF-")
        if shutil.which("pdftotext"):
            text = subprocess.run(
                ["pdftotext", folder / name, "-"], capture_output=True, check=True, text=True
            ).stdout
            for figure in ("319,362", "57,318", "1.812", DIGEST[:16]):
                assert figure in text


@pytest.mark.parametrize("name", ["附件9.docx", "附件10.docx"])
def test_numbers_of_the_forms_are_in_the_report(
    folder: Path, values: list[object], name: str
) -> None:
    document = docx.Document(str(folder / name))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    text = "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])
    assert "31.9362" in text
    assert strangers(text, values) == []


@pytest.mark.parametrize("name", ["data.xlsx", "附件9.xlsx"])
def test_numbers_of_the_workbooks_are_in_the_report(
    folder: Path, values: list[object], name: str
) -> None:
    integers = {value for value in values if isinstance(value, int)} | {0}
    book = openpyxl.load_workbook(folder / name)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"n", "s"}
    assert {cell.value for cell in cells if isinstance(cell.value, int)} <= integers
    texts = "\n".join(cell.value for cell in cells if isinstance(cell.value, str))
    assert strangers(texts, values) == []


def test_the_workbook_has_the_ten_sheets_of_the_bundle(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "data.xlsx")
    assert book.sheetnames == [
        "汇总", "注册按日", "解析按小时", "渠道", "客户端分布", "同步时延", "对账", "抽样",
        "故障与可用率", "规则",
    ]  # fmt: skip
    assert all(sheet.max_row > 1 for sheet in book)


def test_no_cell_of_the_workbook_is_a_formula(tmp_path: Path) -> None:
    hostile = "=cmd|' /C calc'!A1\x00"
    report = sample_report(project=sample_project(name=hostile, applicant="+1+1", sln="@SUM(1)"))
    write_workbook(report, tmp_path / "data.xlsx", moment_of(report.log.as_of))
    book = openpyxl.load_workbook(tmp_path / "data.xlsx")
    texts = [cell.value for row in book["汇总"].iter_rows() for cell in row if cell.value]
    for disarmed in ("'=cmd|' /C calc'!A1\ufffd", "'+1+1", "'@SUM(1)"):
        assert disarmed in texts
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_equal_reports_give_equal_papers(folder: Path, tmp_path: Path) -> None:
    again = write_documents(sample_report(), tmp_path, DIGEST)
    assert [path.name for path in again] == [
        "report.html", "report.pdf", "report-en.pdf", "附件9.docx", "附件9.xlsx", "附件10.docx",
        "data.xlsx",
    ]  # fmt: skip
    for path in again:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
