"""Sums of durations: the same in whatever order they come together, and strict when read."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.timing import SPAN_MS, TimedSpan, Timing, decode_span, encode_span, one
from node.errors import InvalidInput

BEGINS_MS = 1_795_255_200_000
# Noted as they end, so their moments rise.
durations = st.lists(st.integers(0, 50), min_size=1, max_size=30)


def summed(durations: list[int], at_ms: int) -> Timing:
    timing = one(durations[0], at_ms)
    for number, took_us in enumerate(durations[1:], 1):
        timing.add(took_us, at_ms + number)
    return timing


@given(durations)
def test_a_sum_says_how_many_how_long_and_when(durations: list[int]) -> None:
    timing = summed(durations, BEGINS_MS)
    assert (timing.number, timing.total_us) == (len(durations), sum(durations))
    longest, shortest = max(durations), min(durations)
    assert (timing.longest_us, timing.shortest_us) == (longest, shortest)
    assert timing.longest_at_ms == BEGINS_MS + durations.index(longest)
    assert timing.shortest_at_ms == BEGINS_MS + durations.index(shortest)
    span = TimedSpan("resolving", BEGINS_MS, timing)
    assert decode_span(encode_span(span)) == span


@given(durations, durations)
def test_sums_come_together_in_any_order(ours: list[int], theirs: list[int]) -> None:
    one_way, other_way = summed(ours, BEGINS_MS), summed(theirs, BEGINS_MS + 7)
    one_way.merge(summed(theirs, BEGINS_MS + 7))
    other_way.merge(summed(ours, BEGINS_MS))
    assert one_way == other_way
    assert one_way.number == len(ours) + len(theirs)
    assert one_way.longest_us == max(ours + theirs)


GOOD = {
    "subject": "registering",
    "begins_ms": BEGINS_MS,
    "timing": {
        "number": 3,
        "total_us": 60,
        "longest_us": 30,
        "longest_at_ms": BEGINS_MS,
        "shortest_us": 10,
        "shortest_at_ms": BEGINS_MS + SPAN_MS - 1,
    },
}


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": True},
        {"total_us": -1},
        {"total_us": 29},
        {"longest_us": 9},
        {"longest_us": 1 << 63},
        {"longest_at_ms": BEGINS_MS - 1},
        {"shortest_at_ms": BEGINS_MS + SPAN_MS},
        {"shortest_at_ms": "0"},
    ],
)
def test_a_line_that_nobody_writes_is_refused(change: dict[str, object]) -> None:
    assert decode_span(msgspec.json.encode(GOOD)).timing.number == 3
    timing = {**GOOD["timing"], **change}  # type: ignore[dict-item]
    with pytest.raises(InvalidInput):
        decode_span(msgspec.json.encode({**GOOD, "timing": timing}))


@pytest.mark.parametrize("line", [b"", b"{}", b"\xff", b"[1]", b'{"subject": "x"}', b"{" * 9_999])
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_span(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line_or_refused(line: bytes) -> None:
    try:
        decode_span(line)
    except InvalidInput:
        return
