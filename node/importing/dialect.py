"""Find the delimiter and the header row of a CSV, or the header row of a sheet.

The header is the row most of whose titles are known; titles of the company, of the table or of a
print date may stand above it. The delimiter is the one under which that row is best understood.

Invariants: a table without a column for every needed attribute is refused, naming what is missing;
two columns never mean the same attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import InvalidInput, LimitExceeded, Problem
from node.importing.csv_reader import split_record
from node.importing.header_aliases import RESULT_TITLES, TITLES, recognise_title
from node.importing.limits import Limits
from node.importing.table_shape import Column

DELIMITERS = (",", ";", "\t", "|")
HEADER_SEARCH_ROWS = 30
NEEDED = ("handle", "product_code", "product_name", "produced_on", "net_kg", "producer_uscc")


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header is (1-based row) and what its columns mean; `delimiter` "" for sheets."""

    row: int
    columns: tuple[Column, ...]
    delimiter: str = ""


def find_csv_header(records: Sequence[str], limits: Limits) -> Header:
    """Return delimiter, header row and columns from the first records of a CSV.

    Raise InvalidInput when no row is understood, LimitExceeded when it has too many columns.
    """
    best, best_known = Header(0, ()), 0
    for delimiter in DELIMITERS:
        rows = [split_record(text, delimiter) or [] for text in records]
        header, known = _best_row(rows, limits)
        if known > best_known:
            best, best_known = Header(header.row, header.columns, delimiter), known
    return checked(best, best_known)


def find_sheet_header(rows: Sequence[Sequence[str]], limits: Limits) -> Header:
    """Return header row and columns from the first rows of a sheet; raise as for a CSV."""
    return checked(*_best_row(rows, limits))


def _best_row(rows: Sequence[Sequence[str]], limits: Limits) -> tuple[Header, int]:
    best, best_known = Header(0, ()), 0
    for number, row in enumerate(rows, start=1):
        if len(row) > limits.columns:
            raise LimitExceeded(
                f"列数超过 {limits.columns}", f"More than {limits.columns} columns", code="columns"
            )
        columns = columns_of(row)
        known = sum(column.attribute is not None for column in columns)
        if known > best_known:
            best, best_known = Header(number, columns), known
    return best, best_known


def columns_of(titles: Sequence[str]) -> tuple[Column, ...]:
    """Return what each title means; the three columns of a result file mean nothing."""
    own = len(titles) - 3 if tuple(t.strip() for t in titles[-3:]) in RESULT_TITLES else len(titles)
    return tuple(
        Column(index, title.strip(), *(recognise_title(title) if index < own else (None, 0)))
        for index, title in enumerate(titles)
    )


def checked(header: Header, known: int) -> Header:
    """Return the header if it can carry batches; raise InvalidInput naming what is missing."""
    if known < 2:
        raise InvalidInput(
            "未找到表头:前 30 行中没有一行包含“标识编码”“净重(kg)”等列名",
            "No header found: none of the first 30 rows has titles such as handle, net_kg",
            code="no_header",
        )
    problems = [*_missing(header.columns), *_doubled(header.columns)]
    if problems:
        raise InvalidInput(
            ";".join(p.zh for p in problems),
            "; ".join(p.en for p in problems),
            code="header",
            problems=problems,
        )
    return header


def _missing(columns: Sequence[Column]) -> list[Problem]:
    present = {column.attribute for column in columns}
    return [
        Problem(
            f"header.{name}",
            "missing_column",
            f"缺少列“{TITLES[name][0]}”",
            f"The column {name} is missing",
            TITLES[name][0],
        )
        for name in NEEDED
        if name not in present
    ]


def _doubled(columns: Sequence[Column]) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[str, Column] = {}
    for column in columns:
        if column.attribute is None:
            continue
        earlier = first.setdefault(column.attribute, column)
        if earlier is not column:
            problems.append(
                Problem(
                    f"header[{column.index}]",
                    "doubled_column",
                    f"列“{column.title[:40]}”与“{earlier.title[:40]}”含义相同",
                    f"The columns {earlier.title[:40]} and {column.title[:40]} mean the same",
                )
            )
    return problems
