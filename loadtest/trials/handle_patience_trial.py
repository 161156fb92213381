"""Clients that never finish: half-sent messages, silent connections, lying ones; nobody is harmed.

Over UDP `rows` messages are begun and not ended. Over TCP a tenth as many connections say nothing,
and as many announce the longest message there is, send a little of it and then a byte now and
again. All the while a real client asks over both transports.

Invariants: the hostile connections come from many addresses, so that it is their behaviour that
ends them and not the limit for one client.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from loadtest.bench.handle_messages import resolution
from loadtest.trials.findings import Finding, none_of
from loadtest.trials.handle_site import (
    RECORD,
    HandleSite,
    PatientClient,
    ask_over_tcp,
    is_answer,
    numbered,
    question,
)
from loadtest.trials.stores import Stores

TRIAL = "handle-patience"
TCP_SHARE = 10
MOST_GROWTH_MIB = 24.0
SLOWEST_ANSWER_S = 1.0
NO_SETTINGS: Mapping[str, str] = {}
# The node's own deadlines are 5 s of silence, 5 s for packets, and 15 s for a message over TCP.
ENDED_WITHIN_S = 30.0
_A_SOURCE = 100  # hostile connections of one address
_LONGEST_BYTES = 262_144
_BEGUN_BYTES = 1_000
_LOOK_S = 0.5


def handle_patience_trial(
    place: Path, stores: Stores, *, rows: int, seed: int, settings: Mapping[str, str] = NO_SETTINGS
) -> Iterator[Finding]:
    """Begin `rows` messages over UDP and a tenth as many silent and lying connections each.

    `settings`: shorter deadlines of the node, for a small trial.
    """
    with HandleSite(place, stores, settings) as site:
        values = ask_over_tcp(site.address, question(1))[44:-4]
        before_mib = site.node.resident_mib()
        with ExitStack() as opened, PatientClient(site.address, "127.1.1.1") as client:
            asking = _Asking(client, site, values, first=seed)
            _begin_messages(site.address, rows, asking)
            silent = _connect(opened, site.address, rows // TCP_SHARE, network="127.8")
            lying = _connect(opened, site.address, rows // TCP_SHARE, network="127.9")
            _lie(lying)
            largest_mib = site.node.resident_mib()
            left, seconds = _wait_for_the_end(silent, lying, asking)
        faults = asking.faults
        if largest_mib - before_mib > MOST_GROWTH_MIB:
            faults["memory"] = f"from {before_mib:.0f} to {largest_mib:.0f} MiB"
        if left:
            faults["open"] = f"{left} hostile connections after {ENDED_WITHIN_S} s"
        if failures := site.failures():
            faults["failed"] = f"{failures} requests met an unexpected error"
        site.node.stop()
        yield none_of(
            TRIAL,
            "half-sent messages, silent and lying connections harm nobody and end",
            faults,
            half_sent=rows,
            silent=len(silent),
            lying=len(lying),
            asked=asking.asked,
            slowest_s=round(asking.slowest_s, 3),
            grown_mib=round(largest_mib - before_mib, 1),
            ended_s=round(seconds, 1),
        )


class _Asking:
    """A real client that asks over UDP, and over a TCP connection of its own."""

    def __init__(
        self, client: PatientClient, site: HandleSite, values: bytes, *, first: int
    ) -> None:
        self._client = client
        self._site = site
        self._values = values
        self._number = first
        self.asked = 0
        self.slowest_s = 0.0
        self.faults: dict[str, object] = {}

    def ask(self) -> None:
        """Ask both ways and note what is wrong or slow."""
        self._number += 1
        number, before_tcp = self._number, self._client.over_tcp
        began = time.monotonic()
        packet = self._client.ask(number)
        self._note("udp", packet, self._values[: len(packet) - 44], began)
        if self._client.over_tcp != before_tcp:
            self.faults[f"udp {number}"] = "not answered"
        began = time.monotonic()
        self._note("tcp", ask_over_tcp(self._site.address, question(number)), self._values, began)

    def _note(self, way: str, reply: bytes, values: bytes, began: float) -> None:
        self.asked += 1
        seconds = time.monotonic() - began
        self.slowest_s = max(self.slowest_s, seconds)
        if not is_answer(reply, self._number, values):
            self.faults[f"{way} {self._number}"] = reply.hex()
        elif seconds > SLOWEST_ANSWER_S:
            self.faults[f"{way} {self._number}"] = f"took {seconds:.1f} s"


def _begin_messages(server: tuple[str, int], count: int, asking: _Asking) -> None:
    """Send the first of two packets of `count` messages, from as many ports as there are."""
    whole = resolution(RECORD, range(1, 200))
    packet = whole[:2] + bytes((whole[2] | 0x20,)) + whole[3:512]
    for start in range(0, count, _A_SOURCE):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind((f"127.6.{start // _A_SOURCE % 250}.1", 0))
            datagrams.connect(server)
            for number in range(start, min(start + _A_SOURCE, count)):
                datagrams.send(numbered(packet, number))
        if start % (10 * _A_SOURCE) == 0:
            asking.ask()


def _connect(
    opened: ExitStack, server: tuple[str, int], count: int, *, network: str
) -> list[socket.socket]:
    connections = []
    for number in range(count):
        connection = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        connection.bind((f"{network}.{number // _A_SOURCE}.1", 0))
        connection.connect(server)
        connections.append(connection)
    return connections


def _lie(connections: Sequence[socket.socket]) -> None:
    """Announce the longest message and send the beginning of it."""
    sound = resolution(RECORD)
    begun = sound[:16] + _LONGEST_BYTES.to_bytes(4) + sound[20:] + bytes(_BEGUN_BYTES)
    for connection in connections:
        connection.sendall(begun)


def _wait_for_the_end(
    silent: Sequence[socket.socket], lying: Sequence[socket.socket], asking: _Asking
) -> tuple[int, float]:
    """Ask on, while lying connections add a byte now and again, until the node has ended all.

    Gives how many were left open, and after how many seconds it was over.
    """
    watch = select.poll()
    open_ = {connection.fileno(): connection for connection in (*silent, *lying)}
    for number in open_:
        watch.register(number, select.POLLIN)
    began = time.monotonic()
    while open_ and time.monotonic() - began < ENDED_WITHIN_S:
        asking.ask()
        for connection in lying:
            with suppress(OSError):
                connection.send(b"\0")
        for number, _ in watch.poll(0):
            watch.unregister(number)
            del open_[number]
        time.sleep(_LOOK_S)
    return len(open_), time.monotonic() - began
