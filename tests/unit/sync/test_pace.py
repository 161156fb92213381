"""A line is filled as far as its answers come in time, and a thin one is not choked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.relay.pace import FEWEST, FIRST, Pace

PATIENCE_S = 15.0


def test_a_quick_line_soon_carries_all_it_may() -> None:
    pace = Pace(8_000, PATIENCE_S)
    assert pace.allowed == FIRST
    for _ in range(11):
        pace.answered(0.01)
    assert pace.allowed == 8_000
    assert pace.batch(1_000) == 1_000


@pytest.mark.parametrize(("delay_s", "items_per_s"), [(0.0, 10.0), (5.0, 58.0), (9.0, 1_000.0)])
def test_answers_over_a_thin_line_stay_in_time(delay_s: float, items_per_s: float) -> None:
    pace = Pace(8_000, PATIENCE_S)
    for _ in range(200):
        took_s = delay_s + pace.allowed / items_per_s
        assert took_s < PATIENCE_S
        pace.answered(took_s)


@given(
    most=st.integers(1, 40_000),
    limit=st.integers(1, 5_000),
    answers=st.lists(st.floats(0.0, 100.0), max_size=50),
)
def test_something_may_always_be_sent_and_never_too_much(
    most: int, limit: int, answers: list[float]
) -> None:
    pace = Pace(most, PATIENCE_S)
    for took_s in answers:
        pace.answered(took_s)
        assert min(FEWEST, most) <= pace.allowed <= most
        assert 1 <= pace.batch(limit) <= limit
