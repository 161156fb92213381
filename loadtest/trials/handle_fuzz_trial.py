"""Bent messages by the million over UDP and TCP: the node stays up, right, quick and as large.

The messages are those of `loadtest.fuzz`. Over UDP they go out in volleys, each followed by a sound
question, whose answer also tells that the volley has been read. Over TCP a connection takes
messages as long as they are framed right; the first that is not ends it, and the node must answer
or close.

Invariants: the same seed sends the same messages, so a run is continued by another seed; the node
judges every datagram (the limit for one source is lifted), whatever it then answers.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from loadtest.fuzz.handle_mutations import HandleMutations
from loadtest.trials.findings import Finding, TrialFailed, none_of
from loadtest.trials.handle_site import (
    PATIENCE_S,
    HandleSite,
    ask_over_tcp,
    is_answer,
    question,
    receive_numbered,
)
from loadtest.trials.stores import Stores

TRIAL = "handle-fuzz"
TCP_SHARE = 10  # one request over TCP for so many datagrams
VOLLEY = 250
# A node grows while its caches and stores fill; after this part of the run it must not any more.
WARM_UP = 0.2
MOST_GROWTH = 1.05
# A small cache of answers is soon full: what grows after that is not meant to. (With 16 MiB it is
# still filling after ten million datagrams, most of which leave nothing to keep.)
_SETTINGS = {
    "XIBIAO_HANDLE__UDP_UNLIMITED": "127.0.0.0/8",
    "XIBIAO_LOOKUP__MEMORY_CACHE": "2MiB",
}
_PROBE_ID = 0x7A00_0000
_MOST_A_CONNECTION = 50
_LENGTH = slice(16, 20)
_ENVELOPE_BYTES = 20


def handle_fuzz_trial(
    place: Path, stores: Stores, *, rows: int, seed: int, most_growth: float = MOST_GROWTH
) -> Iterator[Finding]:
    """Send `rows` bent datagrams and a tenth as many bent requests over TCP."""
    with HandleSite(place, stores, _SETTINGS) as site:
        answer = ask_over_tcp(site.address, question(_PROBE_ID))
        values = answer[44:-4]
        for name, send, count in (
            ("datagrams", _send_datagrams, rows),
            ("requests over TCP", _send_requests, rows // TCP_SHARE),
        ):
            messages = HandleMutations(seed)
            warm_up = int(count * WARM_UP)
            faults = send(site, islice(messages, warm_up), values)
            before_mib = site.node.resident_mib()
            faults |= send(site, islice(messages, count - warm_up), values)
            grown = site.node.resident_mib() / before_mib
            if grown > most_growth:
                faults["memory"] = f"grew to {grown:.3f} of {before_mib:.0f} MiB"
            if failures := site.failures():
                faults["failed"] = f"{failures} requests met an unexpected error"
            yield none_of(
                TRIAL,
                f"{count} bent {name}: the node lives, answers right and does not grow",
                faults,
                seed=seed,
                mib=round(before_mib, 1),
                grown=round(grown, 4),
            )
        site.node.stop()
        said = [line for line in site.node.log_text().splitlines() if "Traceback" in line]
        yield none_of(
            TRIAL, "the node ended well and said nothing bad", {"log": said} if said else {}
        )


def _send_datagrams(
    site: HandleSite, messages: Iterator[bytes], values: bytes
) -> dict[str, object]:
    faults: dict[str, object] = {}
    # What comes back to the bent ones fills the buffer of their own socket.
    with _datagrams_to(site.address) as datagrams, _datagrams_to(site.address) as probe:
        number = _PROBE_ID
        while volley := list(islice(messages, VOLLEY)):
            for message in volley:
                datagrams.send(message)
            number += 1
            probe.send(question(number))
            packet = receive_numbered(probe, number, PATIENCE_S)
            if not packet:
                raise TrialFailed(f"no answer after {volley[-1]!r}")
            # The first packet of an answer holds the beginning of its body.
            if not is_answer(packet, number, values[: len(packet) - 44]):
                faults[f"volley {number - _PROBE_ID}"] = packet.hex()
    return faults


def _datagrams_to(server: tuple[str, int]) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.connect(server)
    return opened


def _send_requests(site: HandleSite, messages: Iterator[bytes], values: bytes) -> dict[str, object]:
    faults: dict[str, object] = {}
    number = _PROBE_ID
    for bent in _connections(messages):
        replies = ask_over_tcp(site.address, bent)
        if not replies:
            faults[f"connection {number - _PROBE_ID}"] = f"no reply to {bent[:400].hex()}"
        number += 1
        if number % 100 == 0:
            reply = ask_over_tcp(site.address, question(number))
            if not is_answer(reply, number, values):
                faults[f"answer {number - _PROBE_ID}"] = reply.hex()
    return faults


def _connections(messages: Iterator[bytes]) -> Iterator[bytes]:
    """Give what each connection takes: messages up to the first that is not as long as it says."""
    taken: list[bytes] = []
    for message in messages:
        taken.append(message)
        is_framed = int.from_bytes(message[_LENGTH]) == len(message) - _ENVELOPE_BYTES
        if not is_framed or len(taken) == _MOST_A_CONNECTION:
            if sent := b"".join(taken):
                yield sent
            taken.clear()
    if sent := b"".join(taken):
        yield sent
