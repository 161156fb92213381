"""The files of batches: CSV, clean or spoilt; JSON lines; edges of the genealogy.

Invariants: every writer takes processes in order and finishes its file in close(); JSON lines and
edges are always clean; rows of a clean CSV need no quoting.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from admin.demo_batches.chance import seeded
from admin.demo_batches.columns import INDEX, NAMES, NUMERIC, Row
from admin.demo_batches.dirt import Dirt, Injection
from admin.demo_batches.faults import Writing
from admin.demo_batches.industry import Process

_BUFFER_BYTES = 1 << 20
_ROWS_AT_ONCE = 2000
_INJECTION_HEADINGS = (
    "record", "line", "handle", "kind", "action", "column", "original", "written",
)  # fmt: skip
_EDGE_HEADINGS = "child,parent,kg,process_id\n"


class Writer(Protocol):
    """Takes the processes of a run."""

    def write(self, process: Process) -> None:
        """Write what belongs to this file."""
        ...

    def close(self) -> None:
        """Write what is held back and close the file."""
        ...


class RowWriter(Protocol):
    """Takes rows, one at a time."""

    def put(self, row: Row) -> None:
        """Write a row."""
        ...

    def close(self) -> None:
        """Write what is held back and close the file."""
        ...


def csv_line(texts: Iterable[str]) -> str:
    """Join texts with commas and quote where RFC 4180 section 2 asks for it, without a line end."""
    return ",".join(['"' + t.replace('"', '""') + '"' if _needs_quotes(t) else t for t in texts])


def _needs_quotes(field: str) -> bool:
    return "," in field or '"' in field or "\n" in field or "\r" in field


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV is written. `utf-8-sig` puts a byte-order mark before the headings only."""

    encoding: str
    line_end: str
    headings: tuple[str, ...]

    @property
    def row_encoding(self) -> str:
        """The encoding of everything after the headings."""
        return "utf-8" if self.encoding == "utf-8-sig" else self.encoding

    @property
    def first_line(self) -> bytes:
        """The line of headings."""
        return (csv_line(self.headings) + self.line_end).encode(self.encoding)


class CleanCsv:
    """A CSV of clean rows."""

    def __init__(self, path: Path, form: CsvForm) -> None:
        self._form = form
        self._file = path.open("wb", _BUFFER_BYTES)
        self._file.write(form.first_line)
        self._lines: list[str] = []

    def put(self, row: Row) -> None:
        """Write a row."""
        self._lines.append(",".join(row))
        if len(self._lines) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write the last rows and close the file."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        lines = [*self._lines, ""]
        self._file.write(self._form.line_end.join(lines).encode(self._form.row_encoding))
        self._lines.clear()


