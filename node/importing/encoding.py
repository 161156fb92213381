"""Decide a text file's encoding and decode its lines, the odd line in another encoding included.

Order of evidence: byte order mark; else UTF-8 when most non-ASCII lines are valid UTF-8; else
GB18030. UTF-8 goes first because some UTF-8 Chinese is also valid GB18030 while the reverse hardly
happens; where a line of a GB18030 file reads as both, the vocabulary of the trade decides.

Invariants: decoding never raises; a line is either text or undecodable, never half of each.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.errors import InvalidInput, LimitExceeded
from node.importing.limits import Limits
from node.importing.name_repair import familiarity

UTF8, UTF8_BOM, GB18030 = "utf-8", "utf-8-sig", "gb18030"
_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class DecodedLines:
    """Lines as texts, None where no encoding reads the line; `others` names, by index, the
    encoding used instead of the file's."""

    texts: Sequence[str | None]
    others: Mapping[int, str]


def detect_encoding(path: Path, limits: Limits) -> str:
    """Return the encoding of the text file: utf-8, utf-8-sig, gb18030, utf-16-le or utf-16-be.

    Reads the file once. Raise InvalidInput for binary content, LimitExceeded for too long a line.
    """
    with path.open("rb") as file:
        start = file.read(4)
    for mark, name in _WIDE.items():
        if start.startswith(mark):
            return name
    utf8, other = _count_lines(path, limits)
    if start.startswith(codecs.BOM_UTF8):
        return UTF8_BOM
    return UTF8 if utf8 >= other else GB18030


def _count_lines(path: Path, limits: Limits) -> tuple[int, int]:
    """Return how many non-ASCII lines are valid UTF-8 and how many are not."""
    utf8 = other = 0
    for line in byte_lines(path, limits):
        if b"\0" in line:
            raise InvalidInput(
                "文件含 NUL 字节,不是文本文件;请另存为 CSV UTF-8 后重试",
                "The file contains NUL bytes and is no text; save it as CSV UTF-8",
                code="binary_file",
            )
        if line.isascii():
            continue
        try:
            line.decode()
            utf8 += 1
        except UnicodeDecodeError:
            other += 1
    return utf8, other


def byte_lines(path: Path, limits: Limits) -> Iterator[bytes]:
    """Yield the lines of a file of 8-bit code units, line ends kept; raise LimitExceeded."""
    most = limits.record_bytes
    with path.open("rb", buffering=1 << 20) as file:
        while line := file.readline(most + 1):
            if len(line) > most:
                raise too_long_a_record(most)
            yield line


def wide_lines(path: Path, encoding: str, limits: Limits) -> Iterator[bytes]:
    """Yield the lines of a UTF-16 file as UTF-8 bytes, line ends kept; raise LimitExceeded.

    An unpaired surrogate becomes U+FFFD.
    """
    most = limits.record_bytes
    with path.open(encoding=encoding, errors="replace", newline="\n") as file:
        while line := file.readline(most + 1):
            if len(line) > most:
                raise too_long_a_record(most)
            yield line.removeprefix("\ufeff").encode()


def too_long_a_record(most: int) -> LimitExceeded:
    """Return the error for a line or record longer than `most` bytes."""
    return LimitExceeded(
        f"单行超过 {most} 字节:请检查引号是否成对、换行是否正确",
        f"A row is longer than {most} bytes: check quotes and line ends",
        code="record_too_long",
    )


def decode_lines(lines: Sequence[bytes], encoding: str) -> DecodedLines:
    """Decode whole lines of a file in `encoding`, each line in the encoding that reads it."""
    if encoding == GB18030:
        return _collect([_decode_gb18030(line) for line in lines])
    try:
        return DecodedLines([line.decode() for line in lines], {})
    except UnicodeDecodeError:
        return _collect([_decode_utf8(line) for line in lines])


def _collect(decoded: Sequence[tuple[str | None, str]]) -> DecodedLines:
    others = {index: other for index, (_, other) in enumerate(decoded) if other}
    return DecodedLines([text for text, _ in decoded], others)


def _decode(line: bytes, encoding: str) -> str | None:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return None


def _decode_utf8(line: bytes) -> tuple[str | None, str]:
    text = _decode(line, UTF8)
    if text is not None:
        return text, ""
    text = _decode(line, GB18030)
    return text, GB18030 if text is not None else ""


def _decode_gb18030(line: bytes) -> tuple[str | None, str]:
    as_gb = _decode(line, GB18030)
    as_utf8 = _decode(line, UTF8)
    if as_utf8 is None or line.isascii():
        return as_gb, ""
    if as_gb is not None and familiarity(as_gb) > familiarity(as_utf8):
        return as_gb, ""
    return as_utf8, UTF8
