"""What load runs choose: popular records, rows of a slice, users at a moment, when it is over."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.suites.day_profile import SHAPES, users_at
from loadtest.suites.goals import ALL_WELL, GOAL_MISSED, WRONG_ANSWERS, Goals, Totals
from loadtest.suites.load_run import Blocks
from loadtest.suites.power_law import rank

END = (0, 0)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10**7), st.floats(0.5, 2.0))
def test_a_rank_is_one_of_those_there_are(share: float, count: int, exponent: float) -> None:
    assert 0 <= rank(share, count, exponent) < count


def next_of(blocks: Blocks) -> tuple[int, int]:
    """Return the next block, END when all is taken."""
    try:
        return blocks.next_block()
    except StopIteration:
        return END


def test_the_first_ranks_are_asked_for_most() -> None:
    chance = random.Random(7)
    drawn = Counter(rank(chance.random(), 10_000) for _ in range(50_000))
    assert drawn[0] > drawn[9] > drawn[99]
    # By the law with s = 1.1 over 10,000 ranks the first has about 15 % and the first 100 62 %.
    assert 0.10 < drawn[0] / 50_000 < 0.20
    assert 0.5 < sum(drawn[n] for n in range(100)) / 50_000 < 0.75


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_slices_share_all_rows_without_overlap(pieces: int) -> None:
    taken: list[int] = []
    for piece in range(pieces):
        blocks = Blocks(105, 10, piece, pieces)
        taken += [blocks.next_row() for _ in range(3)]
        taken += chain.from_iterable(range(*block) for block in iter(partial(next_of, blocks), END))
    assert len(taken) == len(set(taken))
    # What was left of the block that single rows were taken from stays with those who take them.
    left = {10 * piece + place for piece in range(pieces) for place in range(3, 10)}
    assert set(range(105)) - set(taken) == left


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_stays_between_one_user_and_its_peak(shape: str) -> None:
    users = [users_at(shape, step / 100, 40) for step in range(101)]
    assert min(users) >= 1
    assert max(users) == 40


def test_a_run_is_over_when_every_goal_is_reached() -> None:
    goals = Goals(registered=10, resolved=5)
    assert not goals.is_over(Totals(10, 4))
    assert goals.is_over(Totals(10, 5))
    assert goals.missed(Totals(8, 5)) == {"registered": 2}
    assert not Goals().is_over(Totals(100, 100))


def test_the_exit_status_tells_wrong_answers_from_missed_goals() -> None:
    goals = Goals(registered=10, faults=3)
    assert goals.exit_status(Totals(10)) == ALL_WELL
    assert goals.exit_status(Totals(9)) == GOAL_MISSED
    assert goals.exit_status(Totals(10, 0, 1)) == WRONG_ANSWERS
    assert goals.is_over(Totals(0, 0, 3))
