"""Classes: the first that fits; repeats within the window; bursts; the sum closes."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.counting.classes import CountedTimes, bursts, class_of, standing
from node.domain.counting.facts import NEARS, ROLES
from node.domain.counting.period_count import PeriodCount, merged
from node.domain.counting.rule_set import CLASSES, AgentRules
from node.domain.counting.rules import shipped_rules

RULES = shipped_rules()[-1].rules
WINDOW_MS = RULES.repeat_ms


@pytest.mark.parametrize(
    ("near", "role", "agent", "expected"),
    [
        ("outside", "none", "", "ext_user"),
        ("outside", "none", "Mozilla/5.0 (Linux; Android) MicroMessenger/8.0", "ext_user"),
        ("outside", "partner", "python-requests/2.32", "ext_system"),
        ("own", "partner", "", "ext_system"),
        ("own", "none", "", "int_business"),
        ("outside", "internal", "", "int_business"),
        ("own", "internal", "curl/8", "int_business"),
        ("outside", "none", "curl/8.5.0", "crawler"),
        ("outside", "none", "Mozilla/5.0 (compatible; Baiduspider/2.0)", "crawler"),
        ("outside", "none", "(other)", "crawler"),
        ("self", "none", "", "self"),
        ("outside", "self", "", "self"),
        ("self", "none", "xibiao-health/1", "health"),
        ("outside", "monitor", "", "health"),
        ("outside", "none", "kube-probe/1.30", "health"),
        ("self", "internal", "", "self"),
    ],
)
def test_the_first_class_that_fits_is_taken(
    near: str, role: str, agent: str, expected: str
) -> None:
    who = standing(near, role, AgentRules(RULES).kind(agent))
    assert (who.excluded or who.counted_as) == expected


def test_a_browser_is_neither_robot_nor_probe() -> None:
    kind = AgentRules(RULES).kind
    for agent in (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0",
        "Mozilla/5.0 (Linux; Android 14; HarmonyOS) HuaweiBrowser/15 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; U; Android 14) AlipayClient/10.6 Language/zh-Hans",
        "okhttp/4.12.0",
        "Dalvik/2.1.0 (Linux; U; Android 14)",
    ):
        assert kind(agent) == "", agent


def take(counted: CountedTimes, at_ms: int, *, found: bool = True, pair: str = "a") -> str:
    return class_of(
        standing("outside", "none", ""),
        is_loadtest=False,
        is_found=found,
        pair=(pair, "i"),
        at_ms=at_ms,
        counted=counted,
    )


def test_a_repeat_is_measured_from_the_last_counted_one() -> None:
    counted = CountedTimes(WINDOW_MS)
    times = (0, 29_999, 30_000, 30_001, 60_001, 60_002)
    classes = [take(counted, at) for at in times]
    assert classes == ["ext_user", "repeat", "repeat", "ext_user", "repeat", "ext_user"]


def test_another_client_or_identifier_is_no_repeat() -> None:
    counted = CountedTimes(WINDOW_MS)
    assert take(counted, 0) == take(counted, 1, pair="b") == "ext_user"


def test_a_miss_makes_no_repeat() -> None:
    counted = CountedTimes(WINDOW_MS)
    assert [take(counted, 0, found=False), take(counted, 1)] == ["miss", "ext_user"]


def test_a_late_event_is_a_repeat_of_what_was_counted_after_it() -> None:
    counted = CountedTimes(WINDOW_MS)
    counted.add("a", "i", 100_000)
    assert take(counted, 80_000) == "repeat"
    assert take(counted, 60_000) == "ext_user"


def test_what_lies_behind_is_forgotten_when_told_to() -> None:
    counted = CountedTimes(WINDOW_MS)
    for at in (0, 100_000, 50_000):
        counted.add("a", "i", at)
    counted.add("b", "i", 0)
    counted.forget_before(50_000)
    assert len(counted) == 1
    assert [counted.is_repeat("a", "i", at) for at in (0, 20_000, 150_000)] == [False, True, False]


@given(st.lists(st.integers(0, 200_000), max_size=30), st.integers(0, 200_000))
def test_repeats_do_not_depend_on_the_order_of_what_was_counted(times: list[int], at: int) -> None:
    counted = CountedTimes(WINDOW_MS)
    for each in times:
        counted.add("a", "i", each)
    assert counted.is_repeat("a", "i", at) is any(abs(at - each) <= WINDOW_MS for each in times)


def test_a_burst_passes_share_median_and_number() -> None:
    rule = RULES.burst
    assert bursts(Counter(a=1_000, b=3_999), {}, rule) == ["a", "b"]
    assert bursts(Counter(a=1_000, b=4_000), {}, rule) == ["b"]
    assert bursts(Counter(a=999), {}, rule) == []
    assert bursts(Counter(a=1_000), {"a": (100,)}, rule) == []
    assert bursts(Counter(a=1_001), {"a": (100,)}, rule) == ["a"]
    # Of an even number the lower median counts.
    assert bursts(Counter(a=1_001), {"a": (50, 100, 5_000, 6_000)}, rule) == ["a"]


Take = tuple[str, str, str, str, str, int, bool, bool]
takes = st.lists(
    st.tuples(
        st.sampled_from(NEARS),
        st.sampled_from(ROLES),
        st.sampled_from(["", "crawler", "health"]),
        st.sampled_from("abc"),
        st.sampled_from("ij"),
        st.integers(0, 120_000),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


@given(takes)
def test_gross_is_the_sum_of_all_classes(given_events: list[Take]) -> None:
    count = PeriodCount(RULES, CountedTimes(WINDOW_MS), bursts={"c"})
    seen: Counter[str] = Counter()
    for near, role, agent, client, identifier, at_ms, test, found in sorted(
        given_events, key=lambda event: event[5]
    ):
        seen[
            count.take(
                standing(near, role, agent),
                client=client,
                identifier=identifier,
                channel="http",
                at_ms=int(at_ms),
                is_loadtest=bool(test),
                is_found=bool(found),
            )
        ] += 1
    assert set(seen) <= set(CLASSES)
    assert {name: by["http"] for name, by in count.counts().items()} == dict(seen)
    assert count.events == len(given_events) == seen.total()
    counted = sum(seen[name] for name in RULES.counted)
    assert count.clients <= counted
    assert count.identifiers <= counted


@given(takes, st.randoms(use_true_random=False))
def test_without_repeats_the_order_of_events_changes_nothing(
    given_events: list[Take], random: Random
) -> None:
    def counts(some: list[tuple[int, Take]]) -> dict[str, dict[str, int]]:
        count = PeriodCount(RULES, CountedTimes(0))
        for number, (near, role, agent, client, identifier, _, test, found) in some:
            count.take(
                standing(near, role, agent),
                client=client,
                identifier=f"{identifier}{number}",
                channel="page",
                at_ms=0,
                is_loadtest=bool(test),
                is_found=bool(found),
            )
        return count.counts()

    numbered = list(enumerate(given_events))
    shuffled = list(numbered)
    random.shuffle(shuffled)
    assert counts(numbered) == counts(shuffled)


def test_counts_are_added_by_class_and_channel() -> None:
    assert merged({"miss": {"http": 1}}, {"miss": {"http": 2, "page": 1}}, {}) == {
        "miss": {"http": 3, "page": 1}
    }
