"""Bent Handle messages by the thousand: whatever arrives is read or refused, with one error.

The same supply of messages, by the million, goes to a running node in `loadtest`.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

from loadtest.fuzz.handle_mutations import HandleMutations
from node.errors import InvalidInput
from resolver.handle import envelope, fragments
from tests.wire.handle_decoding import read_all
from tests.wire.handle_vectors import MESSAGES, VECTORS

COUNT = 30_000


def outcome_of(data: bytes) -> str:
    try:
        read_all(data)
    except InvalidInput as error:
        return error.code
    return "read"


def test_bent_messages_are_read_or_refused() -> None:
    outcomes = Counter(map(outcome_of, islice(HandleMutations(seed=1), COUNT)))
    assert outcomes.keys() == {"read", "handle_message"}
    assert min(outcomes.values()) > COUNT // 10, "the messages reach too little of the decoders"


def test_bent_packets_are_collected_within_bounds() -> None:
    table = fragments.Reassembly(max_messages=20, max_bytes=20_000)
    long = b"".join(VECTORS[name][envelope.ENVELOPE_BYTES :] for name in MESSAGES)[:3_000]
    head = envelope.encode(envelope.Envelope(7, len(long)))
    packets = fragments.split(head + long)
    for number, packet in enumerate(islice(HandleMutations(2, packets), COUNT)):
        try:
            table.add(packet, number % 5, now=number / 1000)
        except InvalidInput:
            continue
        finally:
            assert len(table) <= 20
            assert table.held_bytes <= 20_000


def test_same_seed_bends_alike_and_some_messages_stay_whole() -> None:
    first, again, other = (list(islice(HandleMutations(s), 1_000)) for s in (3, 3, 4))
    assert first == again != other
    whole = {VECTORS[name] for name in MESSAGES}
    assert 30 < sum(message in whole for message in first) < 200
