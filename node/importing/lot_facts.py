"""What the genealogy rules need to know of a lot: a small value kept for every lot of a file."""

from __future__ import annotations

import msgspec


class LotFacts(msgspec.Struct, frozen=True):
    """Facts of one lot, of the file or of the register.

    `reo_per_kg`: kg REO in one kg as received (rare-earth rules of `node.domain.rare_earth`), or None
    when unknown; `produced_on`: proleptic Gregorian ordinal, or None; `stage`: ORE … REC or "";
    `status`: record status (`active` …) for a registered lot, "" for a lot of the file;
    `net_kg`: net mass or None; `taken_kg`: mass already given to registered children.
    """

    reo_per_kg: float | None
    produced_on: int | None
    stage: str
    status: str = ""
    net_kg: float | None = None
    taken_kg: float = 0.0
