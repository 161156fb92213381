"""Give the uploaded file back with three more columns: 状态, 原因, 建议."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from node.importing.table_reader import Table


class Language(StrEnum):
    """Language of the added columns."""

    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, slots=True)
class RowResult:
    """The three added cells of one row; `row` as Excel shows it."""

    row: int
    status: str
    reason: str
    suggestion: str


def write_result(
    table: Table, results: Iterable[RowResult], target: Path, *, language: Language = Language.ZH
) -> None:
    """Write `table` to `target` in its own format; `results` in ascending row order, gaps allowed."""
    raise NotImplementedError
