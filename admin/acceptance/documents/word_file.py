"""Write DOCX files in the style of Chinese offices: 仿宋 text, 黑体 and 楷体 headings, 3号 = 16 pt.

Invariants: fonts are named for East Asian text (`w:eastAsia`) and not embedded, for they are on the
officer's machine; the same content gives the same bytes: entries of the package have a fixed date
and the document's own date is given by the caller.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime

import docx
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Length, Mm, Pt
from docx.styles.style import ParagraphStyle
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph

LATIN_FONT = "Times New Roman"
# Name: East Asian font, size in points, alignment, indent of the first line in characters.
STYLES: dict[str, tuple[str, float, WD_ALIGN_PARAGRAPH, int]] = {
    "正文三号": ("仿宋", 16, WD_ALIGN_PARAGRAPH.LEFT, 2),
    "一级标题": ("黑体", 16, WD_ALIGN_PARAGRAPH.LEFT, 0),
    "二级标题": ("楷体", 16, WD_ALIGN_PARAGRAPH.LEFT, 2),
    "附件号": ("黑体", 16, WD_ALIGN_PARAGRAPH.LEFT, 0),
    "表题": ("黑体", 22, WD_ALIGN_PARAGRAPH.CENTER, 0),
    "封面项": ("仿宋", 16, WD_ALIGN_PARAGRAPH.LEFT, 0),
    "表头": ("黑体", 12, WD_ALIGN_PARAGRAPH.CENTER, 0),
    "表文": ("仿宋", 12, WD_ALIGN_PARAGRAPH.LEFT, 0),
    "表文居中": ("仿宋", 12, WD_ALIGN_PARAGRAPH.CENTER, 0),
    "小表文": ("仿宋", 9, WD_ALIGN_PARAGRAPH.LEFT, 0),
}
_KEPT = {
    "Normal", "Default Paragraph Font", "Normal Table", "No List", "Table Grid", "footer", "Footer",
}  # fmt: skip
_OUTLINE = {"一级标题": 0, "二级标题": 1}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
# The thumbnail of the library's own template shows another document.
_NOT_OURS = "docProps/thumbnail.jpeg"


def new_document(title: str, author: str, made: datetime) -> Document:
    """Return an empty A4 document with the styles; `made` is its only date."""
    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(25), Mm(22)
    section.left_margin = section.right_margin = Mm(24)
    about = document.core_properties
    about.title, about.author, about.last_modified_by, about.comments = title, author, author, ""
    about.created = about.modified = made
    about.language, about.revision = "zh-CN", 1
    # The library's template brings 160 styles; each look-up by name would walk them all.
    for unused in [style for style in document.styles if style.name not in _KEPT]:
        unused.delete()
    for name, (font, size, alignment, indent) in STYLES.items():
        style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        if not isinstance(style, ParagraphStyle):
            raise TypeError(name)
        _shape(style, font, size)
        style.paragraph_format.alignment = alignment
        style.paragraph_format.first_line_indent = Pt(size * indent)
        if name in _OUTLINE:
            _set(style.element.get_or_add_pPr(), "w:outlineLvl", val=str(_OUTLINE[name]))
            style.paragraph_format.keep_with_next = True
    _number_pages(section.footer.paragraphs[0])
    return document


def _shape(style: ParagraphStyle, font: str, size: float) -> None:
    style.font.name = LATIN_FONT
    style.font.size = Pt(size)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    fonts.set(qn("w:eastAsia"), font)
    _set(style.element.get_or_add_rPr(), "w:lang", val="en-US", eastAsia="zh-CN")
    style.paragraph_format.space_before = style.paragraph_format.space_after = Pt(0)
    style.paragraph_format.line_spacing = 1.0


def _set(parent: object, tag: str, **attributes: str) -> None:
    """Append an element with attributes of the main namespace."""
    made = OxmlElement(tag)
    for name, value in attributes.items():
        made.set(qn(f"w:{name}"), value)
    parent.append(made)  # type: ignore[attr-defined]


def _number_pages(paragraph: Paragraph) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = paragraph.add_run()
    for kind in ("begin", "end"):
        _set(run._r, "w:fldChar", fldCharType=kind)
        if kind == "begin":
            code = OxmlElement("w:instrText")
            code.text = "PAGE"
            run._r.append(code)


def add_text(document: Document, text: str, style: str) -> Paragraph:
    """Append a paragraph."""
    return document.add_paragraph(text, style)


def on_new_page(paragraph: Paragraph) -> None:
    """Begin a page with a paragraph."""
    paragraph.paragraph_format.page_break_before = True


def add_space(document: Document, lines: int) -> None:
    """Append empty lines, for a cover."""
    for _ in range(lines):
        document.add_paragraph("", "封面项")


def add_table(document: Document, widths_mm: Sequence[float], rows: int) -> Table:
    """Append a ruled table of empty cells; no row breaks across pages."""
    table: Table = document.add_table(rows, len(widths_mm), "Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    for row in table.rows:
        _set(row._tr.get_or_add_trPr(), "w:cantSplit")
        for cell, width in zip(row.cells, widths_mm, strict=True):
            cell.width = Mm(width)
            cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
    for column, width in zip(table.columns, widths_mm, strict=True):
        column.width = Mm(width)
    return table


def repeat_head(table: Table) -> None:
    """Let the first row stand on each page of the table."""
    _set(table.rows[0]._tr.get_or_add_trPr(), "w:tblHeader")


def fill(cell: _Cell, text: str, style: str = "表文") -> None:
    """Put text into a cell, each line a paragraph."""
    first, *others = text.split("\n")
    cell.paragraphs[0].style = style
    cell.paragraphs[0].text = first
    for line in others:
        cell.add_paragraph(line, style)


def at_least(table: Table, row: int, height: Length) -> None:
    """Give a row a height that it may exceed: room for a stamp."""
    table.rows[row].height = height


def docx_bytes(document: Document) -> bytes:
    """Return the file; the same document gives the same bytes."""
    relations = document.part.package.rels if document.part.package else {}
    for key in [key for key, one in relations.items() if one.reltype.endswith("/thumbnail")]:
        relations.pop(key)
    saved, out = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            if name != _NOT_OURS:
                entry = zipfile.ZipInfo(name, _LONG_AGO)
                entry.compress_type = zipfile.ZIP_DEFLATED
                target.writestr(entry, source.read(name))
    return out.getvalue()
