"""Line charts over time as inline SVG, drawn without any library (pure).

A chart has one axis of time, one of values beginning at 0, at most three lines, and a bound drawn
across when there is one. Colours differ in lightness too, and each line is named at its legend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 760, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 14, 26
COLOURS = ("#0b5cad", "#c2571a", "#5b6777")
_POINTS = 240


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name in both languages, and a value for each second."""

    zh: str
    en: str
    values: Sequence[float]


def chart(title: tuple[str, str], unit: str, lines: Sequence[Line], *, bound: float = 0.0) -> str:
    """Return a figure with title, legend and lines; `bound` 0: none."""
    seconds = max((len(line.values) for line in lines), default=0)
    top = _round_up(max([bound, *(max(line.values, default=0.0) for line in lines)]))
    drawn = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{points}"/>'
        for line, colour in zip(lines, COLOURS, strict=False)
        if (points := _points(line.values, top))
    )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{escape(line.zh)}'
        f' <small lang="en">{escape(line.en)}</small></span>'
        for line, colour in zip(lines, COLOURS, strict=False)
    )
    zh, en = map(escape, title)
    return (
        f'<figure><figcaption>{zh} <small lang="en">{en}</small> <b>{escape(unit)}</b></figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{zh} {en}">'
        f"{_axes(top, seconds)}{_bound(bound, top)}{drawn}</svg>"
        f'<p class="legend">{legend}</p></figure>'
    )


def _points(values: Sequence[float], top: float) -> str:
    """Return the corners of a line; several seconds share a point as their greatest value."""
    if not values:
        return ""
    step = max(1, math.ceil(len(values) / _POINTS))
    tops = [max(values[at : at + step]) for at in range(0, len(values), step)]
    across = (_WIDTH - _LEFT - _RIGHT) / max(1, len(tops) - 1)
    return " ".join(
        f"{_LEFT + number * across:.1f},{_y(value, top):.1f}" for number, value in enumerate(tops)
    )


def _axes(top: float, seconds: int) -> str:
    parts = []
    for number in range(5):
        value = top * number / 4
        y = _y(value, top)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    for number in range(5):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * number / 4
        at = _clock(seconds * number / 4)
        anchor = ("start", "middle", "middle", "middle", "end")[number]
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{at}</text>')
    return "".join(parts)


def _bound(bound: float, top: float) -> str:
    if not bound:
        return ""
    y = _y(bound, top)
    where = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
    return f'<line {where} stroke="#a3261b" stroke-dasharray="5 4"/>'


def _y(value: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _round_up(value: float) -> float:
    """Return the next value of 1, 2, 2.5, 4, 5 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 2.5, 4, 5, 8, 10) if power * step >= value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
