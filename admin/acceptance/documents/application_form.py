"""Write 附件10 验收申请报告 as an office uses it: cover, table, 附件9's table, list of material.

Invariants: signature, stamp, their dates and the summary's judgement stay empty for a person;
every other field says something, 「无」 when nobody filled it in; a text of more than 200
characters stops the form.
"""

from __future__ import annotations

from datetime import datetime

from docx.document import Document
from docx.shared import Mm
from docx.table import Table

from admin.acceptance.documents import word_file
from admin.acceptance.documents.form_rows import NONE, fill_rows
from admin.acceptance.documents.form_texts import form_texts
from admin.acceptance.documents.indicators_form import add_indicator_table
from admin.acceptance.documents.svg import printable
from admin.acceptance.documents.word_file import (
    add_space,
    add_table,
    add_text,
    fill,
    on_new_page,
)
from admin.acceptance.report import Report

_TITLE = ("稀土产业链数字化转型试点项目", "验收申请报告")
_DATE = "        年    月    日"
_REMARKS = (
    "备注：1.本报告须打印，由单位负责人签字并加盖单位公章。",
    "2.填写内容应准确、简明，不得虚报、谎报。",
    "3.各栏不得空白，没有内容的填写「无」。",
)
_TOLD = (
    ("项目主要内容及实施情况", "申报时的主要内容及实施进度计划（200字以内）：", "plan"),
    ("", "完成情况（200字以内）：", "plan_done"),
    ("项目目标和效益", "申报时的目标及预计经济效益分析（200字以内）：", "goals"),
    ("", "完成情况（200字以内）：", "goals_done"),
)
_FIRST_TOLD = 3


def application_docx(report: Report, made: datetime) -> bytes:
    """Return 附件10 as DOCX; raises InvalidInput when a text has more than 200 characters."""
    texts = form_texts(report)
    author = printable(report.project.applicant)
    document = word_file.new_document("附件10 验收申请报告", author, made)
    _cover(document, report)
    on_new_page(add_text(document, "一、项目基本情况", "一级标题"))
    _project_table(document, report, texts)
    for remark in _REMARKS:
        add_text(document, remark, "表文")
    on_new_page(add_text(document, "二、项目绩效目标完成情况表", "一级标题"))
    add_indicator_table(document, fill_rows(report))
    on_new_page(add_text(document, "三、其它相关材料", "一级标题"))
    _material(document, report, texts)
    return word_file.docx_bytes(document)


def _or_none(text: str) -> str:
    return printable(text).strip() or NONE


def _cover(document: Document, report: Report) -> None:
    add_text(document, "附件10", "附件号")
    add_space(document, 6)
    for line in _TITLE:
        add_text(document, line, "表题")
    add_space(document, 9)
    for name, value in (
        ("项目名称", _or_none(report.project.name)),
        ("申报单位（盖章）", _or_none(report.project.applicant)),
        ("申报日期", _DATE),
    ):
        field = add_text(document, f"{name}：{value}", "封面项")
        field.paragraph_format.left_indent = Mm(14)
        field.paragraph_format.space_after = Mm(4)


def _project_table(document: Document, report: Report, texts: dict[str, str]) -> None:
    table = add_table(document, (36, 45, 37, 44), _FIRST_TOLD + len(_TOLD) + 1)
    _named(table, 0, "项目名称", _or_none(report.project.name))
    _named(table, 1, "项目类别（申报时填写的类别）", _or_none(report.project.category))
    fill(table.cell(2, 0), "计划投资总额（万元）", "表头")
    fill(table.cell(2, 1), texts["planned_investment"], "表文居中")
    fill(table.cell(2, 2), "实际完成投资额（万元）", "表头")
    fill(table.cell(2, 3), texts["actual_investment"], "表文居中")
    for row, (name, label, text) in enumerate(_TOLD, start=_FIRST_TOLD):
        word_file.at_least(table, row, Mm(27))
        fill(table.cell(row, 1).merge(table.cell(row, 3)), f"{label}\n{texts[text]}")
        if name:
            fill(table.cell(row, 0).merge(table.cell(row + 1, 0)), name, "表头")
    last = _FIRST_TOLD + len(_TOLD)
    # The judgement, the signature and the stamp are a person's.
    by_hand = ("", "", "", "单位负责人（签字）：", "", "盖章（公章）：", _DATE)
    _named(table, last, "项目简要总结", "\n".join(by_hand))
    word_file.at_least(table, last, Mm(54))


def _named(table: Table, row: int, name: str, value: str) -> None:
    fill(table.cell(row, 0), name, "表头")
    fill(table.cell(row, 1).merge(table.cell(row, 3)), value)


def _material(document: Document, report: Report, texts: dict[str, str]) -> None:
    papers = "验收报告 report.pdf；数据表 data.xlsx；项目建设绩效目标表（附件9）。"
    evidence = "存证日志、小时结算单、二级节点回执与核验程序，文件和摘要如下。"
    for title, text in (
        ("（一）专项审计报告", texts["audit_report"]),
        ("（二）合同、发票等复印件", texts["vouchers"]),
        ("（三）效益和效果等方面的材料", papers),
        ("（四）验收要求中列出的其他相关证明材料", evidence if report.files else NONE),
    ):
        add_text(document, title, "二级标题")
        add_text(document, text, "正文三号")
    if report.files:
        _evidence(document, report)


def _evidence(document: Document, report: Report) -> None:
    table = add_table(document, (38, 38, 86), len(report.files) + 1)
    rows = [row.cells for row in table.rows]
    for column, head in enumerate(("文件", "内容", "SHA-256")):
        fill(rows[0][column], head, "表头")
    word_file.repeat_head(table)
    for cells, file in zip(rows[1:], report.files, strict=True):
        texts = (printable(file.path), printable(file.content.zh), file.sha256)
        for cell, text in zip(cells, texts, strict=True):
            fill(cell, text, "小表文")
