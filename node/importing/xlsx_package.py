"""Look through an XLSX package before anything parses it, and refuse what would harm the parser.

The parser holds a sheet as a full rectangle, so two cells in far corners cost as much as all cells
between them: the rectangle is worked out from the cell references before it is built.

Invariants: every member is unpacked once, block by block, counted against the limits, and searched
for DTDs (no entity is ever expanded, no external one fetched); memory stays at a few blocks.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from node.errors import InvalidInput, LimitExceeded
from node.importing.limits import Limits

_BLOCK = 1 << 16
_HUGE_TAG = 1 << 20
_MARKS = ("<!DOCTYPE", "<!ENTITY")
_DTD = tuple(mark.encode(code) for mark in _MARKS for code in ("ascii", "utf-16-le", "utf-16-be"))
_REFERENCE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,9})([0-9]{0,19})["']""")
_CELL = re.compile(rb"<(?:[\w.-]{1,20}:)?c[\s/>]")


def inspect_package(path: Path, limits: Limits) -> None:
    """Unpack the package once to nowhere; raise InvalidInput or LimitExceeded if it is unfit.

    Refused: more members, bytes or cells than allowed, a ratio above `limits.ratio`, encryption,
    damaged members, any DTD.
    """
    allowed = min(limits.unpacked, max(path.stat().st_size, 1) * limits.ratio)
    try:
        with zipfile.ZipFile(path) as package:
            members = package.infolist()
            if len(members) > limits.members:
                raise _bomb(f"{len(members)} members")
            for member in members:
                allowed -= _inspect_member(package, member, limits, allowed)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise damaged() from error
    except (ValueError, RuntimeError) as error:
        raise InvalidInput(
            "XLSX 文件已加密或已损坏", "The XLSX is encrypted or damaged", code="xlsx"
        ) from error


def _inspect_member(
    package: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits, allowed: int
) -> int:
    size, extent = 0, _Extent()
    with package.open(member) as stream:
        for part in _whole_tags(_counted(stream, member.filename, allowed)):
            size += len(part)
            if any(mark in part for mark in _DTD):
                raise InvalidInput(
                    "XLSX 中含 XML 实体或 DTD,已拒绝", "The XLSX contains a DTD", code="xml_dtd"
                )
            extent.widen(part)
            if extent.cells > limits.cells:
                raise _bomb(f"{extent.rows} × {extent.columns} cells")
    return size


def _counted(stream: IO[bytes], name: str, allowed: int) -> Iterator[bytes]:
    """Yield the blocks of a member until they are more bytes than allowed."""
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > allowed:
            raise _bomb(name[:80])
        yield block


def _whole_tags(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes cut before a "<", so that no tag is split (unless it is huge)."""
    held = b""
    for block in blocks:
        window = held + block
        cut = window.rfind(b"<")
        if cut <= 0 and len(window) < _HUGE_TAG:
            held = window
            continue
        cut = cut if cut > 0 else len(window)
        yield window[:cut]
        held = window[cut:]
    yield held


class _Extent:
    """The rectangle that the cells of a member span, as far as it was read.

    Cells without a reference stand one after the other: as many columns are allowed for them as
    there are such cells.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._lettered = 0
        self._unreferenced = 0
        self._seen: set[bytes] = set()

    @property
    def columns(self) -> int:
        """Return an upper bound of the columns."""
        return self._lettered + self._unreferenced

    @property
    def cells(self) -> int:
        """Return an upper bound of the rectangle's size."""
        return self.rows * self.columns

    def widen(self, window: bytes) -> None:
        """Take in the references of one block of XML."""
        references = _REFERENCE.findall(window)
        if references:
            self.rows = max(self.rows, max(int(number or 0) for _, number in references))
        lettered = [letters for letters, _ in references if letters]
        for letters in set(lettered) - self._seen:
            self._seen.add(letters)
            self._lettered = max(self._lettered, _column_number(letters))
        self._unreferenced += max(0, len(_CELL.findall(window)) - len(lettered))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _bomb(what: str) -> LimitExceeded:
    return LimitExceeded(
        f"XLSX 解压后过大或压缩比过高,已拒绝({what})",
        f"The XLSX unpacks to too much ({what})",
        code="decompression",
    )


def damaged() -> InvalidInput:
    """Return the error for a package or sheet that cannot be read."""
    return InvalidInput("XLSX 文件已损坏", "The XLSX is damaged", code="xlsx")
