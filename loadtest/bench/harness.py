"""What a bench is: product and ceiling in turn, medians, spread, ratio, a table and a record.

Invariants: there are at least three rounds, and within a round product and ceiling follow or
accompany each other, so that both meet the same foreign load; a record says on which machine and at
which commit it was measured; no figure fails a bench.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from loadtest.bench.processes import BenchFailed, run_to_end

RESULTS = Path(__file__).parent / "results"
LEAST_ROUNDS = 3


class Better(Enum):
    """Which way a figure is good."""

    HIGHER = "≥"
    LOWER = "≤"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured figure, with what a reader should know about the run."""

    value: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The samples of all rounds. `ceiling` is empty where the figure is judged by itself."""

    product: tuple[Sample, ...]
    ceiling: tuple[Sample, ...]
    unit: str

    @property
    def value(self) -> float:
        """The median of the product."""
        return _median(self.product)

    @property
    def ceiling_value(self) -> float | None:
        """The median of the ceiling."""
        return _median(self.ceiling) if self.ceiling else None

    @property
    def ratio(self) -> float | None:
        """The product as a part of the ceiling: the median of the rounds.

        The two of a round follow each other closely; from round to round a shared machine changes
        its speed by half.
        """
        rounds = zip(self.product, self.ceiling, strict=True)
        return statistics.median(p.value / c.value for p, c in rounds) if self.ceiling else None

    @property
    def judged(self) -> float:
        """The figure that `must` and `goal` are about: the ratio, or else the value."""
        return self.value if self.ratio is None else self.ratio

    @property
    def runs(self) -> list[list[float]]:
        """Product and ceiling, or the product alone, round by round."""
        series = [self.product, self.ceiling] if self.ceiling else [self.product]
        return [[sample.value for sample in round_] for round_ in zip(*series, strict=True)]


@dataclass(frozen=True, slots=True)
class Bench:
    """One bench. `must` and `goal` are ratios, or values in the comparison's unit without ceiling.

    `run` measures from nothing: it starts what it needs and leaves nothing behind. It raises
    BenchFailed when there is no figure to give.
    """

    id: str
    title: str
    must: float | None
    goal: float | None
    run: Callable[[], Comparison]
    better: Better = Better.HIGHER

    def verdict(self, judged: float) -> str:
        """Say in Chinese and English what a figure reaches."""
        if self._reaches(judged, self.goal):
            return "达到目标 goal"
        if self._reaches(judged, self.must):
            return "达到底线 must"
        return "未达底线 MISSED"

    def _reaches(self, judged: float, bound: float | None) -> bool:
        if bound is None:
            return False
        return judged >= bound if self.better is Better.HIGHER else judged <= bound


def interleave(
    product: Callable[[], Sample],
    ceiling: Callable[[], Sample],
    *,
    unit: str,
    rounds: int = LEAST_ROUNDS,
) -> Comparison:
    """Measure product and ceiling in turn, and print every sample as it comes.

    The order within a round alternates, so that neither always comes second. Raises ValueError for
    less than three rounds.
    """
    _check_rounds(rounds)
    samples: dict[str, list[Sample]] = {"product": [], "ceiling": []}
    for number in range(rounds):
        turns = [("product", product), ("ceiling", ceiling)]
        for name, measure in turns if number % 2 == 0 else reversed(turns):
            samples[name].append(_measure(name, number, measure, unit=unit))
    return Comparison(tuple(samples["product"]), tuple(samples["ceiling"]), unit)


def side_by_side(
    product: Callable[[], Sample],
    ceiling: Callable[[], Sample],
    *,
    unit: str,
    rounds: int = LEAST_ROUNDS,
) -> Comparison:
    """Measure both at the same time, each round, and print every sample.

    For figures that sharing a core does not change, such as processor time for an answer: whatever
    the machine does to one, it does to the other. Raises ValueError for less than three rounds.
    """
    _check_rounds(rounds)
    pairs: list[tuple[Sample, Sample]] = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(rounds):
            ours = pool.submit(_measure, "product", number, product, unit=unit)
            theirs = pool.submit(_measure, "ceiling", number, ceiling, unit=unit)
            pairs.append((ours.result(), theirs.result()))
    samples = tuple(zip(*pairs, strict=True))
    return Comparison(samples[0], samples[1], unit)


def repeat(product: Callable[[], Sample], *, unit: str, rounds: int = LEAST_ROUNDS) -> Comparison:
    """Measure a figure that is judged by itself. Raises ValueError for less than three rounds."""
    _check_rounds(rounds)
    samples = [_measure("product", number, product, unit=unit) for number in range(rounds)]
    return Comparison(tuple(samples), (), unit)


def table(bench: Bench, comparison: Comparison) -> str:
    """Show the medians with their spread, the ratio and what it reaches."""
    lines = [f"{bench.id}  {bench.title}"]
    for name, samples in (
        ("产品 product", comparison.product),
        ("上限 ceiling", comparison.ceiling),
    ):
        if samples:
            runs = " ".join(f"{sample.value:,.6g}" for sample in samples)
            lines.append(
                f"  {name}  {_median(samples):>14,.6g} {comparison.unit}"
                f"  ±{_spread(samples) / 2:.0%}  ({runs})"
            )
    bounds = " ".join(
        f"{name} {bench.better.value} {bound:g}"
        for name, bound in (("must", bench.must), ("goal", bench.goal))
        if bound is not None
    )
    figure = "数值 value" if comparison.ratio is None else "比值 ratio"
    judged = comparison.judged
    lines.append(f"  {figure}    {judged:>14.4g} [{bounds}]  {bench.verdict(judged)}")
    return "\n".join(lines)


def record(bench: Bench, comparison: Comparison, *, now: datetime, commit: str) -> str:
    """Give the record of a bench as one line of JSON. `now` is aware."""
    return json.dumps(
        {
            "bench": bench.id,
            "ratio": comparison.ratio,
            "value": comparison.value,
            "ceiling": comparison.ceiling_value,
            "runs": comparison.runs,
            "unit": comparison.unit,
            "date": now.isoformat(timespec="seconds"),
            "commit": commit,
            "must": bench.must,
            "goal": bench.goal,
            "machine": machine(),
        },
        ensure_ascii=False,
    )


def run_and_record(bench: Bench, results: Path = RESULTS) -> None:
    """Run a bench, print its table and append its record to the file of the day."""
    comparison = bench.run()
    now = datetime.now(UTC)
    line = record(bench, comparison, now=now, commit=current_commit())
    results.mkdir(exist_ok=True)
    with (results / f"{now.date().isoformat()}.json").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(table(bench, comparison), flush=True)


def machine() -> str:
    """Describe the machine: processor, cores, memory, kernel, Python."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = models[0] if models else platform.machine()
    return (
        f"{os.cpu_count()} x {processor}, {memory_gib:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def current_commit() -> str:
    """Give the commit of the checkout, with `+` when files differ from it, "" outside of git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = run_to_end([*git, "rev-parse", "--short=12", "HEAD"]).strip()
        changed = run_to_end([*git, "status", "--porcelain", "--untracked-files=no"]).strip()
    except (BenchFailed, FileNotFoundError):
        return ""
    return commit + ("+" if changed else "")


def _measure(name: str, number: int, measure: Callable[[], Sample], *, unit: str) -> Sample:
    sample = measure()
    print(f"    {number + 1} {name:8} {sample.value:>14,.6g} {unit}  {sample.note}", flush=True)
    return sample


def _check_rounds(rounds: int) -> None:
    if rounds < LEAST_ROUNDS:
        raise ValueError(f"{rounds} rounds are less than {LEAST_ROUNDS}")


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.value for sample in samples)


def _spread(samples: Sequence[Sample]) -> float:
    """Give the distance between the extremes as a part of the median."""
    values = [sample.value for sample in samples]
    return (max(values) - min(values)) / statistics.median(values)