class InjectionList:
    """The CSV that says what was spoilt, where, and what a good importer does."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._file = path.open("w", _BUFFER_BYTES, encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(_INJECTION_HEADINGS)

    def add(self, injection: Injection, *, record: int, line: int, handle: str) -> None:
        """Note an injection at a record and a line of the CSV, of which both count from 1."""
        fault = injection.fault
        self._csv.writerow([record, line, handle, injection.kind, injection.action, *fault[:3]])
        self.count += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class DirtyCsv:
    """A CSV in which a share of the rows is spoilt."""

    def __init__(self, path: Path, form: CsvForm, *, dirt: Dirt, injections: InjectionList) -> None:
        self._form = form
        self._dirt = dirt
        self._injections = injections
        self._file = path.open("wb", _BUFFER_BYTES)
        self._file.write(form.first_line)
        self._records = 0
        self._next_line = 2

    def put(self, row: Row) -> None:
        """Write a row, perhaps spoilt, and note what was done to it."""
        injection = self._dirt.spoil(row)
        if injection is None:
            self._write_line(csv_line(row))
            return
        if injection.fault.writing is Writing.AFTER_ORIGINAL:
            self._write_line(csv_line(row))
        record, line = self._records + 1, self._next_line
        self._write_spoilt(injection)
        self._injections.add(injection, record=record, line=line, handle=row[INDEX["handle"]])

    def close(self) -> None:
        """Close the file. The list of injections is closed by its owner."""
        self._file.close()

    def _write_spoilt(self, injection: Injection) -> None:
        row = injection.row
        if injection.fault.writing is Writing.UNQUOTED:
            place = INDEX[injection.fault.column]
            before, after = csv_line(row[:place]), csv_line(row[place + 1 :])
            self._write_line(f"{before},{injection.fault.after},{after}")
        elif injection.fault.writing is Writing.FOREIGN_ENCODING:
            self._write_line(csv_line(row), self._dirt.foreign_encoding)
        else:
            self._write_line(csv_line(row))

    def _write_line(self, line: str, encoding: str = "") -> None:
        self._records += 1
        self._next_line += 1 + line.count("\n")
        encoding = encoding or self._form.row_encoding
        self._file.write(_encoded(line, encoding) + self._form.line_end.encode())


def _encoded(line: str, encoding: str) -> bytes:
    try:
        return line.encode(encoding)
    except UnicodeEncodeError:
        # A spoilt row may hold what GBK lacks; GB 18030 has all of Unicode and the same rest.
        return line.encode("gb18030" if encoding.startswith("gb") else encoding, "replace")


class OrderedRows:
    """Writes rows in the order in which they were made."""

    def __init__(self, rows: RowWriter) -> None:
        self._rows = rows

    def write(self, process: Process) -> None:
        """Write the rows of a process."""
        for batch in process.batches:
            self._rows.put(batch.row)

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


class ShuffledRows:
    """Holds all rows and writes them in random order: children may come before parents."""

    def __init__(self, rows: RowWriter, seed: int) -> None:
        self._rows = rows
        self._seed = seed
        self._held: list[Row] = []

    def write(self, process: Process) -> None:
        """Hold the rows of a process."""
        self._held += [batch.row for batch in process.batches]

    def close(self) -> None:
        """Write all rows and close the file."""
        seeded(f"{self._seed}/shuffle").shuffle(self._held)
        for row in self._held:
            self._rows.put(row)
        self._rows.close()


class JsonLines:
    """One JSON object a batch: numbers bare, null for a number that is missing."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", _BUFFER_BYTES, encoding="utf-8", newline="\n")
        members = [f'"{n}":%s' if n in NUMERIC else f'"{n}":"%s"' for n in NAMES[:-1]]
        self._template = "{" + ",".join(members) + ',"parents":[%s]}\n'
        self._when_empty = ["null" if n in NUMERIC else "" for n in NAMES[:-1]]

    def write(self, process: Process) -> None:
        """Write the batches of a process."""
        for batch in process.batches:
            own = batch.row[:-1]
            values = [text or empty for text, empty in zip(own, self._when_empty, strict=True)]
            parents = [f'{{"id":"{lot.handle}","kg":{kg:.2f}}}' for lot, kg in batch.parents]
            self._file.write(self._template % (*values, ",".join(parents)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Edges:
    """One line for each child and parent, with the mass taken."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", _BUFFER_BYTES, encoding="utf-8", newline="\n")
        self._file.write(_EDGE_HEADINGS)

    def write(self, process: Process) -> None:
        """Write the edges of a process."""
        self._file.writelines(
            f"{batch.lot.handle},{lot.handle},{kg:.2f},{process.process_id}\n"
            for batch in process.batches
            for lot, kg in batch.parents
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def write_all(processes: Iterable[Process], writers: Iterable[Writer]) -> int:
    """Give every process to every writer, close them all, and give the number of batches."""
    count = 0
    with ExitStack() as closing:
        writers = list(writers)
        for writer in writers:
            closing.callback(writer.close)
        for process in processes:
            count += len(process.batches)
            for writer in writers:
                writer.write(process)
    return count
