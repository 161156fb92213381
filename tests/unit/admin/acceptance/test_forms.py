"""附件9 and 附件10: the form's own wording, what fills which row, the limit of 200 characters."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import docx
import openpyxl
import pytest
from docx.document import Document
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from admin.acceptance.documents.application_form import application_docx
from admin.acceptance.documents.entries import LONGEST, known_indicators, known_texts
from admin.acceptance.documents.form_rows import (
    GOAL_SUFFIX,
    NONE,
    fill_rows,
    indicator_names,
)
from admin.acceptance.documents.form_texts import form_texts
from admin.acceptance.documents.indicators_form import indicators_docx, indicators_xlsx
from admin.acceptance.project import commented_project, parse_project
from admin.acceptance.report import Report
from node.errors import InvalidInput
from tests.acceptance_reports import sample_project, sample_report

MADE = datetime(2026, 11, 20, 10, 0)  # noqa: DTZ001 - a document's date has no zone
HOSTILE = "=HYPERLINK(1)\x00\u202e<w:t>&"


def opened(data: bytes) -> Document:
    return docx.Document(io.BytesIO(data))


def text_of(document: Document) -> str:
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def done(report: Report) -> dict[str, str]:
    return {row.third: row.done for row in fill_rows(report)}


def report_with(**entered: str) -> Report:
    return sample_report(project=sample_project(indicators=entered))


def test_the_rows_are_those_of_the_form_in_its_order() -> None:
    rows = fill_rows(sample_report())
    groups = [row.second or row.first for row in rows]
    assert [groups.count(name) for name in dict.fromkeys(groups)] == [4, 5, 4, 5, 5, 3, 10]
    assert rows[0].third == "指标1:数字化、智能化生产设备数量"
    assert "指标2:实现生产全流程智能化管理。" in done(sample_report())
    assert rows[-1].third == "与二级节点对账差异（条）"


def test_no_field_is_empty_and_nothing_known_is_left_out() -> None:
    rows = fill_rows(report_with())
    assert all(row.target and row.done and row.third and row.first for row in rows)
    filled = done(report_with())
    assert filled["标识注册量（万条）"] == "31.9362"
    assert filled["标识解析量（万次）"] == "5.7318"
    assert filled["同步时延P95（秒）"] == "1.812"
    assert filled["指标3:网络化制造资源协同云平台采购数量"] == NONE


def test_thresholds_are_the_targets_of_the_added_rows() -> None:
    targets = {row.third: row.target for row in fill_rows(sample_report())}
    assert targets["标识注册量（万条）"] == "≥30"
    assert targets["标识解析量（万次）"] == "≥5"
    assert targets["同步时延P95（秒）"] == "≤5"
    assert targets["与二级节点对账差异（条）"] == "=0"


def test_what_a_person_entered_stands_and_a_bare_number_gets_its_unit() -> None:
    name = "生产设备联网率"
    rows = fill_rows(report_with(**{name: "96", name + GOAL_SUFFIX: "90", "标识注册量": "约32万"}))
    row = next(row for row in rows if row.third.endswith(name))
    assert (row.target, row.done) == ("≥90%", "96%")


def test_each_row_can_be_entered_by_its_name() -> None:
    for name in indicator_names():
        filled = fill_rows(report_with(**{name: "良好", name + GOAL_SUFFIX: "优"}))
        assert [(row.target, row.done) for row in filled].count(("优", "良好")) == 1


def test_a_contradiction_is_not_called_passed() -> None:
    assert done(sample_report())["日志存证完整性校验"] == "通过"
    assert done(sample_report(differences=3))["日志存证完整性校验"] == "未通过"


@given(short=st.integers(-2, 2))
def test_drafts_say_met_exactly_when_the_target_is_reached(short: int) -> None:
    report = sample_report(r3=300_000 - short, net=50_000 - short, p95_ms=5_000 + short)
    text = form_texts(report)["goals_done"]
    assert text.count("达标") == 3
    assert text.count("未达标") == (3 if short > 0 else 0)


@pytest.mark.parametrize("name", ["plan", "plan_done", "goals", "goals_done"])
def test_a_text_of_201_characters_stops_the_form_and_200_do_not(name: str) -> None:
    for length in (LONGEST, LONGEST + 1):
        report = sample_report(project=sample_project(forms={name: "字" * length}))
        if length == LONGEST:
            assert form_texts(report)[name] == "字" * LONGEST
        else:
            with pytest.raises(InvalidInput) as caught:
                application_docx(report, MADE)
            assert [problem.field for problem in caught.value.problems] == [f"forms.{name}"]


def test_signature_stamp_and_judgement_stay_empty() -> None:
    text = text_of(opened(application_docx(sample_report(), MADE)))
    for line in ("单位负责人（签字）：", "盖章（公章）：", "        年    月    日"):
        assert line in text.splitlines()
    for heading in ("一、", "二、项目绩效目标完成情况表", "三、其它相关材料"):
        assert heading in text
    assert "工业互联网标识解析企业节点项目" in text


def test_what_is_not_entered_says_none() -> None:
    report = sample_report(project=sample_project(forms={}))
    texts = form_texts(report)
    assert {texts[name] for name in ("plan", "goals", "planned_investment", "vouchers")} == {NONE}


def test_fonts_are_named_for_chinese_text() -> None:
    package = zipfile.ZipFile(io.BytesIO(application_docx(sample_report(), MADE)))
    styles = package.read("word/styles.xml").decode()
    for font in ("仿宋", "黑体", "楷体"):
        assert f'w:eastAsia="{font}"' in styles
    # 3号 is 16 points; sizes are written in half points.
    assert '<w:sz w:val="32"/>' in styles


def test_the_entries_of_a_form_have_a_date_of_no_meaning() -> None:
    package = zipfile.ZipFile(io.BytesIO(application_docx(sample_report(), MADE)))
    assert {entry.date_time[0] for entry in package.infolist()} == {1980}


def test_hostile_texts_stay_text_in_the_forms() -> None:
    project = sample_project(
        name=HOSTILE, applicant=HOSTILE, indicators={"生产设备联网率": HOSTILE}
    )
    report = sample_report(project=project)
    report = replace(report, files=tuple(replace(one, path=HOSTILE) for one in report.files))
    shown = "=HYPERLINK(1)\ufffd\ufffd<w:t>&"
    for data in (indicators_docx(report, MADE), application_docx(report, MADE)):
        assert shown in text_of(opened(data))
    book = openpyxl.load_workbook(io.BytesIO(indicators_xlsx(report, MADE)))
    cells = [cell for row in book["附件9"].iter_rows() for cell in row if cell.value is not None]
    assert shown in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells} == {"s"}


def test_the_project_file_to_begin_with_names_every_row_and_is_accepted() -> None:
    text = commented_project()
    assert all(f'# "{name}" = ""' in text for name in indicator_names())
    assert set(parse_project(text).project.forms) == known_texts()
    entered = text.replace('# "', '"')
    assert set(parse_project(entered).project.indicators) < known_indicators()


def test_the_project_file_refuses_a_text_too_long_for_its_form() -> None:
    text = commented_project().replace('plan = ""', f'plan = "{"字" * 201}"')
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    assert [one.field for one in caught.value.problems] == ["forms.plan"]


def test_an_entry_that_no_paper_shows_is_refused() -> None:
    text = commented_project() + '"生产设备联网绿" = "1"\n'
    with pytest.raises(InvalidInput) as caught:
        parse_project(text)
    assert [one.field for one in caught.value.problems] == ["indicators.生产设备联网绿"]
