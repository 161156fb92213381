"""Registrations as they are asked for and noted in the ledger; no client of any kind is in here."""

from __future__ import annotations

from typing import Any

from loadtest.bench.batches import PREFIX
from loadtest.ledger import Line, now_ms
from loadtest.suites.load_run import LoadRun
from loadtest.suites.plant_data import Row

# A share of single registrations leaves the numbering to the node; they are of an earlier year
# than any row, so that the numbers given never meet one that a row brings along.
MINTED_SHARE = 0.2
_MINTED_DAY = "2019-0{month}-{day:02d}"


def effect_line(effect: str, answer: dict[str, Any], source: str, facts: str) -> Line:
    """Return the ledger's line of an acknowledged effect."""
    return Line(
        effect,
        now_ms(),
        id=str(answer["identifier"]),
        rev=int(answer["revision"]),
        st=str(answer["status"]),
        src=source,
        leaf=str(answer["receipt"]["leaf_hash"]),
        facts=facts,
    )


def minted(row: Row, run: LoadRun) -> dict[str, object]:
    """Return a registration without identifier, made from a row, of a lot of its own."""
    number = run.next_number()
    day = _MINTED_DAY.format(month=1 + number % 9, day=1 + number % 28)
    own = {"lot_no": f"LT-{run.name}-{number}"[:40], "produced_on": day}
    return {"prefix": PREFIX, "attributes": {**row.attributes, **own}}


def check_identifier(run: LoadRun, answer: dict[str, Any], row: Row) -> None:
    """Note a fault unless a row was registered under its own identifier."""
    if answer["identifier"] != row.identifier:
        run.note_fault(
            f"登记了别的标识 {answer['identifier']} was registered, not {row.identifier}"
        )
