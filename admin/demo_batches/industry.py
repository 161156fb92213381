"""The state of the scene between steps: stock, scrap, and the processes that turn lots into lots.

Invariants: the parents of the batches of a process share its draws by REO and never exceed them;
only lots with something left are in stock; random numbers are drawn in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from admin.demo_batches.chance import Chance
from admin.demo_batches.figures import Figures, rounded_figures
from admin.demo_batches.lots import Draw, Lot, Plan, plain_sum
from admin.demo_batches.rows import Batch, RowMaker, Run
from admin.demo_batches.suffixes import Suffixes

# Below this many rows a small industry is run, so that even few rows reach the magnets.
_ROWS_OF_FULL_SCALE = 2000
_SMALL_SCALE = 0.30


@dataclass(frozen=True, slots=True)
class Order:
    """What to make: number of rows, seed, first campaign day, handle prefix of all companies."""

    rows: int
    seed: int
    start: date
    prefix: str


@dataclass(frozen=True, slots=True)
class Process:
    """One transformation. `day` is that of its first batch; `is_whole` unless rows ran out."""

    process_id: str
    plant: str
    day: int
    draws: Sequence[Draw]
    batches: Sequence[Batch]
    is_whole: bool = True

    @property
    def lots(self) -> list[Lot]:
        """The lots that were made."""
        return [batch.lot for batch in self.batches]


@dataclass(slots=True)
class Scrap:
    """What magnet lines have set aside, by line: grinding sludge and blocks."""

    sludge: dict[str, list[Draw]] = field(default_factory=dict)
    blocks: dict[str, list[Draw]] = field(default_factory=dict)


class Industry:
    """All plants of the scene. Steps take what they need from it and put back what they make."""

    def __init__(self, order: Order) -> None:
        self.chance = Chance(order.seed)
        self.scale = 1.0 if order.rows >= _ROWS_OF_FULL_SCALE else _SMALL_SCALE
        self.day = float(order.start.toordinal())
        self.scrap = Scrap()
        self.returning: list[Lot] = []  # recycled lots that are not yet usable
        self.cast_for: dict[str, str] = {}  # suffix of an alloy -> magnet grade
        self._pools: dict[str, list[Lot]] = {}
        self._suffixes = Suffixes()
        self._rows = RowMaker(order.prefix, self._suffixes, self.chance)
        self._runs: dict[str, int] = {}

    @property
    def is_full_scale(self) -> bool:
        """Whether lots have their ordinary sizes."""
        return self.scale == 1

    def pool(self, code: str) -> list[Lot]:
        """Give the stock of a product, oldest first, to draw from."""
        return self._pools.setdefault(code, [])

    def merge_pools(self, into: str, other: str) -> list[Lot]:
        """Move the stock of one product to another's and give it, in order of age."""
        pool = self.pool(into)
        pool.extend(self._pools.pop(other, ()))
        pool.sort(key=lambda lot: lot.day)
        return pool

    def make(self, plant: str, draws: Sequence[Draw], plans: Sequence[Plan]) -> Process:
        """Run a process and put what it made and did not sell into stock."""
        process = self.finish(plant, draws, plans)
        for lot in process.lots:
            if lot.left_kg > 0:
                self.pool(lot.code).append(lot)
        return process

    def finish(self, plant: str, draws: Sequence[Draw], plans: Sequence[Plan]) -> Process:
        """Run a process whose batches leave the scene or are stocked elsewhere."""
        figures = [rounded_figures(plan, self.chance) for plan in plans]
        day = min([plan.day for plan in plans])
        run = self._number_run(plant, day, draws, figures)
        batches = [
            self._rows.make(plan, figure, run, parents)
            for plan, figure, parents in zip(
                plans, figures, _parents_of_each(draws, figures), strict=True
            )
        ]
        return Process(run.process_id, plant, day, draws, batches)

    def _number_run(
        self, plant: str, day: int, draws: Sequence[Draw], figures: Sequence[Figures]
    ) -> Run:
        yymmdd = self._suffixes.day_texts(day).yymmdd
        number = self._runs[plant + yymmdd] = self._runs.get(plant + yymmdd, 0) + 1
        reo_in = recycled_in = 0.0
        for lot, kg in draws:
            reo_kg = lot.reo_per_kg * kg
            reo_in += reo_kg
            recycled_in += reo_kg * lot.recycled
        recovery, recycled = "", recycled_in
        if draws:
            reo_out = plain_sum([figure.reo_kg for figure in figures])
            recovery, recycled = f"{100.0 * reo_out / reo_in:.2f}", recycled_in / reo_in
        if plant[0] == "R":
            # What a recycler makes is recycled, whatever the scrap came from.
            recycled = 1.0
        return Run(f"T-{plant}-{yymmdd}-{number:03d}", plant, recovery, recycled)


def _parents_of_each(draws: Sequence[Draw], figures: Sequence[Figures]) -> list[Sequence[Draw]]:
    """Share the draws among the batches by their REO; the last one gets what is left."""
    if len(figures) == 1:
        return [draws]
    total = plain_sum([figure.reo_kg for figure in figures])
    left = [kg for _, kg in draws]
    shares: list[Sequence[Draw]] = []
    for figure in figures[:-1]:
        part = figure.reo_kg / total
        taken = [min(round(kg * part, 2), rest) for (_, kg), rest in zip(draws, left, strict=True)]
        left = [round(rest - kg, 2) for rest, kg in zip(left, taken, strict=True)]
        shares.append(_positive(draws, taken))
    shares.append(_positive(draws, left))
    return shares


def _positive(draws: Sequence[Draw], masses: Sequence[float]) -> list[Draw]:
    return [Draw(lot, kg) for (lot, _), kg in zip(draws, masses, strict=True) if kg > 0]
