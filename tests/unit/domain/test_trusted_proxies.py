"""Whose word is taken about where a request comes from."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.trusted_proxies import TrustedProxies, read_address

OURS = TrustedProxies(("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", ("198.51.100.1",), "192.0.2.9"),  # A stranger's word is nothing.
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("::ffff:10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("fd00::1", ("2001:db8::7",), "2001:db8::7"),
        ("10.0.0.1", ("192.0.2.66, 198.51.100.1",), "198.51.100.1"),  # What he wrote himself.
        ("10.0.0.1", ("192.0.2.66", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1 ,10.2.3.4,",), None),
        ("10.0.0.1", ("198.51.100.1 ,10.2.3.4",), "198.51.100.1"),
        ("10.0.0.1", ("198.51.100.1, nonsense",), None),
        ("10.0.0.1", ("198.51.100.1:443",), None),
        ("10.0.0.1", ("10.9.9.9",), None),
        ("10.0.0.1", (), None),
    ],
)
def test_the_last_stranger_is_the_client(
    peer: str, forwarded: tuple[str, ...], client: str | None
) -> None:
    found = OURS.client(read_address(peer), forwarded)
    assert found == (None if client is None else ip_address(client))


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_fields_are_read(forwarded: list[str]) -> None:
    stranger = ip_address("192.0.2.9")
    assert OURS.client(stranger, forwarded) == stranger
    assert OURS.client(ip_address("10.0.0.1"), forwarded) not in OURS


def test_a_peer_that_is_none_is_trusted_by_nobody() -> None:
    assert TrustedProxies().client(None, ("10.0.0.1",)) is None
    assert read_address("unix:") is None
