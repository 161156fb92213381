"""Write all papers of a report into a folder: the one entry for those who build the bundle."""

from __future__ import annotations

from pathlib import Path

from admin.acceptance.documents.application_form import application_docx
from admin.acceptance.documents.arithmetic import check_sums
from admin.acceptance.documents.indicators_form import indicators_docx, indicators_xlsx
from admin.acceptance.documents.notation import moment_of
from admin.acceptance.documents.report_page import render_page
from admin.acceptance.documents.sections.whole import chinese_paper, english_paper
from admin.acceptance.documents.typesetting import typeset
from admin.acceptance.documents.workbook import write_workbook
from admin.acceptance.report import Report

WORKBOOK = "data.xlsx"


def write_documents(report: Report, folder: Path, evidence_digest: str) -> list[Path]:
    """Write the papers into an existing folder and return them in the order of the bundle.

    `evidence_digest` (hex SHA-256) stands in words and as QR code on the papers: the digest of what
    they were made of, since papers cannot hold a digest of themselves. Equal arguments give equal
    bytes. Takes seconds and starts processes: call it outside an event loop.

    Raises IntegrityFailure when the report contradicts itself, InvalidInput when a text of the
    project file is too long for its form, Unavailable when a font is missing.
    """
    check_sums(report)
    zh, en = chinese_paper(report), english_paper(report)
    made, author = moment_of(report.log.as_of), report.project.applicant
    contents = {
        "report.html": render_page(zh, en, digest=evidence_digest),
        "report.pdf": typeset(zh, evidence_digest, author=author),
        "report-en.pdf": typeset(en, evidence_digest, author=author),
        "附件9.docx": indicators_docx(report, made),
        "附件9.xlsx": indicators_xlsx(report, made),
        "附件10.docx": application_docx(report, made),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_workbook(report, folder / WORKBOOK, made)
    return [folder / name for name in (*contents, WORKBOOK)]
