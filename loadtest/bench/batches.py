"""Realistic batches for the benches: a CSV file, and the bodies of registration requests.

Invariants: all batches lie below PREFIX, as those of one enterprise do, their parents too; the same
number of rows gives the same bytes; parents come before their children.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

from loadtest.bench.processes import BenchFailed, run_to_end

PREFIX = "88.888.1502"
ITEMS_A_REQUEST = 1_000
# About 690 batches are made a day; none may be of the future when it is registered.
FIRST_DAY, LAST_DAY, LEAST_ROWS_A_DAY = date(2024, 10, 1), date(2026, 11, 1), 600
_GENERATED_PREFIX = re.compile(r"88\.888\.\d{4}/")
_CHECKOUT = Path(__file__).parents[2]

Rename = Callable[[str], str]


def write_batches(path: Path, rows: int) -> None:
    """Write a CSV file of `rows` batches, all below PREFIX, with English headings.

    However many, they were made before LAST_DAY: who makes more began earlier. Raises BenchFailed
    for more than identifiers have days for.
    """
    with tempfile.TemporaryDirectory(prefix="xibiao-bench-batches-") as directory:
        out = f"{directory}/batches"
        how = ["-n", str(rows), "-o", out, "--formats", "csv", "--start", str(first_day(rows))]
        python = ["env", f"--chdir={_CHECKOUT}", sys.executable]
        run_to_end([*python, "-m", "admin.demo_batches", *how])
        with Path(f"{out}.csv").open(encoding="utf-8") as source, path.open("w") as target:
            target.writelines(_GENERATED_PREFIX.sub(f"{PREFIX}/", line) for line in source)


def first_day(rows: int) -> date:
    """Return the day on which the makers of so many batches begin; raises BenchFailed."""
    day = min(FIRST_DAY, LAST_DAY - timedelta(days=rows // LEAST_ROWS_A_DAY))
    if day.year < 2000:
        raise BenchFailed(f"{rows} batches need more days than identifiers can name")
    return day


def own(handle: str) -> str:
    """Keep the identifier that the plant gave: product, line, day, number."""
    return handle


def scattered(handle: str) -> str:
    """Give an identifier of the same batch that falls anywhere among the others (ascii33)."""
    digest = hashlib.sha256(handle.encode()).digest()[:15]
    return f"{PREFIX}/{base64.b32encode(digest).decode()}"


def bulk_bodies(batches: Path, rename: Rename = own, *, size: int = ITEMS_A_REQUEST) -> list[bytes]:
    """Give the bodies of `identifiers:batch` for a file, `size` items each."""
    items = _items(batches, rename)
    bodies: list[bytes] = []
    while block := list(islice(items, size)):
        bodies.append(json.dumps({"items": block}, ensure_ascii=False).encode())
    return bodies


def write_single_bodies(batches: Path, target: Path) -> int:
    """Write a request body for `identifiers` a line, without parents; give their number.

    Parents are left out because requests that run side by side keep no order.
    """
    count = 0
    with target.open("w", encoding="utf-8") as file:
        for item in _items(batches, own):
            file.write(json.dumps({**item, "parents": []}, ensure_ascii=False) + "\n")
            count += 1
    return count


def _items(batches: Path, rename: Rename) -> Iterator[dict[str, object]]:
    with batches.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {
                "identifier": rename(row.pop("handle")),
                "parents": list(_parents(row.pop("parents").split("|"), rename)),
                "document": row["coa_no"],
                "attributes": {name: text for name, text in row.items() if text},
            }


def _parents(parts: Iterable[str], rename: Rename) -> Iterator[dict[str, str]]:
    for part in parts:
        handle, _, kg = part.partition("=")
        if handle:
            yield {"id": rename(handle), "kg": kg}
