"""Set the report as `report.html`: one file, both languages, no script, nothing from outside.

Invariants: all text enters through ElementTree, which escapes it; the page forbids every outside
resource by its own policy and names its style sheet by digest; the language is chosen by two radio
buttons, Chinese first; equal papers give equal bytes.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from xml.etree import ElementTree

from admin.acceptance.documents.paper import (
    Block,
    Facts,
    Figure,
    Heading,
    Paper,
    Paragraph,
    Points,
    Row,
    Section,
    Table,
    Verdicts,
)
from admin.acceptance.documents.svg import (
    Element,
    chart_styles,
    drawing_element,
    mark,
    page_colours,
)

_CARDS_FROM_COLUMNS = 5


def render_page(zh: Paper, en: Paper, *, digest: str) -> bytes:
    """Return the page of both papers; `digest` is that of the evidence, shown at its end."""
    root = Element("html", {"lang": "zh-CN"})
    styles = _styles()
    fingerprint = b64encode(sha256(styles.encode()).digest()).decode()
    head = _add(root, "head")
    _add(head, "meta", charset="utf-8")
    policy = f"default-src 'none'; style-src 'sha256-{fingerprint}'; base-uri 'none'"
    head.append(Element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}))
    _add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", f"{zh.title} · {zh.subtitle[0]}")
    _add(head, "style", styles)
    body = _add(root, "body")
    _languages(body, zh)
    for paper in (zh, en):
        body.append(_paper(paper, digest))
    text: str = ElementTree.tostring(root, encoding="unicode", method="html")
    return f"<!doctype html>\n{text}\n".encode()


def _styles() -> str:
    written = files("admin.acceptance.documents").joinpath("report.css").read_text("utf-8")
    return f"{written}{chart_styles(page_colours())}"


def _add(parent: Element, tag: str, text: str = "", classes: str = "", **others: str) -> Element:
    made = ElementTree.SubElement(parent, tag, {"class": classes} if classes else {}, **others)
    if text:
        made.text = text
    return made


def _languages(body: Element, zh: Paper) -> None:
    chosen = {"class": "choice", "type": "radio", "name": "language"}
    body.append(Element("input", {**chosen, "id": "zh", "checked": "checked"}))
    body.append(Element("input", {**chosen, "id": "en"}))
    bar = _add(body, "div", classes="bar")
    name = _add(bar, "b", zh.subtitle[0])
    _add(name, "small", zh.subtitle[1])
    choice = _add(bar, "span", classes="languages")
    choice.append(_label("zh", "zh-CN", "中文"))
    choice.append(_label("en", "en", "English"))


def _label(button: str, language: str, text: str) -> Element:
    made = Element("label", {"for": button, "lang": language})
    made.text = text
    return made


def _paper(paper: Paper, digest: str) -> Element:
    root = Element("div", {"class": "paper", "lang": paper.language})
    contents = _add(root, "nav", classes="contents")
    _add(contents, "h2", paper.contents)
    for section in paper.sections:
        link = _add(contents, "a", href=f"#{_anchor(paper, section)}")
        _add(link, "span", str(section.number)).tail = section.title
    main = _add(root, "main")
    head = _add(main, "div", classes="head")
    _add(head, "h1", paper.title)
    for line in ([*paper.subtitle], [paper.heading]):
        words = _add(head, "p")
        for part in line:
            _add(words, "span", part)
    for section in paper.sections:
        main.append(_section(paper, section))
    foot = _add(main, "p", classes="foot")
    for part in (paper.heading, paper.foot, f"{paper.digest_label} {digest}"):
        _add(foot, "span", part)
    return root


def _anchor(paper: Paper, section: Section) -> str:
    return f"{paper.language[:2]}-{section.number}"


def _section(paper: Paper, section: Section) -> Element:
    root = Element("section", {"class": "section", "id": _anchor(paper, section)})
    title = _add(root, "h2")
    _add(title, "span", str(section.number)).tail = section.title
    for block in section.blocks:
        root.append(_block(block))
    return root


def _block(block: Block) -> Element:
    match block:
        case Paragraph():
            made = Element("p", {"class": f"text {block.tone}"})
            made.text = block.text
        case Heading():
            made = Element("h3")
            made.text = block.text
        case Facts():
            made = Element("dl", {"class": "facts"})
            for name, value in block.rows:
                _add(made, "dt", name)
                _add(made, "dd", value)
        case Figure():
            made = _figure(block)
        case Verdicts():
            made = _verdicts(block)
        case Points():
            made = Element("ul", {"class": "points"})
            for point in block.items:
                row = _add(made, "li")
                _add(row, "span", point.title)
                _add(row, "b", point.amount)
        case Table():
            made = _folded(block) if block.folded else _table(block)
        case _:
            raise TypeError(type(block))
    return made


def _figure(block: Figure) -> Element:
    root = Element("figure")
    for drawing, width in ((block.wide, "wide"), (block.narrow, "narrow")):
        _add(root, "div", classes=width).append(drawing_element(drawing))
    if block.caption:
        _add(root, "figcaption", block.caption)
    return root


def _verdicts(block: Verdicts) -> Element:
    root = Element("div", {"class": "verdicts"})
    for item in block.items:
        one = _add(root, "div")
        title = _add(one, "h3", item.subject)
        _add(title, "span", item.state, f"tag {item.tone}")
        value = _add(one, "p", item.value, "v")
        _add(value, "small", item.unit)
        _add(one, "p", item.remark, "remark")
    return root


def _folded(block: Table) -> Element:
    root = Element("details")
    _add(root, "summary", block.folded)
    root.append(_table(block))
    return root


def _table(block: Table) -> Element:
    root = Element("div", {"class": "tw"})
    cards = "cards" if len(block.columns) > _CARDS_FROM_COLUMNS else ""
    table = _add(root, "table", classes=cards)
    heads = _add(_add(table, "thead"), "tr")
    for column in block.columns:
        _add(heads, "th", column.title, _cell_class(column.align), scope="col")
    body = _add(table, "tbody")
    for row in block.rows:
        body.append(_row(block, row))
    return root


def _row(block: Table, row: Row) -> Element:
    made = Element("tr", {"class": row.style} if row.style != "plain" else {})
    for place, (column, text) in enumerate(zip(block.columns, row.cells, strict=True)):
        tag = "td" if place else "th"
        cell = _add(made, tag, classes=_cell_class(column.align))
        cell.set(*(("data-l", column.title) if place else ("scope", "row")))
        if column.align == "bar":
            cell.append(_bar(float(text)))
        elif row.mark and not place:
            square = _add(cell, "svg", classes="sq", viewBox="0 0 10 10")
            square.set("aria-hidden", "true")
            square.append(mark("rect", row.mark, width=10, height=10))
            square.tail = text
        else:
            cell.text = text
    return made


def _cell_class(align: str) -> str:
    return {"left": "", "bar": "bar-cell"}.get(align, align)


def _bar(portion: float) -> Element:
    shape = {"class": "hbar", "viewBox": "0 0 300 10", "preserveAspectRatio": "none"}
    root = Element("svg", {**shape, "aria-hidden": "true"})
    root.append(mark("rect", "f5s", width=300, height=10))
    root.append(mark("rect", "f1", width=300 * portion, height=10))
    return root
