"""Sessions of the JSON API: nothing is kept of those that nobody has proved anything in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.handle_value import HandleReference
from resolver.handle.api_sessions import LIFETIME_S, NONCE_BYTES, Sessions
from resolver.handle.identity import Identity

OWNER = Identity(HandleReference("86.1000/ADMIN", 300), b"fingerprint")


class Machine:
    """A clock that is set and randomness that counts."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._count = 0

    def clock(self) -> float:
        return self.now

    def random_bytes(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")

    def sessions(self, limit: int = 10) -> Sessions:
        return Sessions(clock=self.clock, random_bytes=self.random_bytes, limit=limit)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_new_session_is_found_with_its_nonce_and_without_an_owner(machine: Machine) -> None:
    sessions = machine.sessions()
    opened = sessions.open()
    assert sessions.find(opened.id) == opened
    assert len(opened.nonce) == NONCE_BYTES
    assert opened.owner is None


def test_no_two_sessions_share_identifier_or_nonce(machine: Machine) -> None:
    sessions = machine.sessions()
    opened = [sessions.open() for _ in range(50)]
    assert len({session.id for session in opened}) == 50
    assert len({session.nonce for session in opened}) == 50


def test_owner_is_remembered_for_that_session_alone(machine: Machine) -> None:
    sessions = machine.sessions()
    first, second = sessions.open(), sessions.open()
    assert sessions.authenticate(first, OWNER).owner == OWNER
    found = [sessions.find(session.id) for session in (first, second)]
    assert [session.owner for session in found if session] == [OWNER, None]


def test_session_ends_half_an_hour_after_it_was_opened(machine: Machine) -> None:
    sessions = machine.sessions()
    session = sessions.authenticate(sessions.open(), OWNER)
    machine.now += LIFETIME_S - 1
    assert sessions.find(session.id) is not None
    machine.now += 1
    assert sessions.find(session.id) is None


def test_ended_session_is_found_no_more(machine: Machine) -> None:
    sessions = machine.sessions()
    session = sessions.authenticate(sessions.open(), OWNER)
    sessions.end(session)
    assert sessions.find(session.id) is None


def test_session_of_another_process_is_not_found(machine: Machine) -> None:
    here, there = machine.sessions(), machine.sessions()
    assert there.find(here.open().id) is None


def test_memory_holds_the_latest_owners_and_no_anonymous_session(machine: Machine) -> None:
    sessions = machine.sessions(limit=2)
    kept = [sessions.authenticate(sessions.open(), OWNER) for _ in range(3)]
    for _ in range(1000):
        sessions.open()
    found = [sessions.find(session.id) for session in kept]
    # The first was pushed out by the third; its holder is asked to prove who they are again.
    assert [session.owner for session in found if session] == [None, OWNER, OWNER]


@given(st.text(max_size=60))
def test_no_invented_identifier_is_found(name: str) -> None:
    assert Machine().sessions().find(name) is None


@given(st.integers(0, 43), st.characters(codec="ascii"))
def test_no_altered_identifier_is_found(at: int, character: str) -> None:
    sessions = Machine().sessions()
    name = sessions.open().id
    altered = name[:at] + character + name[at + 1 :]
    assert (sessions.find(altered) is not None) == (altered == name)
