"""CSV at the level of bytes and fields: whole records of a file, and a record's fields.

Invariants: joining the records of a file gives its lines again (a byte order mark aside); a line
break inside a quoted field does not end a record; a record never spans more than `record_bytes`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from node.importing.encoding import UTF8_BOM, byte_lines, too_long_a_record, wide_lines
from node.importing.limits import Limits

_QUOTE = ord('"')
_BOM = b"\xef\xbb\xbf"


def read_lines(path: Path, encoding: str, limits: Limits) -> Iterator[bytes]:
    """Yield the lines of a text file without its byte order mark (UTF-16 comes as UTF-8)."""
    if encoding.startswith("utf-16"):
        yield from wide_lines(path, encoding, limits)
        return
    lines = byte_lines(path, limits)
    if encoding == UTF8_BOM:
        yield next(lines, b"").removeprefix(_BOM)
    yield from lines


def read_records(path: Path, encoding: str, delimiter: str, limits: Limits) -> Iterator[bytes]:
    """Yield the raw records of a CSV file, line ends kept; raise LimitExceeded."""
    delimiter_byte = ord(delimiter)
    held: list[bytes] = []
    size, inside = 0, False
    for line in read_lines(path, encoding, limits):
        if not inside and b'"' not in line:
            yield line
            continue
        inside = _ends_inside_quotes(line, delimiter_byte, inside)
        held.append(line)
        size += len(line)
        if size > limits.record_bytes:
            raise too_long_a_record(limits.record_bytes)
        if not inside:
            yield b"".join(held)
            held.clear()
            size = 0
    if held:
        yield b"".join(held)


def _ends_inside_quotes(line: bytes, delimiter: int, inside: bool) -> bool:
    """Follow the quotes of a line as a CSV parser does: one counts only where a field begins."""
    place = 0
    while True:
        if inside:
            place = line.find(_QUOTE, place)
            if place < 0:
                return True
            if line[place + 1 : place + 2] == b'"':
                place += 2
                continue
            inside = False
            place += 1
        elif place < len(line) and line[place] == _QUOTE:
            inside = True
            place += 1
            continue
        place = line.find(delimiter, place)
        if place < 0:
            return False
        place += 1


def split_record(text: str, delimiter: str) -> list[str] | None:
    """Return the fields of one record, or None when its quotes do not match.

    A record without quotes is split directly, which is what a CSV parser does, only faster.
    """
    if '"' not in text:
        return text.removesuffix("\n").removesuffix("\r").split(delimiter)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def join_fields(fields: Sequence[str], delimiter: str) -> str:
    """Return one CSV record without line end; fields are quoted only where they must be."""
    special = (delimiter, '"', "\n", "\r")
    return delimiter.join(
        '"' + field.replace('"', '""') + '"' if any(s in field for s in special) else field
        for field in fields
    )
