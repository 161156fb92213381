"""Envelopes, messages, versions and packets, whole and damaged."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.errors import InvalidInput
from resolver.handle import envelope as envelopes
from resolver.handle import fragments, message
from resolver.handle.codes import MAX_MESSAGE_BYTES, EnvelopeFlag
from resolver.handle.envelope import ENVELOPE_BYTES, Envelope
from resolver.handle.fragments import Reassembly
from resolver.handle.message import Message
from resolver.handle.versions import OWN, Version, negotiated, reply_envelope, spoken
from tests.wire.handle_decoding import read_all
from tests.wire.handle_vectors import MESSAGES, VECTORS

BYTE, SHORT, WORD = st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 2**32 - 1)
ENVELOPES = st.builds(
    Envelope,
    request=WORD,
    length=WORD,
    session=WORD,
    sequence=WORD,
    major=BYTE,
    minor=BYTE,
    suggested_major=st.integers(0, 31),
    suggested_minor=BYTE,
    flags=st.sampled_from([0x00, 0x20, 0x40, 0x80, 0xA0, 0xE0]),
)
MESSAGES_OF_ANY_KIND = st.builds(
    Message,
    envelope=ENVELOPES,
    opcode=WORD,
    body=st.binary(max_size=60),
    response_code=WORD,
    flags=WORD,
    site_serial=SHORT,
    recursion=BYTE,
    expiration=WORD,
    credential=st.binary(max_size=40),
    reserved=BYTE,
)


@given(ENVELOPES)
def test_envelope_reads_back(envelope: Envelope) -> None:
    assert envelopes.decode(envelopes.encode(envelope)) == envelope


@given(st.binary(min_size=20, max_size=20))
def test_any_20_bytes_are_an_envelope_and_are_written_as_read(data: bytes) -> None:
    assert envelopes.encode(envelopes.decode(data)) == data


@given(MESSAGES_OF_ANY_KIND)
def test_message_reads_back(whole: Message) -> None:
    encoded = message.encode(whole)
    envelope = replace(whole.envelope, length=len(encoded) - ENVELOPE_BYTES)
    if envelope.is_encrypted:
        with pytest.raises(InvalidInput):
            message.decode(encoded)
    else:
        assert message.decode(encoded) == replace(whole, envelope=envelope)
    assert message.decode_payload(envelope, encoded[ENVELOPE_BYTES:]) == replace(
        whole, envelope=envelope
    )


def test_message_may_end_after_its_body() -> None:
    whole = VECTORS["resolution_request"]
    short = message.with_envelope(envelopes.decode(whole), whole[ENVELOPE_BYTES:-4])
    assert message.encode(message.decode(short)) == whole


def test_bytes_after_the_credential_are_ignored() -> None:
    whole = VECTORS["resolution_request"]
    longer = message.with_envelope(envelopes.decode(whole), whole[ENVELOPE_BYTES:] + b"junk")
    assert message.encode(message.decode(longer)) == whole


@pytest.mark.parametrize("length", [0, 10, 23, MAX_MESSAGE_BYTES + 1, 0x8000_0000, 0xFFFF_FFFF])
def test_length_of_no_message_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput):
        message.check_length(length)


def test_longest_message_is_read() -> None:
    room = MAX_MESSAGE_BYTES - 28
    whole = message.encode(Message(Envelope(1, 0), 1, bytes(room)))
    assert len(message.decode(whole).body) == room
    with pytest.raises(InvalidInput):
        message.decode(message.encode(Message(Envelope(1, 0), 1, bytes(room + 1))))


@pytest.mark.parametrize("name", MESSAGES)
def test_message_cut_at_any_byte_is_refused(name: str) -> None:
    whole = VECTORS[name]
    for end in range(len(whole)):
        with pytest.raises(InvalidInput):
            message.decode(whole[:end])
        _read_or_refuse(whole[:end])


@pytest.mark.parametrize("name", MESSAGES)
def test_message_cut_anywhere_with_a_true_length_is_read_or_refused(name: str) -> None:
    whole = VECTORS[name]
    head = envelopes.decode(whole)
    for end in range(ENVELOPE_BYTES, len(whole)):
        _read_or_refuse(message.with_envelope(head, whole[ENVELOPE_BYTES:end]))


@pytest.mark.parametrize("name", MESSAGES)
def test_message_with_any_bit_flipped_is_read_or_refused(name: str) -> None:
    whole = bytearray(VECTORS[name])
    for place in range(len(whole)):
        for bit in range(0, 8, 1 + len(whole) // 200):
            whole[place] ^= 1 << bit
            _read_or_refuse(bytes(whole))
            whole[place] ^= 1 << bit


@given(st.binary(max_size=120))
def test_garbage_is_read_or_refused(data: bytes) -> None:
    _read_or_refuse(data)


def _read_or_refuse(data: bytes) -> None:
    """Read everything; only InvalidInput may come of it."""
    try:
        read_all(data)
    except InvalidInput:
        return


@pytest.mark.parametrize(
    ("spoken_version", "suggested", "answer"),
    [
        ((2, 11), (2, 11), (2, 11)),
        ((2, 1), (2, 1), (2, 1)),
        ((3, 0), (3, 0), (2, 11)),
        ((2, 3), (2, 11), (2, 11)),
        ((2, 10), (2, 10), (2, 10)),
        ((1, 0), (1, 0), (1, 0)),
        ((2, 5), (0, 0), (2, 5)),  # The RFC's text has no suggestion there.
        ((2, 11), (31, 255), (2, 11)),
    ],
)
def test_reply_is_in_the_best_version_both_know(
    spoken_version: tuple[int, int], suggested: tuple[int, int], answer: tuple[int, int]
) -> None:
    asked = Envelope(7, 24, 5, 0, *spoken_version, *suggested)
    assert spoken(asked) == spoken_version
    assert negotiated(asked) == answer
    reply = reply_envelope(asked, session=9)
    assert (spoken(reply), reply.request, reply.session) == (Version(*answer), 7, 9)
    assert (reply.suggested_major, reply.suggested_minor) == OWN


# Packets.

SOURCE = ("192.0.2.7", 40_000)


def long_message(size: int, request: int = 1) -> bytes:
    return message.with_envelope(Envelope(request, 0), random.Random(size).randbytes(size))


@given(st.integers(24, 5_000), st.randoms(use_true_random=False))
def test_packets_in_any_order_and_repeated_give_the_message_once(
    size: int, order: random.Random
) -> None:
    whole = long_message(size)
    packets = fragments.split(whole)
    assert all(len(packet) <= 512 for packet in packets)
    last = order.randrange(len(packets))
    others = [p for n, p in enumerate(packets) if n != last] * 2
    order.shuffle(others)
    table = Reassembly()
    assert [table.add(packet, SOURCE, now=0) for packet in others] == [None] * len(others)
    assert table.add(packets[last], SOURCE, now=1) == whole
    assert (len(table), table.held_bytes) == (0, 0)


def test_whole_message_marked_as_a_packet_is_given_back_at_once() -> None:
    whole = long_message(100)
    marked = bytearray(whole)
    marked[2] |= EnvelopeFlag.TRUNCATED
    assert Reassembly().add(bytes(marked), SOURCE, now=0) == whole


def test_packets_without_the_flag_are_put_together_all_the_same() -> None:
    whole = long_message(1_000)
    packets = [bytearray(p) for p in fragments.split(whole)]
    for packet in packets:
        packet[2] &= ~EnvelopeFlag.TRUNCATED
    table = Reassembly()
    assert [table.add(bytes(p), SOURCE, now=0) for p in packets][-1] == whole


def test_same_request_number_of_two_sources_is_two_messages() -> None:
    first, second = long_message(700), long_message(701)
    one, two = fragments.split(first), fragments.split(second)
    table = Reassembly()
    assert table.add(one[0], SOURCE, now=0) is None
    assert table.add(two[0], "other", now=0) is None
    assert table.add(one[1], SOURCE, now=0) == first
    assert table.add(two[1], "other", now=0) == second


def test_new_message_of_the_same_number_replaces_the_unfinished_one() -> None:
    old, new = fragments.split(long_message(1_500)), long_message(990)
    table = Reassembly()
    assert table.add(old[0], SOURCE, now=0) is None
    assert [table.add(p, SOURCE, now=0) for p in fragments.split(new)][-1] == new
    assert (len(table), table.held_bytes) == (0, 0)


def test_unfinished_message_is_forgotten_after_its_time() -> None:
    packets = fragments.split(long_message(900))
    table = Reassembly(patience_s=5)
    assert table.add(packets[0], SOURCE, now=10) is None
    table.expire(14.9)
    assert (len(table), table.held_bytes) == (1, 492)
    table.expire(15)
    assert (len(table), table.held_bytes) == (0, 0)
    assert table.add(packets[1], SOURCE, now=16) is None


@pytest.mark.parametrize(
    ("sequence", "size"), [(1000, 492), (3, 492), (0, 491), (1, 1), (0xFFFF_FFFF, 492), (2, 493)]
)
def test_packet_that_fits_no_message_is_refused(sequence: int, size: int) -> None:
    head = Envelope(1, 1_200, sequence=sequence, flags=EnvelopeFlag.TRUNCATED)
    table = Reassembly()
    with pytest.raises(InvalidInput):
        table.add(envelopes.encode(head) + bytes(size), SOURCE, now=0)
    assert len(table) == 0


def test_half_sent_messages_are_bounded_in_number_bytes_and_by_source() -> None:
    packet = bytes(492)
    table = Reassembly(max_messages=50, max_bytes=20_000, max_per_source=3)
    for number in range(10_000):
        head = envelopes.encode(Envelope(number, 262_144, sequence=number % 500))
        table.add(head + packet, number // 7, now=0)
        assert len(table) <= 50
        assert table.held_bytes <= 20_000
    mine = [envelopes.encode(Envelope(n, 1_000)) + packet for n in range(5)]
    for half in mine:
        table.add(half, "me", now=0)
    rest = envelopes.encode(Envelope(1, 1_000, sequence=1)) + packet
    assert table.add(rest, "me", now=0) is None  # The first two of five had to give way.


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3)), max_size=30))
def test_garbage_packets_leave_nothing_behind_that_stays(
    packets: list[tuple[bytes, int]],
) -> None:
    table = Reassembly(max_messages=4, max_per_source=2)
    for data, source in packets:
        try:
            table.add(b"\2\13\2\13" + data, source, now=0)
        except InvalidInput:
            continue
    table.expire(100)
    assert (len(table), table.held_bytes) == (0, 0)
