"""Noted look-ups: the bytes of events and of spool files, and bytes that nobody writes."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.resolution_event import (
    MAX_AGENTS,
    MAX_IDENTIFIER_BYTES,
    OTHER_AGENT,
    OTHER_AGENT_TEXT,
    AgentTable,
    Channel,
    Client,
    Event,
    Outcome,
    agent_part,
    client_part,
    event_part,
    packed_address,
    read_payload,
    subject_part,
)
from node.domain.resolution_spool import (
    BLOCK_HEAD_BYTES,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Block,
    SpoolHeader,
    SpoolReader,
    encode_block,
)
from node.errors import InvalidInput

HEADER = SpoolHeader("4711", 1_763_712_000_000)
EVENT = event_part(Channel.HTTP, Outcome.FOUND, "86.1000/A") + client_part(
    bytes((192, 0, 2, 7)), "key:k1", 1
)
AGENT = agent_part(1, "curl/8")

# Written down by hand from docs/decisions/0008-honest-counts.md, "Spool".
EVENT_HEX = (
    "01"  # channel http
    "01"  # found
    "0900" + b"86.1000/A".hex() + "04" + "c0000207" + "06" + b"key:k1".hex() + "0100"
)
AGENT_HEX = "00" + "0100" + "0600" + b"curl/8".hex()
HEADER_HEX = (
    b"XBTALLY1".hex() + "33000000" + b'{"process":"4711","started_ms":1763712000000,"v":1}'.hex()
)

channels = st.sampled_from(Channel)
outcomes = st.sampled_from(Outcome)
# Agents of the table that `blocks` make: number n is "agent n".
clients = st.tuples(
    st.sampled_from((0, 4, 16)).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.sampled_from((0, 1, 2, OTHER_AGENT)),
)
AGENT_TEXTS = {0: "", 1: "agent 1", 2: "agent 2", OTHER_AGENT: OTHER_AGENT_TEXT}
NAMES = agent_part(1, "agent 1") + agent_part(2, "agent 2")
events = st.tuples(channels, outcomes, st.text(st.characters(codec="utf-8"), max_size=99), clients)


def file_of(*blocks: bytes) -> bytes:
    return HEADER.encode() + b"".join(blocks)


def block_of(*records: bytes, at_ms: int = 5, dropped: int = 0) -> bytes:
    count = sum(record[0] != 0 for record in records)
    return encode_block(at_ms, b"".join(records), events=count, dropped=dropped)


def read_all(data: bytes) -> list[Block]:
    return list(SpoolReader().read(data))


def test_an_event_has_the_bytes_of_the_decision() -> None:
    assert EVENT.hex() == EVENT_HEX
    assert AGENT.hex() == AGENT_HEX
    assert event_part(Channel.DNS, Outcome.MALFORMED, "").hex() == "07040000"
    assert client_part(b"").hex() == "00000000"


def test_a_file_has_the_bytes_of_the_decision() -> None:
    payload = AGENT + EVENT
    block = encode_block(1_763_712_000_100, payload, events=1, dropped=3)
    expected = struct.pack("<4sQIIII", b"BLK1", 1_763_712_000_100, 38, 1, 3, zlib.crc32(payload))
    assert block[:BLOCK_HEAD_BYTES].hex() == expected.hex()
    assert HEADER.encode().hex() == HEADER_HEX
    reader = SpoolReader()
    client = Client(bytes((192, 0, 2, 7)), "key:k1", "curl/8")
    event = Event(Channel.HTTP, Outcome.FOUND, "86.1000/A", client)
    begins, ends = len(HEADER_HEX) // 2, len(file_of(block))
    expected_block = Block(1_763_712_000_100, 3, [event], begins, ends)
    assert list(reader.read(file_of(block))) == [expected_block]
    assert (reader.header, reader.offset, reader.is_damaged) == (HEADER, ends, False)


Noted = tuple[Channel, Outcome, str, tuple[bytes, str, int]]


@given(st.lists(st.lists(events, max_size=4), max_size=4))
def test_what_is_written_is_read(
    written: list[list[Noted]],
) -> None:
    blocks = [block_of(agent_part(1, "agent 1"), agent_part(2, "agent 2"))]
    for number, noted in enumerate(written):
        parts = [event_part(ch, out, name) + client_part(*who) for ch, out, name, who in noted]
        blocks.append(block_of(*parts, at_ms=number))
    found = read_all(file_of(*blocks))[1:]
    assert [block.at_ms for block in found] == list(range(len(written)))
    assert [[tuple(e) for e in block.events] for block in found] == [
        [
            (ch, out, name, Client(a, actor, AGENT_TEXTS[n]))
            for ch, out, name, (a, actor, n) in noted
        ]
        for noted in written
    ]


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(1, 80))
def test_a_growing_file_is_read_in_pieces_of_any_size(sizes: list[int], piece: int) -> None:
    data = file_of(*(block_of(AGENT, *[EVENT] * n) if not i else block_of(*[EVENT] * n)
                     for i, n in enumerate(sizes)))  # fmt: skip
    reader, seen = SpoolReader(), list[int]()
    for end in range(0, len(data) + piece, piece):
        seen += [len(block.events) for block in reader.read(data[reader.offset : end])]
    assert seen == sizes
    assert reader.offset == len(data)


def test_a_torn_tail_ends_the_file_and_may_still_grow() -> None:
    whole, torn = block_of(AGENT, EVENT), block_of(EVENT, EVENT)
    for kept in range(len(torn)):
        reader = SpoolReader()
        found = list(reader.read(file_of(whole, torn[:kept])))
        assert [len(block.events) for block in found] == [1]
        assert reader.offset == len(file_of(whole))
        assert not reader.is_damaged
        rest = list(reader.read(file_of(whole, torn)[reader.offset :]))
        assert [len(block.events) for block in rest] == [2]


@pytest.mark.parametrize("at", [0, 3, 24, BLOCK_HEAD_BYTES, -1])
def test_a_damaged_block_ends_the_file(at: int) -> None:
    damaged = bytearray(block_of(EVENT))
    damaged[at] ^= 1
    reader = SpoolReader()
    found = list(reader.read(file_of(block_of(AGENT), bytes(damaged), block_of(EVENT))))
    assert [block.events for block in found] == [[]]
    assert reader.is_damaged
    assert list(reader.read(block_of(EVENT))) == []


@given(st.data())
def test_changed_bytes_never_read_as_other_events(data: st.DataObject) -> None:
    written = file_of(block_of(AGENT, EVENT, EVENT), block_of(EVENT), block_of(EVENT, EVENT))
    at = data.draw(st.integers(len(HEADER.encode()), len(written) - 1))
    changed = bytearray(written)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read_all(bytes(changed))
    except InvalidInput:
        return
    # The head of a block is covered by nothing but its fields: time and dropped may differ.
    expected = [block.events for block in read_all(written)]
    assert [block.events for block in found] == expected[: len(found)]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for given_bytes in (data, HEADER.encode() + data, file_of(block_of(AGENT), data)):
        with suppress(InvalidInput):
            read_all(given_bytes)


@given(st.binary(max_size=200))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    with suppress(InvalidInput):
        read_payload(payload, AgentTable())


@pytest.mark.parametrize(
    "payload",
    [
        bytes((8, 1)) + EVENT[2:],  # no such channel
        bytes((1, 0)) + EVENT[2:],  # no such outcome
        bytes((1, 8)) + EVENT[2:],
        EVENT[:-1],
        EVENT[:1],
        EVENT + b"\x00",
        AGENT[:-1],
        EVENT,  # agent 1 has no name
        AGENT + AGENT,
        agent_part(2, "second"),
        event_part(Channel.HTTP, Outcome.FOUND, "\xe9").replace(b"\xc3", b"\xff")
        + client_part(b""),
        event_part(Channel.HTTP, Outcome.FOUND, "") + bytes((5, 1, 2, 3, 4, 5, 0, 0, 0)),
        bytes((1, 1)) + struct.pack("<H", MAX_IDENTIFIER_BYTES + 1) + bytes(4000),
        struct.pack("<BHH", 0, 1, 201) + bytes(201),
    ],
)
def test_records_that_nobody_writes_are_refused(payload: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_payload(payload, AgentTable())


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a..........",
        b"XBTALLY2" + HEADER.encode()[8:],
        b"XBTALLY1" + struct.pack("<I", MAX_HEADER_BYTES + 1),
        b"XBTALLY1" + struct.pack("<I", 2) + b"{}",
        b"XBTALLY1" + struct.pack("<I", 2) + b"\xff\xff",
        HEADER.encode().replace(b'"v":1', b'"v":2'),
        HEADER.encode().replace(b"4711", b"../x"),
        HEADER.encode().replace(b'"v":1', b'"w":1'),
        file_of(struct.pack("<4sQIIII", b"BLK1", 0, MAX_PAYLOAD_BYTES + 1, 0, 0, 0)),
        file_of(struct.pack("<4sQIIII", b"BLK1", 1 << 63, 0, 0, 0, 0)),
        file_of(encode_block(0, AGENT + EVENT, events=2, dropped=0)),
    ],
)
def test_files_that_nobody_writes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_all(data)


def test_agents_are_limited() -> None:
    table = AgentTable()
    for number in range(1, MAX_AGENTS + 1):
        table.name(number, "x")
    with pytest.raises(InvalidInput):
        table.name(MAX_AGENTS + 1, "x")
    assert len(table) == MAX_AGENTS


def test_texts_that_are_too_long_are_cut_between_characters() -> None:
    noted = read_payload(
        agent_part(1, "稀" * 100)
        + event_part(Channel.HTTP, Outcome.FOUND, "8" * 2049)
        + client_part(b"123", "key:" + "标" * 100, 1),
        AgentTable(),
    )
    client = Client(b"", "key:" + "标" * 83, "稀" * 66)
    assert noted == [Event(Channel.HTTP, Outcome.FOUND, "", client)]


def test_text_that_is_no_unicode_is_noted_all_the_same() -> None:
    part = subject_part(Outcome.ABSENT, "a\udcffb")
    assert part.endswith(b"a?b")


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("192.0.2.7", "c0000207"),
        (" ::ffff:192.0.2.7", "c0000207"),
        ("2001:db8::1", "20010db8000000000000000000000001"),
        ("fe80::1%eth0", "fe800000000000000000000000000001"),
        ("localhost", ""),
        ("", ""),
        ("192.0.2.7:80", ""),
        ("999.1.1.1", ""),
    ],
)
def test_addresses_have_one_form(text: str, packed: str) -> None:
    assert packed_address(text).hex() == packed
