"""Files of the demonstration generator: clean or spoilt, with side file and truth.

Invariants: the same arguments give the same bytes; no batch is one of those that a node started
with `--demo` registers, because the files begin on a later day than those end.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.trials.findings import TrialFailed
from loadtest.trials.xibiao_command import run_to_end

FIRST_DAY = "2025-01-15"


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A generated CSV file of `rows` batches and the files beside it."""

    csv: Path
    rows: int

    @property
    def side_file(self) -> Path:
        """What was spoilt, where, and what should happen."""
        return self.csv.with_suffix(".injected.csv")

    def truth(self) -> dict[str, dict[str, object]]:
        """Give the clean batches by identifier; numbers as the text they are written in."""
        lines = self.csv.with_suffix(".ndjson").read_text(encoding="utf-8").splitlines()
        batches = [json.loads(line, parse_float=str, parse_int=str) for line in lines]
        return {str(batch["handle"]): batch for batch in batches}


def write_batches(
    place: Path, rows: int, seed: int, options: Sequence[str] = ("--formats", "csv")
) -> BatchFile:
    """Write `batches.csv` into `place`, with further options of the generator."""
    place.mkdir(parents=True, exist_ok=True)
    generator = [sys.executable, "-m", "admin.demo_batches", "-n", str(rows), "--seed", str(seed)]
    where = ["--start", FIRST_DAY, "-o", str(place / "batches")]
    done = run_to_end([*generator, *where, *options], {})
    if done.status:
        raise TrialFailed(f"the generator: {done.errors}")
    return BatchFile(place / "batches.csv", rows)


def identifiers(file: BatchFile) -> Iterator[str]:
    """Give the identifiers of a clean file, row by row."""
    with file.csv.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield row["handle"]


def items(file: BatchFile) -> Iterator[dict[str, object]]:
    """Give the rows of a clean file as registrations; without parents, so in any order."""
    with file.csv.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            del row["parents"]
            yield {
                "identifier": row.pop("handle"),
                "attributes": {name: text for name, text in row.items() if text},
                "document": row["coa_no"],
            }
