"""The native protocol inside HTTP: conformance list, group TUN."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.conftest import HandleNode
from tests.handle_register import ABC, ADMIN
from tests.handle_sockets import (
    ENVELOPE_BYTES,
    body_of,
    envelope_of,
    header_of,
    request,
    resolution,
    text,
)
from tests.wire.handle_vectors import VECTORS

MESSAGE = "application/x-hdl-message"
V1 = VECTORS["resolution_request"]  # 86.1000/ABC, RequestId 0x11223344


@pytest.fixture(scope="module", params=["http", "https"])
def tunnel(handle_node: HandleNode, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """Speak HTTP, then HTTPS, to the node."""
    address = handle_node.http if request.param == "http" else handle_node.https
    with httpx.Client(base_url=address, verify=handle_node.trust(), timeout=20) as client:
        yield client


def post(tunnel: httpx.Client, message: bytes, path: str = "/") -> bytes:
    headers = {"Content-Type": MESSAGE, "Accept": MESSAGE}
    response = tunnel.post(path, content=message, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == MESSAGE
    return response.content


def split(replies: bytes) -> list[bytes]:
    """Cut several messages apart."""
    messages = []
    while replies:
        end = ENVELOPE_BYTES + envelope_of(replies).length
        messages.append(replies[:end])
        replies = replies[end:]
    return messages


@pytest.mark.parametrize("path", ["/", "/any/path", "/api/handles/x", "/86.1000/ABC"])
def test_tun_01_message_is_answered_with_a_message(tunnel: httpx.Client, path: str) -> None:
    reply = post(tunnel, V1, path)
    envelope, header = envelope_of(reply), header_of(reply)
    assert reply[:4].hex() == "020b020b"
    assert (envelope.request, envelope.length) == (0x11223344, len(reply) - ENVELOPE_BYTES)
    assert (header.opcode, header.code) == (1, 1)
    assert body_of(reply).startswith(text(ABC) + (3).to_bytes(4, "big"))


def test_tun_01_answer_is_that_of_tcp(tunnel: httpx.Client, handle_node: HandleNode) -> None:
    question = resolution("86.1000/abc", indexes=[2])
    assert body_of(post(tunnel, question)) == body_of(handle_node.ask(question))


def test_tun_01_line_end_in_front_is_passed_over(tunnel: httpx.Client) -> None:
    assert header_of(post(tunnel, b"\n" + V1)).code == 1


def test_tun_01_challenge_is_given_over_http_too(tunnel: httpx.Client) -> None:
    reply = post(tunnel, request(105, text("0.NA/86.1000")))
    assert header_of(reply).code == 402
    assert envelope_of(reply).session != 0


@pytest.mark.parametrize("message", [b"", b"abc", V1[:19], V1[:30], bytes(64)])
def test_tun_02_undecodable_message_is_rc_4(tunnel: httpx.Client, message: bytes) -> None:
    (reply,) = split(post(tunnel, message))
    assert header_of(reply).code == 4


def test_tun_02_long_body_is_refused(tunnel: httpx.Client) -> None:
    headers = {"Content-Type": MESSAGE}
    response = tunnel.post("/", content=bytes(20_000_000), headers=headers)
    assert response.status_code == 413
    assert header_of(post(tunnel, resolution(ADMIN))).code == 1


def test_other_media_types_are_no_messages(tunnel: httpx.Client) -> None:
    response = tunnel.post("/any/path", content=V1, headers={"Content-Type": "text/plain"})
    assert response.status_code == 404
