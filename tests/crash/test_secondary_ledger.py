"""A secondary node killed at any moment holds what it acknowledged, whole and in order."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.apply_until_killed import ANSWER, BATCH, take_one, the_log
from tests.secondary_books import Books

PROGRAM = [sys.executable, "-m", "tests.crash.apply_until_killed"]
ROUND = 2 * BATCH
STEPS = [
    "BEGIN",
    "INSERT INTO entry",
    "INSERT INTO unapplied",
    "INSERT INTO record",
    "UPDATE prefix",
    "INSERT INTO tile",
    "UPDATE node",
    "INSERT INTO receipt",
    "INSERT INTO cosignature",
    "COMMIT",
    ANSWER,
]


def reopened(path: Path) -> Books:
    """Open the file after a crash, with the log it was sent."""
    books = Books(path, the_log(0))
    books.log = the_log(books.position().size)
    return books


def assert_whole(path: Path, size: int) -> None:
    """Check that `size` leaves are held and cosigned, that all fits, and that it can go on."""
    with closing(reopened(path)) as books:
        assert (books.position().size, books.position().cosigned_size) == (size, size)
        books.assert_sound()
        assert take_one(books) == (size + ROUND, size + ROUND)
        books.assert_sound()


@pytest.mark.parametrize("step", STEPS)
def test_killed_before_a_step_it_has_all_of_a_round_or_nothing(step: str, tmp_path: Path) -> None:
    path = tmp_path / "secondary.db"
    ended = subprocess.run([*PROGRAM, str(path), step], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert ended.stdout == f"{ROUND} {ROUND}\n"
    assert_whole(path, ROUND * (2 if step == ANSWER else 1))


@pytest.mark.parametrize("rounds", [1, 4, 9])
def test_killed_at_any_moment_it_holds_what_it_acknowledged(rounds: int, tmp_path: Path) -> None:
    path = tmp_path / "secondary.db"
    with subprocess.Popen([*PROGRAM, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(rounds)]
        process.kill()
        acknowledged += process.stdout.readlines()
    size = int(acknowledged[-1].split()[0])
    with closing(reopened(path)) as books:
        assert books.position().size in (size, size + ROUND)
    assert_whole(path, reopened_size(path))


def reopened_size(path: Path) -> int:
    """Return how many leaves are held."""
    with closing(reopened(path)) as books:
        return books.position().size
