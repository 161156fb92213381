"""The ledger: what a load run was told, one JSON object a line, kept whatever happens to the run.

Each process appends to a file of its own, `ledger-<name>.ndjson`, so that no two write into one
place; a line is written with one system call, so the death of the process loses at most the line
being written, and a line that is cut short ends the file for readers. Lines, by their member `e`:

- `register`, `change`, `suspend`, `resume`: an effect that was acknowledged. `id`, `rev`, `st`
  (status after it), `src` (`api`, `batch`, `import`), `leaf` (hash of the log's leaf as the answer
  gave it, "" when it gave none), `facts` (digest of attributes and parents after it, see
  `facts_digest`), `t` (Unix ms)
- `replay`: a repeated request was answered; `id`, `leaf` as answered, which must be the first's
- `unknown`: a request was given up without an answer; what it asked of its identifiers (`ids`; none
  for one that the node was to number) may be done or not
- `resolve`: `n` resolutions over channel `ch` that ended in `out`, verified
- `fault`: something that was answered is wrong; `what` says it

Invariant: an effect is noted after its acknowledgement and before anything relies on it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

EFFECTS = ("register", "change", "suspend", "resume")
_GLOB = "ledger-*.ndjson"


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line; which members it has depends on `e`."""

    e: str
    t: int
    id: str = ""
    rev: int = 0
    st: str = ""
    src: str = ""
    leaf: str = ""
    facts: str = ""
    ids: tuple[str, ...] = ()
    ch: str = ""
    out: str = ""
    n: int = 0
    what: str = ""


_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


def facts_digest(attributes: Mapping[str, str], parents: Sequence[Mapping[str, str]]) -> str:
    """Return the digest of what a record says: 32 hex digits of SHA-256 over canonical JSON."""
    facts = {"attributes": attributes, "parents": parents}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class LedgerWriter:
    """Appends to the ledger of one process; use with `with`, or call `close`."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"ledger-{name}.ndjson"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags, 0o600)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def note(self, *lines: Line) -> None:
        """Append lines, all of them with one write."""
        if lines:
            self._write(b"".join(_encoder.encode(line) + b"\n" for line in lines))

    def close(self) -> None:
        """Sync what was written to disk and close."""
        os.fsync(self._file)
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]


def read_ledger(directory: Path) -> Iterator[Line]:
    """Give every whole line of every file; raises FileNotFoundError when there is no file."""
    files = sorted(directory.glob(_GLOB))
    if not files:
        raise FileNotFoundError(f"no ledger in {directory}")
    for path in files:
        yield from _lines_of(path)


def _lines_of(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for data in file:
            if not data.endswith(b"\n"):
                return
            yield _decoder.decode(data)


def now_ms() -> int:
    """Return the time of the machine in Unix ms."""
    return time.time_ns() // 1_000_000


def faults_in(lines: Iterable[Line]) -> list[str]:
    """Give what the faults noted say, in order."""
    return [line.what for line in lines if line.e == "fault"]
