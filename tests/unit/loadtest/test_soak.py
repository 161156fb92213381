"""What a soak decides without a site: faults, slopes, invariants, what it reads of ledgers."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from loadtest.acceptance.sampling import MemorySample
from loadtest.ledger import LedgerWriter, Line
from loadtest.soak import invariants
from loadtest.soak.calm import Trouble, Troubles
from loadtest.soak.fault_schedule import DECK, Fault, schedule
from loadtest.soak.followed_log import CompactRange
from loadtest.soak.invariants import Moment, RegisterSeen
from loadtest.soak.ledger_tail import Late, LedgerTail, Noted
from loadtest.soak.memory_slope import slopes
from loadtest.soak.plan import SoakPlan
from tests.wire.independent_verifier import merkle_tree_hash

HOUR = SoakPlan(3_600.0)


def trouble(began_s: float, ended_s: float, kind: str = "kill", target: str = "api") -> Trouble:
    """Return a fault that lasted so long."""
    return Trouble(Fault(began_s, kind, target), int(1_000 * began_s), int(1_000 * ended_s))


def test_same_seed_gives_same_faults_and_another_gives_others() -> None:
    assert schedule(HOUR) == schedule(SoakPlan(3_600.0))
    assert schedule(HOUR) != schedule(SoakPlan(3_600.0, seed=2))


def test_faults_keep_their_distance_and_leave_the_end_in_peace() -> None:
    faults = schedule(SoakPlan(8 * 3_600.0))
    gaps = [b.at - a.at for a, b in pairwise(faults)]
    assert all(60 <= gap <= 180 for gap in gaps)
    assert faults[-1].at < 8 * 3_600 - HOUR.rest_s


def test_every_kind_of_fault_has_come_when_the_deck_is_dealt() -> None:
    faults = schedule(SoakPlan(3 * 3_600.0))
    size = sum(DECK.values())
    dealt = Counter(f"{f.kind} {f.target}".rstrip() for f in faults[:size])
    assert dealt == Counter(DECK)


def test_only_chosen_kinds_happen() -> None:
    faults = schedule(SoakPlan(3_600.0, kinds=("freeze", "kill api")))
    assert {(f.kind, f.target) for f in faults} == {("freeze", ""), ("kill", "api")}


def samples(
    pid: int, first_s: int, seconds: int, start: float, an_hour: float
) -> list[MemorySample]:
    """Return the memory of one life, every 10 s, with a little noise."""
    chance = random.Random(pid)
    return [
        MemorySample(
            1_000 * (first_s + at), "api", pid, start + an_hour * at / 3_600 + chance.gauss(0, 0.05)
        )
        for at in range(0, seconds, 10)
    ]


def test_slope_is_that_within_lives_whatever_level_they_have() -> None:
    lives = [*samples(1, 0, 2_400, 100.0, 2.0), *samples(2, 2_500, 2_400, 60.0, 2.0)]
    (found,) = slopes(lives, warm_up_s=300)
    assert found.lives == 2
    assert found.percent_an_hour == pytest.approx(100 * 2.0 / found.mib, rel=0.1)
    assert found.exceeds(1.0)
    assert not found.exceeds(5.0)


def test_memory_that_fills_up_at_the_beginning_of_a_life_is_no_slope() -> None:
    filling = [MemorySample(1_000 * s, "api", 1, 50.0 + s / 6) for s in range(0, 300, 10)]
    (found,) = slopes([*filling, *samples(1, 300, 3_000, 100.0, 0.0)], warm_up_s=300)
    assert abs(found.percent_an_hour) < 0.2
    assert not found.exceeds(1.0)


def test_short_lives_say_nothing() -> None:
    (found,) = slopes(samples(1, 0, 500, 100.0, 50.0), warm_up_s=300)
    assert found.lives == 0
    assert not found.exceeds(1.0)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 1_000])
def test_compact_range_has_the_root_of_the_whole_tree(size: int) -> None:
    leaves = [random.Random(number).randbytes(32) for number in range(size)]
    grown = CompactRange()
    for leaf in leaves:
        grown.add(leaf)
    assert grown.root() == merkle_tree_hash(leaves)


def test_calm_begins_when_the_last_fault_is_over() -> None:
    troubles = Troubles(0, [trouble(100, 110), trouble(200, 240)])
    assert troubles.calm_s(50_000) == 50
    assert troubles.calm_s(220_000) == 0
    assert troubles.calm_s(301_000) == 61
    assert troubles.is_calm(301_000)
    assert not troubles.was_calm_between(245_000, 260_000)
    assert troubles.was_calm_between(255_000, 260_000)


def test_a_lost_registration_is_named() -> None:
    found = list(invariants.lost_records({"a": 1, "b": 2, "c": 1}, {"a": 1, "b": 1}))
    assert [text.split(":")[0] for text in found] == ["I1 b", "I1 c"]


def register_seen(records: int, leaves: int, last: int) -> RegisterSeen:
    """Return what a database shows."""
    return RegisterSeen(0, {}, records, leaves, last, 0, 0)


def test_counts_name_loss_surplus_and_gaps() -> None:
    noted = Noted(registered=1_000)
    fine = register_seen(1_000 + invariants.UNDER_WAY, 1_200, 1_199)
    assert list(invariants.wrong_counts(noted, fine, noted)) == []
    (lost,) = invariants.wrong_counts(noted, register_seen(999, 5, 4), noted)
    assert lost.startswith("I1")
    (surplus,) = invariants.wrong_counts(noted, register_seen(2_000, 5, 4), noted)
    assert surplus.startswith("I2")
    (gap,) = invariants.wrong_counts(noted, register_seen(1_000, 5, 5), noted)
    assert gap.startswith("I3")


def test_a_backlog_is_a_violation_only_after_a_minute_of_calm() -> None:
    history = [Moment(0, 500, 500, 400, 0), Moment(1_000, 1_000, 500, 900, 0)]
    troubles = Troubles(-600_000)
    late = Moment(62_000, 2_000, 999, 1_900, 0)
    assert [text[:2] for text in invariants.behind(history, late, troubles)] == ["I5"]
    assert not list(invariants.behind(history, Moment(62_000, 2_000, 1_000, 1_900, 0), troubles))
    troubles.each.append(trouble(1, 10))
    assert not list(invariants.behind(history, late, troubles))


def test_an_index_that_falls_is_named() -> None:
    history = [Moment(0, 500, 400, 0, 0)]
    found = list(invariants.gone_back(history, Moment(1, 499, 399, 0, 0)))
    assert [text[:2] for text in found] == ["I3", "I5"]


def test_no_more_is_counted_than_asked_and_no_more_missing_than_kills_explain() -> None:
    assert not list(invariants.undercounted(900, 1_000, lost=100))
    assert len(list(invariants.undercounted(899, 1_000, lost=100))) == 1
    assert not list(invariants.overcounted(1_010, 1_010))
    assert len(list(invariants.overcounted(1_011, 1_010))) == 1


def test_a_count_is_held_against_what_had_been_asked_by_then() -> None:
    noted = Noted(answered_each=Counter({5: 100, 6: 10, 7: 1}), unanswered_each=Counter({6: 1_000}))
    assert invariants.asked_until(noted, 5_999) == 1_110 + invariants.ASKED_UNDER_WAY
    assert invariants.asked_until(noted, 4_000) == 100 + invariants.ASKED_UNDER_WAY


def test_the_bound_of_what_a_kill_loses_follows_the_rate_around_it() -> None:
    noted = Noted(answered_each=Counter({99: 500, 100: 1_000, 200: 90_000}))
    assert invariants.lost_bound(noted, []) == 0
    assert invariants.lost_bound(noted, [100_500]) == 201
    assert invariants.lost_bound(noted, [200_500]) == 8_192


def test_late_answers_are_excused_by_faults_only() -> None:
    late = [Late(100_000, "http", "x", 10.0, "stale")]
    assert len(list(invariants.too_late(late, Troubles(0)))) == 1
    assert not list(invariants.too_late(late, Troubles(0, [trouble(85, 95)])))
    brief = [Late(100_000, "http", "x", 3.0, "stale")]
    assert not list(invariants.too_late(brief, Troubles(0)))


def test_unanswered_look_ups_in_calm_are_a_violation() -> None:
    noted = Noted(
        answered_each=Counter(dict.fromkeys(range(60), 100)),
        unanswered_each=Counter({30: 200}),
    )
    assert len(list(invariants.unavailable(noted, 0, 59_000, Troubles(0)))) == 1
    excused = Troubles(0, [trouble(30, 31)])
    assert not list(invariants.unavailable(noted, 0, 59_000, excused))


def test_ledger_is_read_once_and_whole_lines_only(tmp_path: Path) -> None:
    tail = LedgerTail(tmp_path / "ledger-load.ndjson", tmp_path / "late.ndjson", 1)
    assert tail.look() == []
    with LedgerWriter(tmp_path, "load") as ledger:
        ledger.note(Line("register", 5, id="a", rev=1), Line("suspend", 6, id="a", rev=2))
        ledger.note(Line("resolve", 7_000, ch="http", out="found", n=3))
        ledger.note(Line("resolve", 7_500, ch="http", out="unanswered", n=2))
    with (tmp_path / "ledger-load.ndjson").open("ab") as file:
        file.write(b'{"e":"register"')
    fresh = tail.look()
    assert [line.e for line in fresh] == ["register", "suspend"]
    assert (tail.noted.registered, tail.noted.effects) == (1, 2)
    assert (tail.noted.answered, tail.noted.unanswered) == (3, 2)
    assert tail.noted.answered_each == {7: 3}
    assert tail.look() == []
    assert tail.sample(fresh, 10) == {"a": 2}
