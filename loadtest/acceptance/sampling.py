"""Memory of every process of a site, second by second; its slope over time.

Invariant: a process that was killed and started again is followed on under its name.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.ledger import now_ms

_KIB_A_MIB = 1024
_MS_AN_HOUR = 3_600_000.0
# A new process first fills its caches: what it takes on at its beginning is no leak.
WARM_UP_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class MemorySample:
    """The resident memory of one process, in MiB."""

    at_ms: int
    name: str
    pid: int
    mib: float


class MemorySampler:
    """Samples processes; `pids` gives those that run, by name."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self._pids = pids
        self.samples: list[MemorySample] = []

    def sample(self) -> None:
        """Take one sample of each process; one that is just down is passed over."""
        at = now_ms()
        for name, pid in self._pids().items():
            kib = _resident_kib(pid)
            if kib:
                self.samples.append(MemorySample(at, name, pid, kib / _KIB_A_MIB))


@dataclass(frozen=True, slots=True)
class Growth:
    """How the memory of a process behaved: MiB at the end, its slope in %/h, over `hours`."""

    name: str
    mib: float
    percent_an_hour: float
    hours: float


def growth(samples: Sequence[MemorySample]) -> list[Growth]:
    """Return the growth of every process by linear regression over its longest life."""
    found = []
    for name in dict.fromkeys(sample.name for sample in samples):
        lives: dict[int, list[MemorySample]] = {}
        for sample in samples:
            if sample.name == name:
                lives.setdefault(sample.pid, []).append(sample)
        life = max(lives.values(), key=lambda one: one[-1].at_ms - one[0].at_ms)
        settled = life[int(len(life) * WARM_UP_SHARE) :]
        found.append(_growth(name, settled))
    return found


def _growth(name: str, life: Sequence[MemorySample]) -> Growth:
    hours = [(sample.at_ms - life[0].at_ms) / _MS_AN_HOUR for sample in life]
    mib = [sample.mib for sample in life]
    slope = statistics.linear_regression(hours, mib).slope if len(set(hours)) > 1 else 0.0
    return Growth(name, mib[-1], 100 * slope / statistics.fmean(mib), hours[-1])


def _resident_kib(pid: int) -> int:
    """Return the resident memory of a process and its children; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    own = sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return own + sum(_resident_kib(int(child)) for child in children)
