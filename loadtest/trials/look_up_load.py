"""Look-ups over HTTP and UDP, as many as a few clients can make, every answer with its time.

Invariants: a channel's `sent` is at least its answers plus those that are under way; when the node
dies the clients take what had been sent to them and end by themselves.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from loadtest.bench.handle_messages import resolution

HTTP_CLIENTS, HTTP_IN_A_ROW = 2, 8
UDP_WINDOW = 16
_STATUS_INDEX = 1900
_PATIENCE_S = 0.5
_REQUEST_ID = slice(8, 12)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(slots=True)
class Traffic:
    """One client's: how much was sent, and when (monotonic) each answer was there."""

    sent: int = 0
    answered_at: list[float] = field(default_factory=list)


class LookUpLoad:
    """Clients of one node; `start`, then `end` or the node's death, then `join`."""

    def __init__(
        self, http: tuple[str, int], handle: tuple[str, int], identifiers: Sequence[str]
    ) -> None:
        self.http = [Traffic() for _ in range(HTTP_CLIENTS)]
        self.udp = [Traffic()]
        self._is_over = threading.Event()
        asking = [(self._ask_http, http, traffic) for traffic in self.http]
        asking += [(self._ask_udp, handle, traffic) for traffic in self.udp]
        self._threads = [
            threading.Thread(target=ask, args=(address, identifiers, traffic), daemon=True)
            for ask, address, traffic in asking
        ]

    def start(self) -> None:
        """Ask from now on."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Ask nothing more; what is under way is waited for."""
        self._is_over.set()

    def join(self) -> None:
        """Wait until every client has ended."""
        for thread in self._threads:
            thread.join()

    def _ask_http(
        self, address: tuple[str, int], identifiers: Sequence[str], traffic: Traffic
    ) -> None:
        names = itertools.cycle(identifiers)
        with suppress(OSError), socket.create_connection(address) as connection:
            while not self._is_over.is_set():
                traffic.sent += HTTP_IN_A_ROW
                connection.sendall(_requests(itertools.islice(names, HTTP_IN_A_ROW)))
                for _ in itertools.islice(_replies(connection), HTTP_IN_A_ROW):
                    traffic.answered_at.append(time.monotonic())

    def _ask_udp(
        self, address: tuple[str, int], identifiers: Sequence[str], traffic: Traffic
    ) -> None:
        messages = itertools.cycle([resolution(name, (_STATUS_INDEX,)) for name in identifiers])
        numbers = itertools.count(1)
        under_way: set[bytes] = set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(address)
            client.settimeout(_PATIENCE_S)
            is_alive = True
            while under_way or not self._is_over.is_set():
                while is_alive and len(under_way) < UDP_WINDOW and not self._is_over.is_set():
                    number = next(numbers).to_bytes(4)
                    message = next(messages)
                    traffic.sent += 1
                    under_way.add(number)
                    try:
                        client.send(message[:8] + number + message[12:])
                    except ConnectionRefusedError:
                        is_alive = False
                try:
                    answer = client.recv(2_048)
                except ConnectionRefusedError:
                    is_alive = False
                except TimeoutError:
                    under_way.clear()
                    if not is_alive:
                        return
                else:
                    traffic.answered_at.append(time.monotonic())
                    under_way.discard(answer[_REQUEST_ID])


def _requests(names: Iterator[str]) -> bytes:
    return b"".join(
        b"GET /%s HTTP/1.1\r\nHost: x\r\nUser-Agent: trial\r\n\r\n" % name.encode()
        for name in names
    )


def _replies(connection: socket.socket) -> Iterator[bytes]:
    """Yield replies as they come; end when the connection does."""
    data = b""
    while True:
        head, found, rest = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n") if found else None
        size = int(length[1]) if length else 0
        if found and len(rest) >= size:
            data = rest[size:]
            yield head
            continue
        part = connection.recv(65_536)
        if not part:
            return
        data += part
