"""Draw the five figures of the acceptance report, each from plain numbers and ready-made words.

Invariants: scales begin at zero; the number behind a mark is in its title; a chart is drawn twice,
`WIDE` and `NARROW`, and the page shows the one that fits; a single huge day never flattens the
rest: its bar is broken and carries its number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from admin.acceptance.documents.svg import (
    Drawing,
    Element,
    area_within,
    line_through,
    mark,
    words,
)

WIDE = 760
NARROW = 340
# Classes of the claim's mark: reached, or short of the target; no green for what is short.
REACHED = "f2"
SHORT = "fx"
_BREAK_ABOVE = 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its value and the value as it is written."""

    name: str
    value: float
    written: str


@dataclass(frozen=True, slots=True)
class Goal:
    """A line to reach or not to pass, with its words."""

    value: float
    words: str


def nested_bars(
    bars: Sequence[Bar], goal: Goal, *, sentence: str, width: int, claim: str = REACHED
) -> Drawing:
    """Draw four bars on one zero-based scale against the target; the last one is the claim."""
    left, right = 28.0, width - 68.0
    scale = (right - left) / max(goal.value, *(bar.value for bar in bars), 1)
    marks: list[Element] = []
    shades = ("f5s", "f1s", "f1m", claim)
    for row, bar in enumerate(bars):
        top = 26 + 27 * row
        weight = "lab" if row == len(bars) - 1 else ""
        marks.append(words(bar.name, 0, top + 13, weight))
        long = bar.value * scale
        shape = mark(
            "rect", shades[row], f"{bar.name} {bar.written}",
            x=left, y=top, width=long, height=18, rx=2,
        )  # fmt: skip
        marks += [shape, words(bar.written, right + 8, top + 13, weight)]
    height = 30 + 27 * len(bars)
    return Drawing(
        width, height + 12, sentence, (*marks, *_target(goal, left, scale, height, width))
    )


def _target(goal: Goal, left: float, scale: float, bottom: float, width: int) -> list[Element]:
    at = left + goal.value * scale
    side = "end" if at > width / 2 else ""
    line = mark("line", "tgt", goal.words, x1=at, x2=at, y1=18, y2=bottom)
    return [line, words(goal.words, at, 12, f"lab {side}")]


def parts_bar(
    kept: Bar,
    parts: Sequence[Bar],
    *,
    goal: Goal,
    captions: tuple[str, str],
    sentence: str,
    width: int,
    claim: str = REACHED,
) -> Drawing:
    """Draw one bar of a whole: what is kept, then each deduction, smallest first.

    `parts` come in the order of their table; a part's colour is its place there.
    """
    shown = [(bar, f"q{place % 7 + 1}") for place, bar in enumerate(parts) if bar.value > 0]
    shown.sort(key=lambda pair: pair[0].value)
    whole = max(kept.value + sum(bar.value for bar, _ in shown), goal.value, 1)
    scale = (width - len(shown)) / whole
    marks: list[Element] = []
    at = 0.0
    for bar, shade in [(kept, claim), *shown]:
        long = bar.value * scale
        title = f"{bar.name} {bar.written}"
        marks.append(mark("rect", shade, title, x=at, y=26, width=long, height=22))
        at += long + 1
    marks += _target(goal, 0, scale, 54, width)
    marks += [words(captions[0], 0, 64), words(captions[1], width, 64, "end")]
    return Drawing(width, 68, sentence, tuple(marks))


def lag_line(
    days: Sequence[Bar | None], names: Sequence[str], *, limit: Goal, sentence: str, width: int
) -> Drawing:
    """Draw a value of each day as a line below its limit; a day without a value breaks the line.

    `days` and `names` are equally long; values are in seconds.
    """
    left, right, top, bottom = 40.0, width - 58.0, 14.0, 118.0
    present = [(place, bar) for place, bar in enumerate(days) if bar is not None]
    highest = max([limit.value, *(bar.value for _, bar in present)])
    step = _round_step(highest / 3)
    scale = (bottom - top) / (highest * 1.06)
    marks: list[Element] = []
    for tick in range(math.floor(highest / step) + 1):
        y = bottom - tick * step * scale
        marks.append(mark("line", "g" if tick else "ax", x1=left, x2=right, y1=y, y2=y))
        marks.append(words(f"{tick * step:g} s", left - 6, y + 4, "tick end"))
    y = bottom - limit.value * scale
    marks.append(mark("line", "lim", limit.words, x1=left, x2=right, y1=y, y2=y))
    marks.append(words(limit.words, right + 5, y + 4, "tb"))
    space = (right - left) / max(len(days) - 1, 1)
    spots = {place: (left + place * space, bottom - bar.value * scale) for place, bar in present}
    for run in _runs(sorted(spots)):
        line = [spots[place] for place in run]
        marks.append(area_within([(line[0][0], bottom), *line, (line[-1][0], bottom)], "f1s"))
        marks.append(line_through(line, "l1"))
    radius = 1.6 if len(present) < 100 else 0.8
    for place, bar in present:
        x, y = spots[place]
        marks.append(mark("circle", "f1", f"{names[place]} {bar.written}", cx=x, cy=y, r=radius))
    if present and abs(spots[present[-1][0]][1] - (bottom - limit.value * scale)) > 10:
        marks.append(words(present[-1][1].written, right + 5, spots[present[-1][0]][1] + 4, "lab"))
    marks += _dates(names, left, space, bottom + 16, width)
    return Drawing(width, 140, sentence, tuple(marks))


