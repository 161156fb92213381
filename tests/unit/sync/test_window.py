"""Whatever order answers come in, acknowledgement moves along the log and never back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import IntegrityFailure
from sync.peer import BatchReceived, Item, ItemCode, ItemResult
from sync.relay.window import SentBatch, Window


def items(first: int, end: int) -> list[Item]:
    """Return items with the indexes first … end - 1."""
    return [
        Item(n, f"86.1000/{n}", "2026-11-21T09:00:00.000Z", b"{}", None) for n in range(first, end)
    ]


def send(window: Window, count: int) -> SentBatch:
    """Send the next `count` items."""
    first = window.next_index
    return window.sent(items(first, first + count), "2026-11-21T09:00:01.000Z", 1.0)


def answer(batch: SentBatch, *refused: int, acked: int | None = None) -> BatchReceived:
    """Return the peer's answer to a batch."""
    results = tuple(ItemResult(n, ItemCode.INVALID, "no") for n in refused)
    size = batch.end_index if acked is None else acked
    return BatchReceived(batch.batch_id, size, results, 1, "r")


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_answers_in_any_order_and_doubled_move_it_on_once(sizes: list[int], random: Random) -> None:
    window = Window(7, limit=10)
    batches = [send(window, size) for size in sizes]
    answers = [answer(batch) for batch in batches] * 2
    random.shuffle(answers)
    settled, sizes_seen = [], [window.acked_size]
    for given_answer in answers:
        settled += [batch.batch_id for batch, _ in window.answered(given_answer)]
        sizes_seen.append(window.acked_size)
    assert settled == [batch.batch_id for batch in batches]
    assert sizes_seen == sorted(sizes_seen)
    assert window.acked_size == window.next_index == 7 + sum(sizes)
    assert window.is_empty


def test_a_later_answer_waits_for_the_one_that_names_earlier_refusals() -> None:
    window = Window(0, limit=4)
    first, second = send(window, 2), send(window, 2)
    assert window.answered(answer(second)) == []
    assert window.acked_size == 0
    assert window.waits_since() == 1.0
    assert len(window.answered(answer(first, 1, acked=4))) == 2
    assert window.acked_size == 4
    assert window.waits_since() is None


def test_the_window_is_full_at_its_limit() -> None:
    window = Window(0, limit=2)
    batch = send(window, 1)
    seen = [window.is_full]
    send(window, 1)
    seen.append(window.is_full)
    window.answered(answer(batch))
    assert [*seen, window.is_full] == [False, True, False]


def test_an_answer_to_nothing_changes_nothing() -> None:
    window = Window(3, limit=2)
    assert window.answered(BatchReceived(99, 1_000, (), 1, "r")) == []
    assert window.acked_size == 3


@pytest.mark.parametrize("acked", [0, 1, 3, 1 << 60])
def test_an_acknowledgement_that_cannot_be_is_refused(acked: int) -> None:
    window = Window(0, limit=2)
    batch = send(window, 2)
    with pytest.raises(IntegrityFailure):
        window.answered(answer(batch, acked=acked))
    assert window.acked_size == 0


def test_a_refusal_of_an_item_of_another_batch_is_refused() -> None:
    window = Window(0, limit=2)
    batch = send(window, 2)
    with pytest.raises(IntegrityFailure):
        window.answered(answer(batch, 5))


def test_a_gap_is_never_sent() -> None:
    with pytest.raises(ValueError, match="gaps"):
        Window(0, limit=2).sent(items(1, 2), "", 0.0)
