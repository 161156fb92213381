"""Taking the address of a node: alone by default, together only when every process says so."""

from __future__ import annotations

from contextlib import closing

import pytest

from admin.listening import bind, is_loopback
from node.errors import InvalidInput


def taken(address: str, *, shared: bool) -> closing:  # type: ignore[type-arg]
    listener = bind(address, shared=shared)
    assert listener is not None
    listener.listen()
    return closing(listener)


def test_a_second_process_on_the_same_address_is_refused() -> None:
    with taken("127.0.0.1:0", shared=False) as first:
        address = f"127.0.0.1:{first.getsockname()[1]}"
        for shared in (False, True):
            with pytest.raises(InvalidInput, match=address) as caught:
                bind(address, shared=shared)
            assert caught.value.code == "cannot_listen"


def test_processes_that_all_say_so_share_an_address() -> None:
    with taken("127.0.0.1:0", shared=True) as first:
        address = f"127.0.0.1:{first.getsockname()[1]}"
        with taken(address, shared=True), pytest.raises(InvalidInput):
            bind(address, shared=False)


def test_no_address_no_socket_and_a_foreign_address_is_refused() -> None:
    assert bind("", shared=False) is None
    with pytest.raises(InvalidInput):
        bind("192.0.2.1:0", shared=False)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8080", True),
        ("127.9.9.9:1", True),
        ("[::1]:8080", True),
        ("localhost:8080", True),
        ("0.0.0.0:8080", False),
        ("[::]:8080", False),
        ("node.example:80", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_are_of_this_machine_alone(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
