"""Challenges, sessions, counters and accounts: bounded, and forgotten in the right order."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference
from node.errors import Overloaded
from resolver.handle.allowances import Allowance, StrangersWork, source_of
from resolver.handle.challenges import MAX_ANSWERS, Challenge, Challenges
from resolver.handle.codes import OpCode
from resolver.handle.digests import Digest
from resolver.handle.envelope import Envelope
from resolver.handle.identity import Connection, Identity
from resolver.handle.message import Message
from resolver.handle.session_keys import SessionKey
from resolver.handle.session_numbers import (
    PROCESSES,
    new_challenge_number,
    new_session_number,
    process_of,
)
from resolver.handle.sessions import WINDOW, SeenCounters, Session, Sessions
from tests.unit.resolver.handle.service_fakes import Clock

DIGEST = Digest(3, bytes(32))
KEY = SessionKey(bytes(32))
SOMEBODY = Identity(HandleReference("1/A", 300), b"")


def request(opcode: int = OpCode.CREATE_HANDLE, size: int = 10) -> Message:
    return Message(Envelope(1, 0), opcode, bytes(size))


def challenges(clock: Clock, **limits: int) -> Challenges:
    return Challenges(clock=clock, random_bytes=Random(3).randbytes, patience_s=60, **limits)


def make(store: Challenges, source: str = "a", opcode: int = 100, size: int = 10) -> Challenge:
    return store.make(request(opcode, size), DIGEST, nonce=bytes(16), source=source)


def test_a_challenged_change_is_answered_for_once() -> None:
    store = challenges(Clock())
    challenge = make(store)
    assert store.take(challenge.number) is challenge
    assert store.take(challenge.number) is None
    assert (len(store), store.held_bytes) == (0, 0)


def test_a_challenged_question_is_answered_for_a_few_times() -> None:
    store = challenges(Clock())
    number = make(store, opcode=OpCode.RESOLUTION).number
    assert all(store.take(number) for _ in range(MAX_ANSWERS))
    assert store.take(number) is None


def test_a_challenge_is_forgotten_after_its_time() -> None:
    clock = Clock()
    store = challenges(clock)
    number = make(store).number
    clock.now = 60
    assert store.take(number) is None
    assert (len(store), store.held_bytes) == (0, 0)


def test_one_source_crowds_out_only_itself() -> None:
    store = challenges(Clock(), of_source=3)
    other = make(store, "b")
    numbers = [make(store, "a").number for _ in range(5)]
    assert [store.take(number) is not None for number in numbers] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert store.take(other.number) is other


def test_the_oldest_challenges_give_way_when_there_are_too_many_or_too_large_ones() -> None:
    store = challenges(Clock(), limit=10, limit_bytes=1_000)
    for source in range(100):
        make(store, str(source))
    assert len(store) == 10
    make(store, "large", size=950)
    assert store.held_bytes <= 1_000
    assert len(store) < 10


@given(st.integers(0, PROCESSES - 1), st.integers(0, 2**32))
def test_numbers_are_positive_and_name_their_process(process: int, seed: int) -> None:
    random_bytes = Random(seed).randbytes
    challenge = new_challenge_number(process, (), random_bytes)
    session = new_session_number(process, (), random_bytes)
    assert 0 < challenge < 2**31
    assert 0 < session < 2**31
    assert process_of(challenge) == process_of(session) == process
    assert challenge & PROCESSES != session & PROCESSES


def test_a_number_in_use_is_not_given_again() -> None:
    drawn = iter([b"\1\0\0\0", b"\1\0\0\0", b"\2\0\0\0"])
    taken = {new_challenge_number(0, (), lambda _: next(drawn))}
    assert new_challenge_number(0, taken, lambda _: next(drawn)) not in taken


@given(st.lists(st.integers(-5, 1_000), max_size=300))
def test_no_counter_is_taken_twice_and_none_that_is_too_old(counters: list[int]) -> None:
    seen, taken = SeenCounters(), list[int]()
    for counter in counters:
        highest = max(taken, default=0)
        expected = counter > 0 and counter not in taken and counter > highest - WINDOW
        assert seen.take(counter) == expected
        if expected:
            taken.append(counter)


def test_a_counter_far_ahead_costs_no_memory() -> None:
    seen = SeenCounters()
    assert seen.take(2**32 - 1)
    assert seen.take(2**32 - WINDOW)
    assert not seen.take(2**32 - 1 - WINDOW)


def sessions(clock: Clock, *, limit: int = 100, of_source: int = 100) -> Sessions:
    return Sessions(
        clock=clock,
        random_bytes=Random(5).randbytes,
        longest_s=1_000,
        limit=limit,
        of_source=of_source,
    )


def begin(store: Sessions, source: str = "a", asked_s: float = 500) -> Session:
    return store.open(KEY, claimed=None, asked_s=asked_s, source=source)


@pytest.mark.parametrize(("asked_s", "lives_s"), [(500, 500), (86_400, 1_000), (0, 60)])
def test_a_session_ends_when_agreed_and_never_later_than_allowed(
    asked_s: float, lives_s: float
) -> None:
    clock = Clock()
    store = sessions(clock)
    session = begin(store, asked_s=asked_s)
    clock.now = lives_s - 1
    assert store.find(session.number) is session
    clock.now = lives_s
    assert store.find(session.number) is None
    assert len(store) == 0


def test_sessions_nobody_has_authenticated_give_way_first() -> None:
    store = sessions(Clock(), limit=3)
    mine = begin(store, "me")
    mine.asker = SOMEBODY
    for source in range(20):
        begin(store, str(source))
    assert len(store) == 3
    assert store.find(mine.number) is mine


def test_when_all_sessions_are_somebodys_there_is_no_room() -> None:
    clock = Clock()
    store = sessions(clock, limit=2)
    for source in "ab":
        begin(store, source).asker = SOMEBODY
    with pytest.raises(Overloaded):
        begin(store, "c")
    clock.now = 500
    assert begin(store, "c")


def test_one_source_ends_its_own_oldest_session() -> None:
    store = sessions(Clock(), of_source=2)
    first, second = begin(store), begin(store)
    first.asker = SOMEBODY
    begin(store)
    assert store.find(first.number) is first
    assert store.find(second.number) is None
    for session in (begin(store), begin(store)):
        session.asker = SOMEBODY
    assert len(store) == 2


def test_closing_twice_changes_nothing() -> None:
    store = sessions(Clock())
    session = begin(store)
    store.close(session)
    store.close(session)
    assert len(store) == 0


def test_whoever_spends_more_than_comes_in_waits_until_it_has() -> None:
    clock = Clock()
    accounts = Allowance(clock, income=10, savings=20)
    accounts.charge("a", 25)
    with pytest.raises(Overloaded):
        accounts.check("a")
    accounts.check("b")
    clock.now = 0.6
    accounts.check("a")
    clock.now = 1_000
    accounts.charge("a", 20)
    accounts.check("a")


def test_accounts_are_bounded_and_the_untouched_are_forgotten_first() -> None:
    accounts = Allowance(Clock(), income=1, savings=1, sources=3)
    for source in "abcab":
        accounts.charge(source, 5)
    accounts.charge("d", 5)
    assert len(accounts) == 3
    accounts.check("c")
    with pytest.raises(Overloaded):
        accounts.check("a")


def test_forged_sources_share_one_account_and_leave_connections_theirs() -> None:
    work = StrangersWork(Clock())
    with pytest.raises(Overloaded):
        spend(work, [Connection(f"10.0.{n % 250}.{n // 250}", "udp", False) for n in range(5_000)])
    work.spend(Connection("10.0.0.1", "tcp", True), 1)


def test_one_client_cannot_spend_what_all_have() -> None:
    work = StrangersWork(Clock())
    with pytest.raises(Overloaded):
        spend(work, [Connection("10.0.0.1", "tcp", True)] * 5_000)
    work.spend(Connection("10.0.0.2", "tcp", True), 1)


def spend(work: StrangersWork, connections: list[Connection]) -> None:
    for connection in connections:
        work.spend(connection, 1)


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_an_address_belongs_to_its_network(peer: str, source: str) -> None:
    assert source_of(peer) == source
