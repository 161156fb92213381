"""Accounts of networks: honest ones are never refused, a flood gets one burst and no more."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from resolver.handle.response_rate import ResponseRate

RATE, BURST, ANSWER = 10_000, 2_500, 250
FLOOD, OTHER = 1, 2


def sent_to(rate: ResponseRate, network: int, *, per_second: int, seconds: int, start: int) -> int:
    """Ask evenly, settling ten times a second; return the bytes that were allowed."""
    sent = 0
    for tenth in range(seconds * 10):
        rate.settle(start + tenth / 10)
        for _ in range(per_second // 10):
            sent += ANSWER * rate.allow(network, ANSWER)
    return sent


def test_network_below_the_rate_is_never_refused() -> None:
    rate = ResponseRate(RATE)
    assert sent_to(rate, OTHER, per_second=40, seconds=60, start=0) == 40 * 60 * ANSWER


def test_flood_gets_a_burst_however_long_it_lasts() -> None:
    rate = ResponseRate(RATE)
    assert sent_to(rate, FLOOD, per_second=4_000, seconds=60, start=0) <= BURST + RATE / 10


def test_one_network_s_flood_costs_another_nothing() -> None:
    rate = ResponseRate(RATE)
    for second in range(30):
        sent_to(rate, FLOOD, per_second=4_000, seconds=1, start=second)
        assert rate.allow(OTHER, ANSWER)


def test_debt_is_paid_off_some_seconds_after_the_flood() -> None:
    rate = ResponseRate(RATE, debt_s=5)
    sent_to(rate, FLOOD, per_second=4_000, seconds=60, start=0)
    rate.settle(63)
    assert not rate.allow(FLOOD, ANSWER)
    rate.settle(66)
    assert rate.allow(FLOOD, ANSWER)
    rate.settle(70)
    assert len(rate) == 0


def test_network_without_limit_is_never_refused() -> None:
    rate = ResponseRate(RATE, is_unlimited=lambda network: network == OTHER)
    assert sent_to(rate, OTHER, per_second=4_000, seconds=5, start=0) == 4_000 * 5 * ANSWER


def test_accounts_are_bounded_and_filling_them_does_not_pay() -> None:
    accounts = 1_000
    rate = ResponseRate(RATE, accounts=accounts)
    chance = random.Random(1)
    asked = sent = 0
    for _ in range(200_000):
        is_victim = chance.random() < 0.5
        network = FLOOD if is_victim else chance.randrange(10, 1 << 24)
        asked += 80
        sent += ANSWER * (rate.allow(network, ANSWER) and is_victim)
        assert len(rate) <= accounts
    assert sent <= 0.1 * asked


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2_000)), max_size=200), st.integers(1, 5)
)
def test_no_network_is_allowed_more_than_burst_and_income(
    asked: list[tuple[int, int]], seconds: int
) -> None:
    rate = ResponseRate(RATE)
    rate.settle(0)
    sent = dict.fromkeys(range(4), 0)
    for number, (network, size) in enumerate(asked):
        rate.settle(seconds * number / len(asked))
        sent[network] += size * rate.allow(network, size)
    assert max(sent.values()) <= BURST + RATE * seconds
