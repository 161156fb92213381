"""What a fault is: the change of one row, and how the spoilt row is to be written.

Invariants: a kind of fault is a function that spoils a row in place and tells what it did, or
leaves the row alone and gives None where it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import NamedTuple

from admin.demo_batches.chance import Chance
from admin.demo_batches.columns import INDEX, Row


class Writing(Enum):
    """How a spoilt row reaches the file."""

    PLAIN = "plain"
    AFTER_ORIGINAL = "after the unspoilt row"
    FOREIGN_ENCODING = "in another encoding than the file"
    UNQUOTED = "with an unquoted comma in the producer's name"


class Fault(NamedTuple):
    """One injection: the column ("*row*" for the whole row), its text before and after."""

    column: str
    before: str
    after: str
    writing: Writing = Writing.PLAIN


@dataclass(slots=True)
class Surroundings:
    """What faults depend on beside the row. `recent_ore` is the handle of an ore or concentrate."""

    chance: Chance
    encoding: str
    recent_ore: str = ""

    @property
    def foreign_encoding(self) -> str:
        """The encoding with which the file's is most often mixed up."""
        return "gbk" if self.encoding.startswith("utf") else "utf-8"


SpoilRow = Callable[[Row, Surroundings], Fault | None]


def change(row: Row, column: str, after: str, writing: Writing = Writing.PLAIN) -> Fault:
    """Put a text into a row and tell what was there before."""
    before = row[INDEX[column]]
    row[INDEX[column]] = after
    return Fault(column, before, after, writing)


def text(row: Row, column: str) -> str:
    """Give the text of a column."""
    return row[INDEX[column]]


def number(row: Row, column: str) -> float:
    """Give the number of a column that has one."""
    return float(row[INDEX[column]])


def production_day(row: Row) -> date:
    """Give the day on which a clean row was made."""
    return date.fromisoformat(row[INDEX["produced_on"]])
