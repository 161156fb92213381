"""Fixtures of a secondary node's books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.secondary_books import Books
from tests.tiny_log import TinyLog


@pytest.fixture
def log() -> TinyLog:
    """A small log."""
    return TinyLog()


@pytest.fixture
def books(tmp_path: Path, log: TinyLog) -> Iterator[Books]:
    """Books that know the node of `log` and its template."""
    with closing(Books(tmp_path / "secondary.db", log)) as opened:
        yield opened
