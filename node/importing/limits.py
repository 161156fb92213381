"""How large an uploaded file may be; every reader takes these and stops at them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file, in bytes where not said otherwise.

    `unpacked`, `ratio`, `members` and `cells` bound what an XLSX may grow to; `record_bytes` bounds
    one CSV record or NDJSON line, so that a file without line ends cannot fill the memory.
    """

    file_bytes: int = 1 << 30
    rows: int = 1_048_576
    columns: int = 512
    cell_bytes: int = 32_767
    record_bytes: int = 1 << 20
    unpacked: int = 1 << 30
    ratio: int = 100
    members: int = 1_000
    cells: int = 40_000_000
