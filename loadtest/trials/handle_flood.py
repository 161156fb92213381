"""The flood itself, a process of its own: datagrams from every address of a loopback network.

`python -m loadtest.trials.handle_flood KIND NETWORK HOST PORT COUNT RATE SEED` sends COUNT
datagrams from NETWORK.1 … NETWORK.250 at no more than RATE a second, then prints one JSON object:
bytes `sent` and `received` by these sockets, and the `seconds` it took.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import count as counting
from itertools import cycle
from random import Random

from loadtest.bench.handle_messages import resolution
from loadtest.fuzz.handle_mutations import HandleMutations
from loadtest.trials.handle_site import PREFIX, RECORD, numbered

SOURCES = 250
_HOST_OFFSETS = range(1, SOURCES + 1)
_BURST = 100
_LAST_ANSWERS_S = 0.5
_SITE_INFO = struct.pack(">BBBBIIII", 2, 11, 2, 11, 0, 0, 0, 33) + struct.pack(
    ">IIIHBBIII1sI", 2, 0, 0x1100_0000, 0xFFFF, 0, 0, 0x7FFF_FFFF, 5, 1, b"/", 0
)


def main(arguments: Sequence[str]) -> None:
    """Send the flood and print what it came to."""
    kind, network, host, *numbers = arguments
    port, count, rate, seed = map(int, numbers)
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(_opened(f"{network}.{number}", (host, port)))
            for number in _HOST_OFFSETS
        ]
        began = time.monotonic()
        sent = _send(sockets, DATAGRAMS[kind](seed), count=count, rate=rate)
        seconds = time.monotonic() - began
        time.sleep(_LAST_ANSWERS_S)
        received = sum(map(_received, sockets))
    print(json.dumps({"sent": sent, "received": received, "seconds": seconds}))


def _send(
    sockets: Sequence[socket.socket], datagrams: Iterator[bytes], *, count: int, rate: int
) -> int:
    began, sent = time.monotonic(), 0
    for number, source in zip(range(count), cycle(sockets), strict=False):
        datagram = next(datagrams)
        with suppress(BlockingIOError):
            sent += source.send(datagram)
        if number % _BURST == 0:
            ahead_s = number / rate - (time.monotonic() - began)
            if ahead_s > 0:
                time.sleep(ahead_s)
    return sent


def _received(source: socket.socket) -> int:
    size = 0
    with suppress(BlockingIOError):
        while True:
            size += len(source.recv(65_536))
    return size


def _opened(address: str, server: tuple[str, int]) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.bind((address, 0))
    opened.connect(server)
    return opened


def _same(_seed: int) -> Iterator[bytes]:
    """Ask for one record that is there, over and over."""
    message = resolution(RECORD)
    return (numbered(message, number) for number in counting())


def _absent(seed: int) -> Iterator[bytes]:
    """Ask for what is not there, something else each time."""
    chance = Random(seed)
    while True:
        number = chance.getrandbits(31)
        yield numbered(resolution(f"{PREFIX}/{number:08X}"), number)


def _site(_seed: int) -> Iterator[bytes]:
    """Ask what the node says of itself: much more than the question."""
    return (numbered(_SITE_INFO, number) for number in counting())


def _bent(seed: int) -> Iterator[bytes]:
    return iter(HandleMutations(seed))


DATAGRAMS: dict[str, Callable[[int], Iterator[bytes]]] = {
    "same": _same,
    "absent": _absent,
    "site": _site,
    "bent": _bent,
}

if __name__ == "__main__":
    main(sys.argv[1:])
