"""Batches on real sockets: sizes, sources, networks, and what cannot be sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from node.domain.resolution_event import client_part
from resolver.handle import datagram_clients
from resolver.handle.datagram_batches import (
    BATCH,
    LONGEST_BYTES,
    BatchSocket,
    is_among,
)
from resolver.handle.datagram_clients import DatagramClients

WAIT_S = 20.0


@contextmanager
def bound(family: int = socket.AF_INET, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.bind((host, 0))
        opened.settimeout(WAIT_S)
        yield opened


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with bound() as opened:
        opened.setblocking(False)
        yield opened


def test_nothing_there_is_an_empty_batch(server: socket.socket) -> None:
    assert BatchSocket(server).receive() == []


def test_datagrams_come_in_order_with_their_sizes_and_sources(server: socket.socket) -> None:
    batch, sizes = BatchSocket(server), [0, 1, 63, 512, LONGEST_BYTES]
    with bound() as one, bound(host="127.9.8.7") as other:
        for size in sizes:
            one.sendto(b"x" * size, server.getsockname())
        other.sendto(b"y", server.getsockname())
        assert batch.receive() == [b"x" * size for size in sizes] + [b"y"]
        assert batch.source(0) == one.getsockname()
        assert batch.source(5) == other.getsockname()
        assert batch.network(0) == batch.network(4) != batch.network(5)


def test_more_than_a_batch_comes_in_several(server: socket.socket) -> None:
    batch = BatchSocket(server)
    with bound() as client:
        for number in range(BATCH + 3):
            client.sendto(b"%d" % number, server.getsockname())
        assert len(batch.receive()) == BATCH
        assert batch.receive() == [b"64", b"65", b"66"]


def test_datagram_that_is_too_long_arrives_cut(server: socket.socket) -> None:
    with bound() as client:
        client.sendto(bytes(LONGEST_BYTES + 1), server.getsockname())
        client.sendto(b"next", server.getsockname())
        assert BatchSocket(server).receive() == [bytes(LONGEST_BYTES), b"next"]


def test_replies_go_to_their_askers_with_their_numbers(server: socket.socket) -> None:
    batch = BatchSocket(server)
    with bound() as one, bound() as other:
        one.sendto(b"a", server.getsockname())
        other.sendto(b"b", server.getsockname())
        assert batch.receive() == [b"a", b"b"]
        for _ in range(BATCH):
            batch.reply(1, b"01234567....rest of it", b"OTHR")
            batch.reply(0, b"01234567....short", b"ONE.")
        batch.flush()
        batch.flush()
        for _ in range(BATCH):
            assert one.recv(100) == b"01234567ONE.short"
            assert other.recv(100) == b"01234567OTHRrest of it"
        one.setblocking(False)
        with pytest.raises(BlockingIOError):
            one.recv(1)


def test_a_reply_that_cannot_be_sent_does_not_hold_up_the_others(server: socket.socket) -> None:
    batch = BatchSocket(server)
    with bound() as client:
        client.sendto(b"forged", server.getsockname())
        client.sendto(b"sound", server.getsockname())
        batch.receive()
        batch._names[2:4] = bytes(2)  # port 0, which only a forger writes
        for number in (0, 1, 0, 1):
            batch.reply(number, b"01234567....answer", b"mine")
        batch.flush()
        assert [client.recv(100) for _ in range(2)] == [b"01234567mineanswer"] * 2


def test_a_dead_socket_raises() -> None:
    with bound() as opened:
        opened.setblocking(False)
        batch = BatchSocket(opened)
    with pytest.raises(OSError, match="Bad file descriptor"):
        batch.receive()


@pytest.mark.parametrize(
    ("networks", "inside", "outside"),
    [
        (["127.0.0.0/8"], ["127.0.0.1", "127.255.3.9"], []),
        (
            ["127.3.0.0/16", "127.9.8.0/24"],
            ["127.3.200.1", "127.9.8.77"],
            ["127.4.0.1", "127.9.9.1"],
        ),
        (["127.5.5.5/32"], ["127.5.5.5", "127.5.5.9"], ["127.5.6.5"]),
        (["::/0"], [], ["127.0.0.1"]),
        ([], [], ["127.0.0.1"]),
    ],
)
def test_networks_without_limit_are_recognised(
    server: socket.socket, networks: list[str], inside: list[str], outside: list[str]
) -> None:
    batch, is_unlimited = BatchSocket(server), is_among(networks, socket.AF_INET)
    for host in [*inside, *outside]:
        with bound(host=host) as client:
            client.sendto(b"x", server.getsockname())
            batch.receive()
            assert is_unlimited(batch.network(0)) == (host in inside), host


def test_ipv6_sockets_tell_ipv6_and_ipv4_clients_apart() -> None:
    with bound(socket.AF_INET6, "::") as server, bound(host="127.9.8.7") as four:
        server.setblocking(False)
        batch, port = BatchSocket(server), server.getsockname()[1]
        four.sendto(b"four", ("127.0.0.1", port))
        with bound(socket.AF_INET6, "::1") as six:
            six.sendto(b"six", ("::1", port))
            assert batch.receive() == [b"four", b"six"]
            assert batch.source(0)[:2] == ("::ffff:127.9.8.7", four.getsockname()[1])
            assert batch.source(1) == six.getsockname()
            is_four = is_among(["127.9.8.0/24"], socket.AF_INET6)
            is_six = is_among(["::1/128"], socket.AF_INET6)
            assert (is_four(batch.network(0)), is_four(batch.network(1))) == (True, False)
            assert (is_six(batch.network(0)), is_six(batch.network(1))) == (False, True)
            batch.reply(0, b"01234567....", b"four")
            batch.reply(1, b"01234567....", b"six.")
            batch.flush()
            assert four.recv(100)[8:] == b"four"
            assert six.recv(100)[8:] == b"six."


@pytest.mark.parametrize(
    ("family", "host", "peers"),
    [
        (socket.AF_INET, "127.0.0.1", ("127.0.0.9", "127.9.8.7")),
        (socket.AF_INET6, "::", ("127.0.0.9", "127.9.8.7")),
    ],
)
def test_senders_are_known_by_their_address_alone(
    family: int, host: str, peers: tuple[str, str]
) -> None:
    with (
        bound(family, host) as opened,
        bound(host=peers[0]) as one,
        bound(host=peers[0]) as same,
        bound(host=peers[1]) as other,
    ):
        opened.setblocking(False)
        for client in (one, same, other):
            client.sendto(b"x", ("127.0.0.1", opened.getsockname()[1]))
        batch = BatchSocket(opened)
        assert len(batch.receive()) == 3
        clients = DatagramClients(batch)
        for number, peer in enumerate((peers[0], peers[0], peers[1])):
            assert batch.packed_address(number) == ip_address(peer).packed
            learnt = clients.learn(number)
            assert learnt == (batch.network(number), client_part(ip_address(peer).packed))
            assert clients.known[batch.addresses[number]] == learnt
        assert len(clients.known) == 2


def test_clients_are_forgotten_when_there_are_many(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagram_clients, "CLIENTS_REMEMBERED", 3)
    batch = BatchSocket(server)
    clients = DatagramClients(batch)
    for last in range(10):
        with bound(host=f"127.0.0.{last + 1}") as client:
            client.sendto(b"x", server.getsockname())
        batch.receive()
        clients.learn(0)
    assert len(clients.known) == 1
