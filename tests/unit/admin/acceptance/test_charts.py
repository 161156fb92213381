"""Charts of the acceptance report: zero-based scales, titles, broken bars, escaped words."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from admin.acceptance.documents.charts import (
    NARROW,
    WIDE,
    Bar,
    Goal,
    day_bars,
    lag_line,
    nested_bars,
    parts_bar,
    week_squares,
)
from admin.acceptance.documents.svg import Drawing, Element, drawing_alone, printable

HOSTILE = '"><script>alert(1)</script>&\x00\u202e'


def bars(*values: int) -> list[Bar]:
    return [Bar(f"d{place}", value, f"{value:,}") for place, value in enumerate(values)]


def rects(drawing: Drawing) -> list[Element]:
    return [one for one in drawing.marks if one.tag == "rect"]


def written(drawing: Drawing) -> list[str]:
    return [one.text or "" for one in drawing.marks if one.tag == "text"]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nested_bars_are_as_long_as_their_values_say(width: int) -> None:
    drawing = nested_bars(
        bars(400, 300, 200, 100), Goal(100, "target"), sentence="all", width=width
    )
    lengths = [float(one.get("width", "0")) for one in rects(drawing)]
    assert [round(length / lengths[-1], 2) for length in lengths] == [4.0, 3.0, 2.0, 1.0]
    target = next(one for one in drawing.marks if one.get("class") == "tgt")
    assert float(target.get("x1", "0")) == pytest.approx(28 + lengths[-1])


def test_each_mark_has_its_number_as_title() -> None:
    drawing = parts_bar(
        Bar("net", 60, "60"),
        bars(30, 10),
        goal=Goal(50, "goal"),
        captions=("a", "b"),
        sentence="s",
        width=WIDE,
    )
    assert [one.findtext("title") for one in rects(drawing)] == ["net 60", "d1 10", "d0 30"]


def test_a_huge_day_is_broken_and_does_not_flatten_the_rest() -> None:
    drawing = day_bars(bars(400, 500, 450, 300_000, 480), sentence="days", width=WIDE)
    heights = [float(one.get("height", "0")) for one in rects(drawing)]
    assert heights[0] > 60
    assert "300,000" in written(drawing)
    assert [one for one in drawing.marks if one.get("class") == "cut"]


def test_alike_days_are_not_broken() -> None:
    drawing = day_bars(bars(400, 500, 450), sentence="days", width=WIDE)
    assert not [one for one in drawing.marks if one.get("class") == "cut"]


def test_no_days_give_an_empty_chart() -> None:
    assert rects(day_bars([], sentence="none", width=WIDE)) == []
    assert lag_line([], [], limit=Goal(5, "limit"), sentence="none", width=WIDE).marks


def test_a_day_without_lag_breaks_the_line() -> None:
    days = [*bars(1, 2), None, *bars(3)]
    drawing = lag_line(
        days, ["a", "b", "c", "d"], limit=Goal(5, "limit"), sentence="lag", width=WIDE
    )
    assert len([one for one in drawing.marks if one.tag == "polyline"]) == 2


def test_a_lag_above_the_limit_stays_in_the_picture() -> None:
    drawing = lag_line(bars(50, 60), ["a", "b"], limit=Goal(5, "limit"), sentence="lag", width=WIDE)
    spots = [float(one.get("cy", "0")) for one in drawing.marks if one.tag == "circle"]
    assert all(14 <= y <= 118 for y in spots)


def test_squares_are_darker_for_more_and_empty_for_none() -> None:
    counts = [[0] * 24 for _ in range(7)]
    counts[0][0], counts[6][23] = 100, 1
    shades = [
        one.get("class")
        for one in rects(week_squares(counts, "abcdefg", hours="h", sentence="week", width=WIDE))
    ]
    assert len(shades) == 168
    assert (shades[0], shades[1], shades[-1]) == ("h4", "h0", "h1")


def test_a_week_without_any_is_drawn() -> None:
    drawing = week_squares([[0] * 24] * 7, "abcdefg", hours="h", sentence="week", width=NARROW)
    assert {one.get("class") for one in rects(drawing)} == {"h0"}


def test_hostile_words_are_escaped_and_the_file_parses() -> None:
    drawing = nested_bars(
        [Bar(HOSTILE, 1, HOSTILE)] * 4, Goal(1, HOSTILE), sentence=HOSTILE, width=WIDE
    )
    text = drawing_alone(drawing, "Noto Sans CJK SC")
    assert "<script" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    root = ElementTree.fromstring(text)  # noqa: S314 - our own drawing
    assert root.get("role") == "img"
    assert root.get("aria-label") == printable(HOSTILE)


def test_no_mark_carries_a_style_attribute() -> None:
    drawing = day_bars(bars(1, 2, 3), sentence="days", width=WIDE)
    assert "style=" not in drawing_alone(drawing, "x")
