"""Conformance over TCP: clients of every habit, and some that mean no good (ids TCP-…)."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle.codes import ResponseCode
from tests.conformance.conftest import HandleNode, running_node
from tests.handle_administrator import HandleAdministrator, SecretLogin
from tests.handle_register import ABC, ADMIN, SECRET, SECRET_INDEX
from tests.handle_sockets import WAIT_S, envelope_of, header_of, resolution

IMPATIENT = {"XIBIAO_HANDLE__IDLE": "500ms", "XIBIAO_HANDLE__MESSAGE_TIMEOUT": "500ms"}
LARGE, LARGE_BYTES = "86.1000/TCP-LARGE", 200_000
MEMORY_KIB = 20_000


@pytest.fixture(scope="module")
def impatient_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandleNode]:
    """Run a node that closes connections after half a second."""
    with running_node(tmp_path_factory.mktemp("impatient"), **IMPATIENT) as node:
        yield node


def test_tcp_01_two_requests_back_to_back_are_both_answered(handle_node: HandleNode) -> None:
    with handle_node.tcp() as connection:
        connection.send(resolution(ABC, request_id=1) + resolution(ADMIN, request_id=2))
        for number in (1, 2):
            reply = connection.receive()
            assert envelope_of(reply).request == number
            assert header_of(reply).code == ResponseCode.SUCCESS
        reply = connection.ask(resolution(ABC, request_id=3))
        assert envelope_of(reply).request == 3


def test_tcp_01_client_that_reads_to_the_end_gets_answer_and_end(
    impatient_node: HandleNode,
) -> None:
    with impatient_node.tcp() as connection:
        assert header_of(connection.ask(resolution(ABC))).code == ResponseCode.SUCCESS
        assert connection.receive() == b""


def test_tcp_01_client_that_half_closes_gets_its_answer_at_once(handle_node: HandleNode) -> None:
    with handle_node.tcp() as connection:
        connection.send(resolution(ABC))
        connection.socket.shutdown(socket.SHUT_WR)
        assert header_of(connection.receive()).code == ResponseCode.SUCCESS
        assert connection.receive() == b""


def test_tcp_02_message_that_comes_too_slowly_ends_the_connection(
    impatient_node: HandleNode,
) -> None:
    with impatient_node.tcp() as connection:
        connection.send(resolution(ABC)[:1])
        assert connection.socket.recv(1) == b""


def test_tcp_03_a_thousand_idle_connections_keep_nobody_out(handle_node: HandleNode) -> None:
    with ExitStack() as opened:
        for _ in range(1_000):
            opened.enter_context(handle_node.tcp())
        assert header_of(handle_node.ask(resolution(ABC))).code == ResponseCode.SUCCESS


def test_tcp_04_reader_that_stops_is_cut_off_and_takes_bounded_memory(
    impatient_node: HandleNode,
) -> None:
    login = SecretLogin(HandleReference(ADMIN, SECRET_INDEX), SECRET)
    administrator = HandleAdministrator(impatient_node.tcp, login, seed=22)
    values = [HandleValue(n, "DESC", bytes(LARGE_BYTES // 4)) for n in range(1, 5)]
    assert administrator.create(LARGE, values).code == ResponseCode.SUCCESS
    before = impatient_node.resident_kib()
    with impatient_node.tcp() as connection:
        connection.send(resolution(LARGE) * 1_000)
        assert header_of(impatient_node.ask(resolution(ABC))).code == ResponseCode.SUCCESS
        # Nothing is read here, so the end shows only as an error of the connection.
        watch = select.poll()
        watch.register(connection.socket, 0)
        assert watch.poll(WAIT_S * 1_000)
    assert impatient_node.resident_kib() - before < MEMORY_KIB
