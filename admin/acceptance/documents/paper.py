"""What a paper consists of: sections of blocks, in one language, ready to be set as page or print.

Invariants: every number a block holds was written by `notation` from the report; blocks hold text,
never markup, and each face escapes it in its own way; the same paper is set as HTML and as PDF.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from admin.acceptance.documents.svg import Drawing

Tone = Literal["plain", "quiet", "ok", "warn", "bad"]
Align = Literal["left", "right", "bar", "mono"]
RowKind = Literal["plain", "sum", "minus", "claim"]


class Block(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """One part of a section."""


class Paragraph(Block, frozen=True):
    """A paragraph; a tone other than plain sets it apart, with a word that says the same."""

    text: str
    tone: Tone = "plain"


class Heading(Block, frozen=True):
    """A heading inside a section."""

    text: str


class Facts(Block, frozen=True):
    """Names and their values, one a row."""

    rows: tuple[tuple[str, str], ...]


class Column(msgspec.Struct, frozen=True):
    """One column; cells of a `bar` column are shares of 1, drawn and not written."""

    title: str
    align: Align = "left"


class Row(msgspec.Struct, frozen=True):
    """One row of a table; `mark` is the class of its colour in a chart, "" for none."""

    cells: tuple[str, ...]
    style: RowKind = "plain"
    mark: str = ""


class Table(Block, frozen=True):
    """A table. One with a `folded` title is opened by a reader of the page and not printed."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folded: str = ""


class Figure(Block, frozen=True):
    """A drawing in two widths and what stands below it."""

    wide: Drawing
    narrow: Drawing
    caption: str = ""


class Judged(msgspec.Struct, frozen=True):
    """One verdict as it is shown; `tone` goes with the word of its state."""

    subject: str
    state: str
    tone: Tone
    value: str
    unit: str
    remark: str


class Verdicts(Block, frozen=True):
    """The three verdicts side by side."""

    items: tuple[Judged, ...]


class Point(msgspec.Struct, frozen=True):
    """Something to explain: what, how much, why."""

    title: str
    amount: str


class Points(Block, frozen=True):
    """A list of things to explain."""

    items: tuple[Point, ...]


class Section(msgspec.Struct, frozen=True):
    """A numbered section of a paper."""

    number: int
    title: str
    blocks: tuple[Block, ...]


class Paper(msgspec.Struct, frozen=True):
    """A whole report in one language.

    `heading` stands on every page (prefix, secondary node, licence, contract), `foot` below it
    together with the digest that `digest_label` names; `signing` is left to be filled by hand on
    the printed paper.
    """

    language: Literal["zh-CN", "en"]
    title: str
    subtitle: tuple[str, ...]
    heading: str
    foot: str
    digest_label: str
    contents: str
    signing: tuple[str, ...]
    sections: tuple[Section, ...]
