"""What a plant registers: rows for requests, and whole files for import, from the generator.

`python -m loadtest.suites.plant_data --rows 20000 --file-rows 5000 --rows-a-file 1000 DIR` writes
`DIR/rows.csv` and `DIR/files/001.csv`, `002.xlsx` …; `PlantData` reads them. All identifiers lie
below the prefix PREFIX of the benches; no row stands in two places; later rows descend from
earlier ones, as metal does from oxide.

Invariants: the same arguments make the same rows; a row is read anew whenever it is wanted, so
that memory holds one offset a row.
"""

from __future__ import annotations

import argparse
import csv
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter

from loadtest.bench.batches import PREFIX, write_batches
from loadtest.ledger import facts_digest

ROWS, FILES = "rows.csv", "files"


@dataclass(frozen=True, slots=True)
class Row:
    """One batch: identifier, attributes as text, parents as `{"id", "kg"}`."""

    identifier: str
    attributes: Mapping[str, str]
    parents: Sequence[Mapping[str, str]]

    def item(self) -> dict[str, object]:
        """Give the registration as the API takes it."""
        return {
            "identifier": self.identifier,
            "attributes": self.attributes,
            "parents": self.parents,
            "document": self.attributes.get("coa_no", ""),
        }

    @property
    def facts(self) -> str:
        """The digest of what will be registered."""
        return facts_digest(self.attributes, self.parents)


class RowFile:
    """A CSV file of batches, read at any row; close it after use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._columns = next(csv.reader([self._file.readline().decode()]))
        self._offsets = array("Q")
        offset = self._file.tell()
        for line in self._file:
            self._offsets.append(offset)
            offset += len(line)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._offsets)

    def __getitem__(self, number: int) -> Row:
        """Return a row, from 0."""
        self._file.seek(self._offsets[number])
        return self._row(self._file.readline())

    def rows(self, first: int, end: int) -> list[Row]:
        """Return rows first … end - 1."""
        self._file.seek(self._offsets[first])
        return [self._row(self._file.readline()) for _ in range(first, end)]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _row(self, line: bytes) -> Row:
        cells = dict(zip(self._columns, next(csv.reader([line.decode()])), strict=True))
        identifier, parents = cells.pop("handle"), cells.pop("parents")
        return Row(
            identifier,
            {name: text for name, text in cells.items() if text},
            [_parent(part) for part in parents.split("|") if part],
        )


@dataclass(frozen=True, slots=True)
class PlantData:
    """The rows and files of a directory; close it after use."""

    rows: RowFile
    files: tuple[Path, ...]

    @classmethod
    def open(cls, directory: Path) -> PlantData:
        """Read where everything is; raises FileNotFoundError when it was not prepared."""
        files = directory / FILES
        whole = tuple(sorted(files.iterdir())) if files.exists() else ()
        return cls(RowFile(directory / ROWS), tuple(p for p in whole if p.suffix != ".rows"))

    def close(self) -> None:
        """Close the file of rows."""
        self.rows.close()


def rows_of_file(path: Path) -> Iterator[Row]:
    """Give the rows of an import file, from the CSV file beside an XLSX one."""
    with closing(RowFile(path if path.suffix == ".csv" else path.with_suffix(".rows"))) as file:
        yield from file.rows(0, len(file))


def prepare(directory: Path, *, rows: int, file_rows: int, rows_a_file: int) -> None:
    """Write rows and files; every fourth file is XLSX, the others are CSV."""
    directory.mkdir(parents=True, exist_ok=True)
    everything = directory / "everything.csv"
    write_batches(everything, rows + file_rows)
    with everything.open(encoding="utf-8") as source:
        head = source.readline()
        # The files come first: what the requests register may descend from it.
        (directory / FILES).mkdir(exist_ok=True)
        for number, size in enumerate(_sizes(file_rows, rows_a_file), 1):
            lines = [source.readline() for _ in range(size)]
            _write_file(directory / FILES, number, [head, *lines])
        with (directory / ROWS).open("w", encoding="utf-8") as target:
            target.write(head)
            target.writelines(source)
    everything.unlink()


def _sizes(total: int, most: int) -> Iterator[int]:
    while total > 0:
        yield min(total, most)
        total -= most


def _write_file(directory: Path, number: int, lines: Sequence[str]) -> None:
    is_workbook = number % 4 == 0
    path = directory / f"{number:03d}.{'rows' if is_workbook else 'csv'}"
    path.write_text("".join(lines), encoding="utf-8")
    if is_workbook:
        with xlsxwriter.Workbook(path.with_suffix(".xlsx"), {"constant_memory": True}) as book:
            sheet = book.add_worksheet("批次")
            for place, cells in enumerate(csv.reader(lines)):
                for column, text in enumerate(cells):
                    sheet.write_string(place, column, text)


def _parent(part: str) -> dict[str, str]:
    handle, _, kg = part.partition("=")
    return {"id": handle, "kg": kg}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare a directory and say what is in it."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.suites.plant_data",
        description="准备负载数据 (prepare what a load run registers)",
    )
    add = parser.add_argument
    add("directory", type=Path, help="目录 (directory)")
    add("--rows", type=int, default=20_000, help="逐条与批量请求的行数 (rows for requests)")
    add("--file-rows", type=int, default=5_000, help="文件导入的行数 (rows in import files)")
    add("--rows-a-file", type=int, default=1_000, help="每个文件的行数 (rows of each file)")
    given = parser.parse_args(arguments)
    prepare(
        given.directory, rows=given.rows, file_rows=given.file_rows, rows_a_file=given.rows_a_file
    )
    with closing(PlantData.open(given.directory)) as data:
        print(f"{len(data.rows)} rows below {PREFIX}, {len(data.files)} files in {given.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
