"""Conformance of sessions (ids SES-…)."""

from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.conformance.conftest import HandleNode
from tests.handle_prover import (
    Reply,
    Session,
    admin,
    answer,
    asking,
    secret,
    session_of,
    setup_body,
    site_key,
    value,
    values_of,
    with_values,
)
from tests.handle_register import ABC, ADMIN, SECRET
from tests.handle_sockets import ENVELOPE_BYTES, request, text

SETUP, TERMINATE, CREATE, RESOLVE = 400, 401, 100, 1
SETUP_FLAGS = 0x5980_0000
CERTIFIED, PUBLIC = 0x5000_0000, 0x1100_0000


def opened(node: HandleNode) -> Session:
    """Set a session up."""
    reply = Reply(node.ask(request(SETUP, setup_body(), flags=SETUP_FLAGS)))
    assert reply.code == 1, reply.text
    return session_of(reply)


def authenticated(node: HandleNode) -> Session:
    """Set a session up and prove the administrator's key in it."""
    session = opened(node)
    challenge = Reply(node.ask(session.message(RESOLVE, asking(ADMIN, [300]))))
    assert (challenge.code, challenge.session) == (402, session.number)
    proof = session.sealed(answer(challenge, secret(0x22)))
    assert session.decrypted(node.ask(proof)).code == 1
    return session


def creation(name: str) -> bytes:
    return with_values(f"86.1000/{name}", value(1), admin())


@pytest.mark.parametrize("padding_bytes", [2, 0], ids=["ses_01", "ses_02"])
def test_ses_01_ses_02_session_is_set_up_and_signed(
    handle_node: HandleNode, padding_bytes: int
) -> None:
    body = setup_body(padding_bytes=padding_bytes)
    reply = Reply(handle_node.ask(request(SETUP, body, flags=SETUP_FLAGS)))
    assert (reply.code, reply.flags) == (1, 0xD980_0000)
    session = session_of(reply)
    assert session.number != 0
    assert Reply(handle_node.ask(session.message(RESOLVE, asking(ABC), flags=PUBLIC))).code == 1
    site = Reply(handle_node.ask(request(2, text("/")))).body
    credential, head = reply.credential, reply.raw[:12]
    assert credential[12:25] == text("HS_SIGNED")
    signed = reply.raw[ENVELOPE_BYTES : -4 - len(credential)]
    covered = head[:2] + bytes([head[2] & 0x1F]) + head[3:] + bytes(4) + signed
    site_key(site).public_key().verify(
        credential[-256:], covered, padding.PKCS1v15(), hashes.SHA256()
    )


def test_ses_03_unknown_mode_is_refused(handle_node: HandleNode) -> None:
    body = struct.pack(">H", 9) + setup_body()[2:]
    reply = Reply(handle_node.ask(request(SETUP, body, flags=SETUP_FLAGS & ~0x4080_0000)))
    assert (reply.code, reply.text) == (501, "Unrecognized key exchange mode")
    for mode in (1, 2, 3):
        body = struct.pack(">H", mode) + setup_body()[2:]
        assert Reply(handle_node.ask(request(SETUP, body))).code == 501


def test_ses_04_ses_05_first_request_proves_the_key_and_the_next_passes(
    handle_node: HandleNode,
) -> None:
    session = opened(handle_node)
    challenge = Reply(handle_node.ask(session.message(CREATE, creation("SES-04"))))
    assert (challenge.code, challenge.session) == (402, session.number)
    created = Reply(handle_node.ask(session.sealed(answer(challenge, secret(0x13)))))
    assert (created.code, created.session) == (1, session.number)
    assert Reply(handle_node.ask(session.message(CREATE, creation("SES-05")))).code == 1


def test_ses_06_message_seen_before_is_rejected(handle_node: HandleNode) -> None:
    session = authenticated(handle_node)
    message = session.message(RESOLVE, asking(ABC), flags=PUBLIC)
    assert Reply(handle_node.ask(message)).code == 1
    assert Reply(handle_node.ask(message)).code == 505


def test_ses_07_flipped_bit_of_a_mac_is_refused(handle_node: HandleNode) -> None:
    session = authenticated(handle_node)
    message = session.message(CREATE, creation("SES-07"))
    flipped = message[:-1] + bytes([message[-1] ^ 1])
    reply = Reply(handle_node.ask(flipped))
    assert (reply.code, reply.text) == (502, "Session authentication failed.")


def test_ses_08_authenticated_session_needs_macs(handle_node: HandleNode) -> None:
    session = authenticated(handle_node)
    reply = Reply(handle_node.ask(request(CREATE, creation("SES-08"), session=session.number)))
    assert (reply.code, reply.text) == (404, "Session request missing MAC code.")


def test_ses_09_certified_replies_bear_macs_that_count(handle_node: HandleNode) -> None:
    session = opened(handle_node)
    for counter in (1, 2, 3):
        message = session.message(RESOLVE, asking(ABC), flags=CERTIFIED)
        assert session.check(Reply(handle_node.ask(message))) == counter


def test_ses_10_encrypted_request_is_answered_encrypted(handle_node: HandleNode) -> None:
    session = opened(handle_node)
    message = session.message(RESOLVE, asking(ABC), flags=0x3100_0000)
    reply = session.decrypted(handle_node.ask(session.encrypted(message)))
    assert (reply.code, reply.indexes) == (1, [1, 2, 100])


def test_ses_11_value_that_is_not_public_is_answered_encrypted(handle_node: HandleNode) -> None:
    session = authenticated(handle_node)
    raw = handle_node.ask(session.message(RESOLVE, asking(ADMIN, [300])))
    assert SECRET not in raw
    reply = session.decrypted(raw)
    assert [entry[4] for entry in values_of(reply.body)] == [SECRET]


def test_ses_12_encryption_needs_a_session(handle_node: HandleNode) -> None:
    session = opened(handle_node)
    for number, code in ((session.number ^ 0x0100_0000, 500), (0, 501)):
        stranger = Session(number, session.key)
        message = stranger.encrypted(stranger.message(RESOLVE, asking(ABC)))
        assert Reply(handle_node.ask(message)).code == code


def test_ses_13_session_that_ended_is_unknown(handle_node: HandleNode) -> None:
    session = authenticated(handle_node)
    assert Reply(handle_node.ask(session.message(TERMINATE, text("/")))).code == 1
    reply = Reply(handle_node.ask(session.message(CREATE, creation("SES-13"))))
    assert reply.code == 500
    assert reply.text == "Invalid session id or session time out. Please try again."


def test_ses_14_cipher_text_that_cannot_be_is_refused_and_the_session_goes_on(
    handle_node: HandleNode,
) -> None:
    session = opened(handle_node)
    whole = session.encrypted(session.message(RESOLVE, asking(ABC), flags=PUBLIC))
    for size in (1, 15, 16, 17, 31):
        cut = whole[ENVELOPE_BYTES : ENVELOPE_BYTES + 32 + size]
        message = whole[:16] + struct.pack(">I", len(cut)) + cut
        assert Reply(handle_node.ask(message)).code not in (1, 2)
    message = session.message(RESOLVE, asking(ABC), flags=PUBLIC)
    assert Reply(handle_node.ask(message)).code == 1
