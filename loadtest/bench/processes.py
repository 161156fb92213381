"""Processes of a bench: on which core they run, what processor time they use, how they end.

Invariants: the measured program is alone on SERVER_CORE, load and databases are on LOAD_CORE, so
that one does not take the other's time; a program that fails ends the bench with its own words.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SERVER_CORE = 0
LOAD_CORE = 1

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat behind the name in brackets: proc(5) counts them from 3.
_UTIME, _CHILDREN_STIME = 14 - 3, 17 - 3


class BenchFailed(Exception):
    """A program of a bench did not do what the figure needs, so that there is no figure."""


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Give the command that runs `command` on one core, by number from 0."""
    return ["taskset", "--cpu-list", str(core), *command]


def run_to_end(
    command: Sequence[str], *, extra_environment: Mapping[str, str] | None = None, text: str = ""
) -> str:
    """Run a program with `text` as its input and give what it printed.

    Raises BenchFailed with the program's output when it ends with another status than 0.
    """
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(extra_environment or {})},
    )
    if done.returncode:
        raise BenchFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def processor_seconds(pid: int) -> float:
    """Give the processor time of a process and all below it, ended ones included, in seconds.

    0 when the process is gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = stat.rpartition(") ")[2].split()
    own = sum(int(ticks) for ticks in fields[_UTIME : _CHILDREN_STIME + 1])
    return own / _TICKS_PER_S + sum(processor_seconds(int(child)) for child in children)


class CoreMeter:
    """Measures how many cores some processes, each with all below it, use from now on."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self._began_s = time.monotonic()
        self._used_s = self._total_s()

    def cores(self) -> float:
        """Give the mean number of cores used since construction."""
        return (self._total_s() - self._used_s) / (time.monotonic() - self._began_s)

    def _total_s(self) -> float:
        return sum(processor_seconds(pid) for pid in self._pids)
