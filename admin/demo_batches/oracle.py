"""The true ancestors and descendants of some batches, to test answers about genealogies against.

Invariants: sets are exact over the rows written; long ones are given by size and SHA-256 only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from admin.demo_batches.chance import seeded
from admin.demo_batches.industry import Process

_LONGEST_LIST = 200
_Graph = Mapping[str, list[str]]


class Oracle:
    """Collects the genealogy of a run and writes the sets of `picks` random batches."""

    def __init__(self, path: Path, picks: int, seed: int) -> None:
        self._path = path
        self._picks = picks
        self._seed = seed
        self._parents: dict[str, list[str]] = {}

    def write(self, process: Process) -> None:
        """Note the parents of the batches of a process."""
        for batch in process.batches:
            self._parents[batch.lot.handle] = [lot.handle for lot, _ in batch.parents]

    def close(self) -> None:
        """Write one JSON object for each batch picked."""
        handles = list(self._parents)
        children: dict[str, list[str]] = {}
        for child, parents in self._parents.items():
            for parent in parents:
                children.setdefault(parent, []).append(child)
        picked = seeded(f"{self._seed}/oracle").sample(handles, min(self._picks, len(handles)))
        with self._path.open("w", encoding="utf-8", newline="\n") as file:
            for handle in picked:
                file.write(json.dumps(_answer(handle, self._parents, children)) + "\n")


def _answer(handle: str, parents: _Graph, children: _Graph) -> dict[str, object]:
    up, down = _reachable(handle, parents), _reachable(handle, children)
    answer: dict[str, object] = {
        "handle": handle,
        "ancestors": len(up),
        "descendants": len(down),
        "ancestors_sha256": _digest(up),
        "descendants_sha256": _digest(down),
    }
    if len(up) <= _LONGEST_LIST:
        answer["ancestor_ids"] = up
    if len(down) <= _LONGEST_LIST:
        answer["descendant_ids"] = down
    return answer


def _reachable(start: str, graph: _Graph) -> list[str]:
    """List all that can be reached from `start` in a graph, sorted; without itself."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for neighbour in graph.get(waiting.pop(), ()):
            if neighbour not in seen:
                seen.add(neighbour)
                waiting.append(neighbour)
    return sorted(seen)


def _digest(handles: list[str]) -> str:
    return hashlib.sha256("\n".join(handles).encode()).hexdigest()
