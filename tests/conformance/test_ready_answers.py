"""The shortcut for plain resolutions says, byte for byte, what the server says."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import HandleNode
from tests.handle_register import ABC, ADMIN
from tests.handle_sockets import request, resolution

AUTHORITATIVE = 0x8000_0000  # sends a request past the shortcut, and is set in every reply
FLAGS = (0x1100_0000, 0x1000_0000, 0x1910_0000, 0x0000_0000, 0x0720_0001)


def without_expiration(reply: bytes) -> bytes:
    return reply[:36] + reply[40:]


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(
    ("handle", "indexes", "types"),
    [
        (ABC, (), ()),
        (ABC.lower(), (), ()),
        (ABC, (2,), ()),
        (ABC, (2,), ("URL",)),
        (ABC, (), ("hs_",)),
        (ABC, (), ("url.",)),
        (ABC, (9,), ()),
        (ABC, (0, -1 & 0xFFFF_FFFF), ("",)),
        (ABC, (1,) * 16, ()),
        (ADMIN, (), ()),
        (ADMIN, (301,), ()),
        (ADMIN, (1,), ()),
        ("86.1000/ABSENT", (), ()),
        ("86.1000/É", (), ()),
        ("86.1000/ ", (), ()),
        ("86.1000/", (), ()),
        ("99.9/x", (), ()),
        ("0.NA/86.1000", (), ("HS_SITE",)),
        ("/", (), ()),
        ("", (), ()),
        (b"86.1000/\xff", (), ()),
        ("86.1000/" + "X" * 3_000, (), ()),
    ],
)
def test_shortcut_and_server_agree(
    handle_node: HandleNode,
    handle: str,
    indexes: tuple[int, ...],
    types: tuple[str, ...],
    flags: int,
) -> None:
    asked = resolution(handle, indexes=indexes, types=types, flags=flags)
    past = resolution(handle, indexes=indexes, types=types, flags=flags | AUTHORITATIVE)
    by_server = handle_node.ask(past)
    first, second = handle_node.ask(asked), handle_node.ask(asked)
    if by_server[24:28] == (402).to_bytes(4):
        # A challenge differs every time, but everything in front of its nonce.
        assert first[8:36] == second[8:36] == by_server[8:36]
        return
    assert without_expiration(first) == without_expiration(by_server)
    assert without_expiration(second) == without_expiration(by_server)


@pytest.mark.parametrize(
    "version", [(1, 0), (2, 0), (2, 1), (2, 3), (2, 5), (2, 10), (3, 0), (5, 5)]
)
def test_shortcut_and_server_speak_the_same_version(
    handle_node: HandleNode, version: tuple[int, int]
) -> None:
    body = resolution(ABC)[44:-4]
    asked, past = (
        handle_node.ask(request(1, body, flags=flags, version=version))
        for flags in (0x1100_0000, 0x1100_0000 | AUTHORITATIVE)
    )
    assert without_expiration(asked) == without_expiration(past)
