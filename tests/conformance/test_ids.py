"""Conformance of the IDIS dialect (ids IDS-…)."""

from __future__ import annotations

import struct

from tests.conformance.conftest import HandleNode
from tests.handle_prover import Reply, admin, answer, key_pair, secret, value, with_values
from tests.handle_register import ABC, ADMIN
from tests.handle_sockets import ENVELOPE_BYTES, TCPSocket, header_of, request, resolution, text

CREATE, LOGIN = 100, 2001
DIALECT = (2, 10)


def login(index: int = 300, *, session: int = 1) -> bytes:
    """Write a login, which has no credential length."""
    body = text(ADMIN) + struct.pack(">I", index)
    whole = request(LOGIN, body, session=session, flags=0x1080_0000, version=DIALECT)
    return whole[:16] + struct.pack(">I", len(whole) - ENVELOPE_BYTES - 4) + whole[20:-4]


def logged_in(connection: TCPSocket) -> None:
    challenge = Reply(connection.ask(login()))
    assert challenge.code == 402
    outcome = Reply(connection.ask(answer(challenge, secret(0x13))))
    assert (outcome.code, header_of(outcome.raw).opcode) == (1, LOGIN)


def test_ids_01_login_is_challenged_and_the_connection_stays_open(handle_node: HandleNode) -> None:
    with handle_node.tcp() as connection:
        assert Reply(connection.ask(request(2, text("/"), session=1, version=DIALECT))).code == 1
        challenge = Reply(connection.ask(login()))
        assert challenge.code == 402
        assert challenge.flags & 0x0080_0000
        assert Reply(connection.ask(resolution(ABC))).code == 1


def test_ids_02_answer_logs_in_and_the_connection_administers(handle_node: HandleNode) -> None:
    with handle_node.tcp() as connection:
        logged_in(connection)
        for session, name in ((2, "86.1000/IDS-02-A"), (3, "86.1000/IDS-02-B")):
            body = with_values(name, value(1), admin())
            reply = Reply(connection.ask(request(CREATE, body, session=session, version=DIALECT)))
            assert (reply.code, reply.session) == (1, session)
    body = with_values("86.1000/IDS-02-C", value(1), admin())
    assert Reply(handle_node.ask(request(CREATE, body))).code == 402


def test_ids_02_user_logs_in_with_his_key_pair(handle_node: HandleNode) -> None:
    with handle_node.tcp() as connection:
        challenge = Reply(connection.ask(login(301)))
        proof = answer(challenge, key_pair(handle_node.administrator_key), index=301)
        assert Reply(connection.ask(proof)).code == 1


def test_ids_03_heartbeat_is_answered_and_the_connection_stays_open(
    handle_node: HandleNode,
) -> None:
    with handle_node.tcp() as connection:
        for number in range(3):
            reply = connection.ask(resolution("0", request_id=number))
            assert header_of(reply).code != 0
        assert Reply(connection.ask(resolution(ABC))).code == 1


def test_ids_04_number_that_the_client_chose_is_echoed(handle_node: HandleNode) -> None:
    message = resolution(ABC)
    message = message[:4] + struct.pack(">I", 7) + message[8:]
    reply = Reply(handle_node.ask(message))
    assert (reply.code, reply.session) == (1, 7)
