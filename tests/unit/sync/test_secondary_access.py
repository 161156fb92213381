"""Who gets in: sessions, loopback without TLS; and the witness's own key."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from node.domain.signed_note import parse_verifier_key
from node.errors import IntegrityFailure, InvalidInput, NotAuthenticated, Unavailable
from sync.secondary.sessions import PER_NODE, Sessions
from sync.secondary.witness_key import key_path, load_or_create, require_memory
from sync.transport_security import require_loopback


class Clock:
    """Milliseconds that a test sets."""

    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def sessions(clock: Clock) -> Sessions:
    """Return sessions that last a second, with tokens 1, 2, 3 …"""
    numbers = iter(range(1, 100))
    return Sessions(clock, lambda n: next(numbers).to_bytes(n, "big"), lifetime_ms=1_000)


def test_a_session_ends_by_itself() -> None:
    clock = Clock()
    known = sessions(clock)
    session = known.open(1, "node-1")
    assert (session.expires_at_ms, len(session.token)) == (1_000, 64)
    clock.now_ms = 999
    assert known.require(session.token) is session
    clock.now_ms = 1_000
    with pytest.raises(NotAuthenticated):
        known.require(session.token)


@pytest.mark.parametrize("token", ["", "0" * 64, "nonsense"])
def test_an_unknown_token_is_no_session(token: str) -> None:
    known = sessions(Clock())
    known.open(1, "node-1")
    with pytest.raises(NotAuthenticated):
        known.require(token)


def test_a_node_that_opens_many_sessions_loses_its_oldest_alone() -> None:
    known = sessions(Clock())
    other = known.open(2, "node-2")
    own = [known.open(1, "node-1") for _ in range(PER_NODE + 1)]
    known.require(other.token)
    for session in own[1:]:
        known.require(session.token)
    with pytest.raises(NotAuthenticated):
        known.require(own[0].token)


def test_all_sessions_can_be_ended() -> None:
    known = sessions(Clock())
    session = known.open(1, "node-1")
    known.end_all()
    with pytest.raises(NotAuthenticated):
        known.require(session.token)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:1", "[::1]:1", "127.9.9.9:1"])
def test_loopback_needs_no_tls(address: str) -> None:
    require_loopback(address)


@pytest.mark.parametrize(
    "address", ["0.0.0.0:1", "10.0.0.1:1", "example.org:1", "[::]:1", "", ":1"]
)
def test_other_addresses_need_tls(address: str) -> None:
    with pytest.raises(InvalidInput):
        require_loopback(address)


def test_the_witness_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made = load_or_create(tmp_path, is_new=True, random_bytes=bytes)
    again = load_or_create(tmp_path, is_new=False, random_bytes=lambda n: b"x" * n)
    assert made.verifier_key() == again.verifier_key()
    assert parse_verifier_key(made.verifier_key()).name.startswith("xibiao.local/witness/")
    assert stat.S_IMODE(key_path(tmp_path).stat().st_mode) == 0o600


def test_a_witness_goes_on_neither_without_its_key_nor_without_its_memory(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        load_or_create(tmp_path, is_new=False, random_bytes=bytes)
    require_memory(tmp_path, tmp_path / "secondary.db")
    load_or_create(tmp_path, is_new=True, random_bytes=bytes)
    with pytest.raises(IntegrityFailure):
        require_memory(tmp_path, tmp_path / "secondary.db")
    key_path(tmp_path).write_bytes(b"short")
    with pytest.raises(Unavailable):
        load_or_create(tmp_path, is_new=False, random_bytes=bytes)
