"""The rules of counting as the trial `counts` states them, on look-ups whose worth is obvious."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from loadtest.trials.counts_plan import Keys, Names, Plan
from loadtest.trials.counts_truth import BURST_EVENTS, Answered, Asked, truth_of

ONE = Asked("http", "1.1/A", "1.1/A", "found", "visitor", "127.1.0.1")


def at(moment_s: float, asked: Asked = ONE) -> Answered:
    return Answered(asked, moment_s, moment_s + 0.01)


def many(count: int, source: str, *, first: int = 0) -> list[Answered]:
    return [
        at(0.0, replace(ONE, source=source, identifier=f"1.1/{number}"))
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (ONE, "ext_user"),
        (replace(ONE, part="partner"), "ext_system"),
        (replace(ONE, part="crawler", outcome="absent"), "crawler"),
        (replace(ONE, part="machine"), "self"),
        (replace(ONE, part="own key"), "int_business"),
        (replace(ONE, part="prober", is_test=True), "loadtest"),
        (replace(ONE, campaign="c"), "loadtest"),
        (replace(ONE, outcome="status"), "miss"),
    ],
)
def test_the_first_class_that_fits_counts(asked: Asked, name: str) -> None:
    assert truth_of([[at(0.0, asked)]]).classes == {name: 1}


@pytest.mark.parametrize(
    ("moments", "counted", "undecided"),
    [
        ([0, 20, 32], 2, 0),  # measured from the last counted one
        ([0, 25], 1, 0),
        ([0, 30.5], 1, 1),
        ([0, 32, 33], 2, 0),
    ],
)
def test_repeats_are_decided_by_the_moments_or_not_at_all(
    moments: Sequence[float], counted: int, undecided: int
) -> None:
    truth = truth_of([[at(moment) for moment in moments]])
    assert (truth.net, truth.undecided) == (counted, undecided)


def test_repeats_go_on_over_periods_and_channels() -> None:
    truth = truth_of([[at(0.0)], [at(1.0, replace(ONE, channel="grpc"))]])
    assert truth.classes == {"ext_user": 1, "repeat": 1}


def test_a_burst_is_large_a_large_share_and_unusual_for_its_client() -> None:
    others = many(100, "127.1.0.9")
    assert truth_of([many(BURST_EVENTS, "127.1.0.1") + others]).classes["loadtest"] == BURST_EVENTS
    assert truth_of([many(BURST_EVENTS - 1, "127.1.0.1") + others]).classes["loadtest"] == 0
    crowd = [look for number in range(5) for look in many(BURST_EVENTS, f"127.1.0.{number}")]
    assert truth_of([crowd]).classes["loadtest"] == 0
    usual = many(BURST_EVENTS // 10, "127.1.0.1")
    large = many(BURST_EVENTS, "127.1.0.1", first=BURST_EVENTS) + others
    assert truth_of([usual, large]).classes["loadtest"] == 0


def test_clients_are_actors_or_addresses_or_networks_of_64_bits() -> None:
    near = replace(ONE, forwarded="2001:db8:1:1::5")
    assert near.client == replace(ONE, forwarded="2001:db8:1:1::9").client
    assert near.client != replace(ONE, forwarded="2001:db8:1:2::5").client
    assert replace(ONE, claimed="192.0.2.1").client == ONE.source
    assert replace(near, actor="key:1").client == "key:1"


def test_no_pair_of_a_round_comes_again_but_at_once() -> None:
    names = Names([f"1.1/{number}" for number in range(3_000)], ["1.1/S"], ["1.1/R"], ["2.2/T"])
    keys = Keys([("p", "k")] * 4, [("o", "k")], {"secondary": "peer:a", "auditor": "peer:b"})
    look_ups = Plan(names, keys, 1).round(5_000)
    last: dict[tuple[str, str], int] = {}
    for place, asked in enumerate(look_ups):
        if asked.outcome == "found" and not asked.is_test:
            pair = asked.client, asked.identifier
            assert place - last.get(pair, place) < 50
            last[pair] = place
    assert {asked.channel for asked in look_ups} >= {"http", "page", "handle_udp", "grpc"}
    assert look_ups == Plan(names, keys, 1).round(5_000)
