"""Who reads the figures of a node without a key: nobody but the machine itself, if allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from node.api.access_control import AccessControl
from node.errors import NotAuthenticated

DIRECTORY: Any = SimpleNamespace(now=SimpleNamespace(keys={}))


def request(client: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": (client, 1)})


def is_let_in(*forwarded: str, client: str, proxies: tuple[str, ...] = (), local: bool) -> bool:
    access = AccessControl(
        DIRECTORY, lambda: datetime.now(UTC), trusted_proxies=proxies, trusts_local=local
    )
    try:
        access.require_reader(request(client, *forwarded))
    except NotAuthenticated:
        return False
    return True


def test_the_machine_itself_is_let_in_only_where_that_is_configured() -> None:
    assert is_let_in(client="127.0.0.1", local=True)
    assert is_let_in(client="::1", local=True)
    assert not is_let_in(client="127.0.0.1", local=False)
    assert not is_let_in(client="10.0.0.9", local=True)
    assert not is_let_in(client="", local=True)


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("127.0.0.1", ("127.0.0.1",), False),  # The proxy is not trusted: its word is nothing.
        ("10.0.0.1", ("127.0.0.1",), True),
        ("10.0.0.1", ("192.0.2.7",), False),
        ("10.0.0.1", ("127.0.0.1, 192.0.2.7",), False),  # What the client itself wrote.
        ("10.0.0.1", ("127.0.0.1", "192.0.2.7"), False),
        ("10.0.0.1", ("127.0.0.1, 10.0.0.2",), True),  # A chain of trusted proxies.
        ("10.0.0.1", (), False),
        ("10.0.0.1", ("nonsense",), False),
    ],
)
def test_a_trusted_proxy_says_who_the_client_is(
    client: str, forwarded: tuple[str, ...], expected: bool
) -> None:
    let_in = is_let_in(*forwarded, client=client, proxies=("10.0.0.0/8",), local=True)
    assert let_in is expected