def _runs(places: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def day_bars(days: Sequence[Bar], *, sentence: str, width: int) -> Drawing:
    """Draw the count of each day; days far above the others are broken and carry their number."""
    left, right, top, bottom = 48.0, width - 8.0, 26.0, 128.0
    ceiling = _ceiling([bar.value for bar in days])
    step = max(_round_step(ceiling / 3), 1.0)
    scale = (bottom - top) / ceiling
    marks: list[Element] = []
    for tick in range(math.floor(ceiling / step) + 1):
        y = bottom - tick * step * scale
        marks.append(mark("line", "g" if tick else "ax", x1=left, x2=right, y1=y, y2=y))
        marks.append(words(f"{tick * step:,.0f}", left - 6, y + 4, "tick end"))
    space = (right - left) / max(len(days), 1)
    thick = min(max(space * 0.72, 0.6), 26)
    for place, bar in enumerate(days):
        x = left + place * space + (space - thick) / 2
        broken = bar.value > ceiling
        tall = bottom - top + 8 if broken else bar.value * scale
        title = f"{bar.name} {bar.written}"
        marks.append(mark("rect", "f1", title, x=x, y=bottom - tall, width=thick, height=tall))
        if broken:
            marks += _break(x, thick, top + 10)
    marks += _written_above([bar for bar in days if bar.value > ceiling], days, left, space, width)
    marks += _dates([bar.name for bar in days], left + space / 2, space, bottom + 16, width)
    return Drawing(width, 150, sentence, tuple(marks))


def _break(x: float, thick: float, y: float) -> list[Element]:
    reach = max(thick, 4)
    start = x + thick / 2 - reach / 2 - 1
    zigzag = [(start + (reach + 2) * part / 4, y + (3, -3)[part % 2]) for part in range(5)]
    return [line_through(zigzag, "cut")]


def _written_above(
    broken: list[Bar], days: Sequence[Bar], left: float, space: float, width: int
) -> list[Element]:
    """Write the numbers of broken bars, as many as do not run into each other."""
    marks: list[Element] = []
    free_from = 0.0
    for bar in broken:
        centre = left + (days.index(bar) + 0.5) * space
        half = 3.4 * len(bar.written)
        centre = min(max(centre, half), width - half)
        if centre - half >= free_from:
            marks.append(words(bar.written, centre, 12, "lab mid"))
            free_from = centre + half + 6
    return marks


def _ceiling(values: list[float]) -> float:
    """Return where the axis ends: at the largest value that is not far above the others."""
    present = sorted(value for value in values if value > 0)
    if not present:
        return 1.0
    usual = present[math.ceil(len(present) * 0.75) - 1]
    kept = [value for value in present if value <= usual * _BREAK_ABOVE]
    return max(kept) * 1.08 if len(present) > 2 else present[-1]


def _round_step(raw: float) -> float:
    """Return the next of 1, 2, 5 × 10ⁿ that is not below the raw step."""
    power = 10.0 ** math.floor(math.log10(max(raw, 1e-6)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)


def _dates(names: Sequence[str], left: float, space: float, y: float, width: int) -> list[Element]:
    """Write the first, the last and some dates between, far enough apart to be read."""
    if not names:
        return []
    count = min(len(names), 8 if width > 500 else 4)
    places = {round(n * (len(names) - 1) / max(count - 1, 1)) for n in range(count)}
    marks = []
    for place in sorted(places):
        x = left + place * space
        half = 3.2 * len(names[place])
        marks.append(words(names[place], min(max(x, half), width - half), y, "mid"))
    return marks


def week_squares(
    counts: Sequence[Sequence[int]],
    weekdays: Sequence[str],
    *,
    hours: str,
    sentence: str,
    width: int,
) -> Drawing:
    """Draw 7 × 24 squares in five steps of the largest; `hours` is the word after an hour."""
    left = 36.0
    space = (width - left) / 24
    tall = min(space, 20.0)
    highest = max(max(row) for row in counts)
    marks: list[Element] = []
    for day, row in enumerate(counts):
        y = 4 + day * tall
        marks.append(words(weekdays[day], 0, y + tall / 2 + 4))
        for hour, count in enumerate(row):
            shade = f"h{math.ceil(4 * count / highest)}" if count else "h0"
            title = f"{weekdays[day]} {hour}{hours} {count:,}"
            square = mark(
                "rect", shade, title,
                x=left + hour * space, y=y, width=space - 1.5, height=tall - 1.5,
            )  # fmt: skip
            marks.append(square)
    bottom = 4 + 7 * tall + 13
    for hour in range(0, 24, 3):
        marks.append(words(f"{hour}", left + (hour + 0.5) * space, bottom, "tick mid"))
    return Drawing(width, round(bottom + 6), sentence, tuple(marks))
