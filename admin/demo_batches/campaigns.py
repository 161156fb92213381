"""Campaign after campaign, from ore to magnets and back, until enough rows are made.

Invariants: rows come parents first; the same order gives the same processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from admin.demo_batches.columns import NAMES
from admin.demo_batches.industry import Industry, Order, Process
from admin.demo_batches.magnets import cast_alloys, sinter
from admin.demo_batches.metals import electrolyse, polish, store_hydrogen
from admin.demo_batches.minerals import beneficiate, crack
from admin.demo_batches.parties import DEFAULT_PREFIX
from admin.demo_batches.recycling import recycle, return_recycled
from admin.demo_batches.separation import separate

DEFAULT_SEED = 20241001
FIRST_DAY = date(2024, 10, 1)

# About 188,650 t of REO a year.
_REO_KG_PER_DAY = 5.17e5


def iter_processes(order: Order) -> Iterator[Process]:
    """Give the processes that make the rows ordered; the last one is cut to the row."""
    left = order.rows
    processes = _all_processes(Industry(order))
    while left > 0:
        process = next(processes)
        if len(process.batches) > left:
            process = replace(process, batches=process.batches[:left], is_whole=False)
        left -= len(process.batches)
        yield process


def iter_rows(
    rows: int, seed: int = DEFAULT_SEED, prefix: str = DEFAULT_PREFIX
) -> Iterator[dict[str, str]]:
    """Give clean rows, parents first, as column name -> text.

    `prefix` is what comes before the four-digit node code in every handle. `parents` is
    `handle=kg|handle=kg`, "" for none. Lazy: only the stock of the scene is held in memory.
    """
    for process in iter_processes(Order(rows, seed, FIRST_DAY, prefix)):
        for batch in process.batches:
            yield dict(zip(NAMES, batch.row, strict=True))


def _all_processes(industry: Industry) -> Iterator[Process]:
    while True:
        target_kg = industry.chance.uniform(60e3, 140e3) * industry.scale
        industry.day += target_kg / _REO_KG_PER_DAY
        return_recycled(industry)
        yield from beneficiate(industry, target_kg)
        yield from crack(industry)
        yield from separate(industry)
        yield from electrolyse(industry)
        yield from polish(industry)
        yield from store_hydrogen(industry)
        yield from cast_alloys(industry)
        yield from sinter(industry)
        yield from recycle(industry)
