"""Build SVG elements: geometry, classes, titles; the same drawing for screen, print and PDF.

Invariants: elements carry classes and geometry, never style attributes, so they may stand in a page
under `style-src 'self'`; text goes through ElementTree, which escapes it; the same input gives the
same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

Element = ElementTree.Element

# Not allowed in XML 1.0, or turns the direction of the text around it (Unicode TR 9).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)

# What a class of mark looks like; `{name}` is a colour of `COLOURS`.
_CLASSES = {
    "t": "font-size:11px;fill:{axis}",
    "lab": "fill:{ink};font-weight:600",
    "end": "text-anchor:end",
    "mid": "text-anchor:middle",
    "tb": "fill:{bad}",
    "g": "stroke:{grid};stroke-width:1",
    "ax": "stroke:{line-strong};stroke-width:1",
    "tgt": "stroke:{ink};stroke-width:1.25",
    "lim": "stroke:{bad};stroke-width:1;stroke-dasharray:4 3",
    "l1": "fill:none;stroke:{c1};stroke-width:1.5",
    "cut": "fill:none;stroke:{surface};stroke-width:3",
    "f1": "fill:{c1}",
    "f1m": "fill:{c1-mid}",
    "f1s": "fill:{c1-soft}",
    "f2": "fill:{c2}",
    "fx": "fill:{axis}",
    "f5s": "fill:{c5-soft}",
    "h0": "fill:{sunken};stroke:{line};stroke-width:.75",
    "h1": "fill:{c1-soft}",
    "h2": "fill:{c1-mid}",
    "h3": "fill:{c1}",
    "h4": "fill:{c1-deep}",
    "q1": "fill:{c3}",
    "q2": "fill:{c4}",
    "q3": "fill:{c1}",
    "q4": "fill:{c5}",
    "q5": "fill:{c3-soft};stroke:{line-strong};stroke-width:.75",
    "q6": "fill:{c4-soft};stroke:{line-strong};stroke-width:.75",
    "q7": "fill:{c1-soft};stroke:{line-strong};stroke-width:.75",
}

# The light values of the page's custom properties of the same names, for a drawing on its own.
COLOURS = {
    "ink": "#171c22", "axis": "#626c78", "grid": "#e8ebee", "line": "#e2e5e9",
    "line-strong": "#8a939e", "surface": "#ffffff", "sunken": "#fafbfb", "bad": "#b3261e",
    "c1": "#2f6db5", "c2": "#1f8a78", "c3": "#b97d10", "c4": "#7a5aa8", "c5": "#8b949e",
    "c1-soft": "#cfe0f3", "c1-mid": "#a1bdde", "c1-deep": "#173f70", "c3-soft": "#f2e2c1",
    "c4-soft": "#e0d7ee", "c5-soft": "#e3e6ea",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of `width` × `height` units; `sentence` says in words what it shows."""

    width: int
    height: int
    sentence: str
    marks: tuple[Element, ...]


def printable(text: str) -> str:
    """Return text with what cannot be printed, or would reorder its surroundings, made visible."""
    return _UNPRINTABLE.sub("\ufffd", text)


def mark(tag: str, classes: str, title: str = "", /, **geometry: float) -> Element:
    """Return one mark; `title` is what a pointer resting on it shows."""
    found = Element(tag, {"class": classes, **{k: _number(v) for k, v in geometry.items()}})
    if title:
        ElementTree.SubElement(found, "title").text = printable(title)
    return found


def words(text: str, x: float, y: float, classes: str = "") -> Element:
    """Return a piece of text whose base line is at `y`; class `tick` marks what is scale only."""
    found = Element("text", {"class": f"t {classes}".rstrip(), "x": _number(x), "y": _number(y)})
    found.text = printable(text)
    return found


def path_of(points: list[tuple[float, float]]) -> str:
    """Return the points as the attribute of a polyline or polygon."""
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def line_through(points: list[tuple[float, float]], classes: str) -> Element:
    """Return an open line through points."""
    return Element("polyline", {"class": classes, "points": path_of(points)})


def area_within(points: list[tuple[float, float]], classes: str) -> Element:
    """Return the area that points surround."""
    return Element("polygon", {"class": classes, "points": path_of(points)})


def drawing_element(drawing: Drawing) -> Element:
    """Return the `svg` element of a drawing, to stand in a page that has the style sheet."""
    sentence = printable(drawing.sentence)
    root = Element(
        "svg",
        {
            "class": "ch",
            "viewBox": f"0 0 {drawing.width} {drawing.height}",
            "role": "img",
            "aria-label": sentence,
        },
    )
    root.extend(drawing.marks)
    return root


def drawing_alone(drawing: Drawing, font: str) -> str:
    """Return a drawing as a file of its own, in light colours and the font of that name."""
    root = drawing_element(drawing)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("width", str(drawing.width))
    root.set("height", str(drawing.height))
    style = Element("style")
    style.text = f'text{{font-family:"{font}"}}' + chart_styles(COLOURS)
    root.insert(0, style)
    return ElementTree.tostring(root, encoding="unicode")


def chart_styles(colours: dict[str, str]) -> str:
    """Return the rules of the chart classes with colours of these names."""
    return "".join(f".{name}{{{_filled(rule, colours)}}}" for name, rule in _CLASSES.items())


def page_colours() -> dict[str, str]:
    """Return the colours as references to the page's custom properties."""
    return {name: f"var(--{name})" for name in COLOURS}


def _filled(rule: str, colours: dict[str, str]) -> str:
    return re.sub(r"\{([a-z0-9-]+)\}", lambda found: colours[found[1]], rule)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
