"""Set the report as PDF with typst, in a process of its own that has limited time.

Invariants: the template is package data and the report reaches it as JSON only; the same paper and
digest give the same bytes on every machine with the same fonts (no clock, no machine's name); a
font that is missing is an error that names the Debian package, never another font.
"""

from __future__ import annotations

import io
import json
from importlib.resources import as_file, files
from multiprocessing import get_context
from multiprocessing.connection import Connection

import msgspec
import segno
import typst

from admin.acceptance.documents.paper import Block, Column, Figure, Paper, Row, Table
from admin.acceptance.documents.svg import drawing_alone
from node.errors import Unavailable

SERIF = "Noto Serif CJK SC"
SANS = "Noto Sans CJK SC"
FONT_PACKAGE = "fonts-noto-cjk"
TIME_LIMIT_S = 120.0
# Below this, a column keeps the width of its text; above, columns share what is left.
_SHORT_TEXT = 14


class _Picture(Block, frozen=True, tag="figure"):
    """A drawing as a file."""

    svg: str
    sentence: str
    caption: str


class _SizedTable(Block, frozen=True, tag="table"):
    """A table with the relative widths of its columns; 0 is as wide as its text."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    widths: tuple[int, ...]


def typeset(paper: Paper, digest: str, *, author: str) -> bytes:
    """Return the paper as PDF; `digest` (hex) stands on each page in words and as QR code.

    Raises Unavailable when a font is missing, typst fails or the time is over. Starts a process.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=_work, args=(theirs,), daemon=True)
    worker.start()
    theirs.close()
    try:
        ours.send_bytes(typst_input(paper, digest, author=author).encode())
        if not ours.poll(TIME_LIMIT_S):
            raise Unavailable(
                f"排版超过 {TIME_LIMIT_S:.0f} 秒", f"Typesetting took over {TIME_LIMIT_S:.0f} s"
            )
        ok, answer = ours.recv_bytes().split(b"\n", 1)
    except (EOFError, OSError) as error:
        raise Unavailable("排版进程中止", "The typesetting process died") from error
    finally:
        worker.kill()
        worker.join()
        ours.close()
    if ok == b"pdf":
        return answer
    raise _failure(answer.decode())


def require_fonts() -> None:
    """Raise Unavailable, naming the package, when a font of the papers is missing."""
    if not {SERIF, SANS} <= set(typst.Fonts().families()):
        raise _missing_fonts()


def typst_input(paper: Paper, digest: str, *, author: str) -> str:
    """Return the JSON that the template reads."""
    sections = tuple(
        msgspec.structs.replace(
            section, blocks=tuple(_printed(block) for block in section.blocks if _is_printed(block))
        )
        for section in paper.sections
    )
    made = {
        "paper": msgspec.to_builtins(msgspec.structs.replace(paper, sections=sections)),
        "digest_words": f"{paper.digest_label} {digest}",
        "qr": _qr(digest),
        "author": author,
    }
    return json.dumps(made, ensure_ascii=False)


def _is_printed(block: Block) -> bool:
    return not (isinstance(block, Table) and block.folded)


def _printed(block: Block) -> Block:
    if isinstance(block, Figure):
        return _Picture(drawing_alone(block.wide, SANS), block.wide.sentence, block.caption)
    if isinstance(block, Table):
        return _SizedTable(block.columns, block.rows, _widths(block))
    return block


def _widths(block: Table) -> tuple[int, ...]:
    """Give each column of long text a share of the line by its longest cell, at most 4 to 1."""
    longest = [
        max([_length(column.title), *(_length(row.cells[place]) for row in block.rows)])
        for place, column in enumerate(block.columns)
    ]
    if len(longest) == 2 and longest[1] <= _SHORT_TEXT:
        return 1, 0
    if all(length <= _SHORT_TEXT for length in longest):
        # Numbers stand apart evenly, and a drawn bar takes what a long text would.
        return tuple(
            24 if column.align == "bar" else max(length, 7)
            for column, length in zip(block.columns, longest, strict=True)
        )
    return tuple(
        _weight(column, length) for column, length in zip(block.columns, longest, strict=True)
    )


def _weight(column: Column, length: int) -> int:
    if column.align in ("bar", "right"):
        return 4 if column.align == "bar" else 2
    return 0 if length <= _SHORT_TEXT else min(max(length // 6, 3), 10)


def _length(text: str) -> int:
    """Return about how many Latin letters wide a text is."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


def _qr(digest: str) -> str:
    """Return the digest as QR code: capitals and digits only make it small."""
    code = segno.make(f"SHA256:{digest.upper()}", error="m", micro=False)
    out = io.BytesIO()
    code.save(out, kind="svg", border=2, xmldecl=False, svgclass=None, lineclass=None, nl=False)
    return out.getvalue().decode()


def _failure(reason: str) -> Unavailable:
    if "unknown font family" in reason:
        return _missing_fonts()
    return Unavailable(f"排版失败：{reason}", f"Typesetting failed: {reason}")


def _missing_fonts() -> Unavailable:
    return Unavailable(
        f"缺少中文字体，请以管理员身份安装软件包：apt-get install {FONT_PACKAGE}",
        f"Chinese fonts are missing; install as root: apt-get install {FONT_PACKAGE}",
        code="font_missing",
    )


def _work(pipe: Connection) -> None:
    """Set one paper: the body of the worker process. A warning of typst is a failure."""
    data = pipe.recv_bytes().decode()
    template = files("admin.acceptance.documents").joinpath("report.typ")
    try:
        with as_file(template) as path:
            pdf, warnings = typst.compile_with_warnings(
                str(path), format="pdf", sys_inputs={"data": data}, timestamp=0
            )
    except typst.TypstError as error:
        pipe.send_bytes(f"failure\n{error}".encode())
        return
    if warnings:
        pipe.send_bytes("\n".join(["failure", *(str(one) for one in warnings)]).encode())
    else:
        pipe.send_bytes(b"pdf\n" + bytes(pdf))
