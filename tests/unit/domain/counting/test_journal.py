"""Journals: what is written is read again, and nothing else is read."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.counting.facts import NEARS, ROLES
from node.domain.counting.journal import (
    Head,
    JournalEvent,
    JournalReader,
    JournalWriter,
    decode_event,
    read_head,
)
from node.domain.counting.rule_set import CLASSES
from node.domain.counting.statement import CHANNELS, RuleName
from node.domain.merkle_tree import EMPTY_ROOT, leaf_hash, root_of
from node.domain.resolution_event import Outcome
from node.errors import InvalidInput

HEAD = Head(
    agents=("Mozilla/5.0", '稀土"扫码\\枪'),
    begins="2026-11-21T09:00:00.000Z",
    origin="log.example/tests",
    prev="",
    rules=RuleName("ab" * 32, 1),
    ends="2026-11-21T10:00:00.000Z",
)
EVENT = JournalEvent(
    0,
    "0" * 32,
    "http",
    "",
    "1" * 32,
    "ext_user",
    "outside",
    "found",
    "none",
    1_795_251_600_000,
    False,
)

tags = st.sampled_from(["", *(f"{n:032x}" for n in (0, 1, 2**127))])
events = st.builds(
    JournalEvent,
    st.integers(-1, 1),
    tags,
    st.sampled_from(CHANNELS),
    st.sampled_from(["", "c20261121-0a1b2c3d"]),
    tags,
    st.sampled_from(CLASSES),
    st.sampled_from(NEARS),
    st.sampled_from([outcome.label for outcome in Outcome]),
    st.sampled_from(ROLES),
    st.integers(0, 10**13),
    st.booleans(),
)


def written(found: list[JournalEvent], head: Head = HEAD) -> tuple[bytes, str, str]:
    """Return file, root and digest of a journal."""
    writer = JournalWriter(head)
    data = writer.add(found[:1]) + writer.add(found[1:]) + writer.finish()
    return data, writer.root, writer.digest


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield a file piece by piece."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def read(data: bytes, size: int = 1 << 16) -> tuple[JournalReader, list[JournalEvent]]:
    """Return the reader after it is through, and the events."""
    reader = JournalReader(pieces(data, size))
    return reader, [event for some in reader.events() for event in some]


def test_lines_are_written_as_the_format_says() -> None:
    text = gzip.decompress(written([EVENT])[0])
    assert (
        text
        == (
            '{"agents":["Mozilla/5.0","稀土\\"扫码\\\\枪"],"from":"2026-11-21T09:00:00.000Z",'
            '"origin":"log.example/tests","prev":"","rules":{"digest":"'
            + "ab"
            * 32
            + '","version":1},'
            '"until":"2026-11-21T10:00:00.000Z","v":1}\n'
            '{"a":0,"c":"00000000000000000000000000000000","ch":"http","d":"",'
            '"i":"11111111111111111111111111111111","k":"ext_user","n":"outside","o":"found",'
            '"r":"none","t":1795251600000,"x":false}\n'
        ).encode()
    )


def test_the_file_tells_neither_name_nor_time() -> None:
    data = written([EVENT])[0]
    assert data[:8] == b"\x1f\x8b\x08\x00\0\0\0\0"


def test_the_root_is_that_of_the_lines_without_their_newline() -> None:
    lines = gzip.decompress(written([EVENT, EVENT, EVENT])[0]).splitlines()[1:]
    assert written([EVENT] * 3)[1] == root_of([leaf_hash(line) for line in lines]).hex()
    assert written([])[1] == EMPTY_ROOT.hex()


@given(st.lists(events, max_size=30), st.integers(1, 200))
def test_what_was_written_is_read_in_whatever_pieces(found: list[JournalEvent], size: int) -> None:
    data, root, digest = written(found)
    reader, again = read(data, size)
    assert (again, reader.head, reader.root, reader.digest) == (found, HEAD, root, digest)
    assert all(decode_event(event.encode()) == event for event in found)


def test_an_empty_period_has_a_journal_too() -> None:
    reader, found = read(written([])[0])
    assert (found, reader.head) == ([], HEAD)


def test_any_changed_byte_is_seen() -> None:
    data, _, digest = written([EVENT] * 40)
    numbers = random.Random(3)
    for _ in range(300):
        place = numbers.randrange(len(data))
        edited = bytearray(data)
        edited[place] ^= 1 << numbers.randrange(8)
        try:
            reader, _ = read(bytes(edited))
        except InvalidInput:
            continue
        assert reader.digest != digest


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        HEAD.encode(),
        HEAD.encode() + b"\n" + EVENT.encode(),
        HEAD.encode() + b"\n\n",
        HEAD.encode() + b"\n" + EVENT._replace(agent=2).encode() + b"\n",
        HEAD.encode() + b"\n" + EVENT.encode().replace(b'"x"', b' "x"') + b"\n",
        HEAD.encode() + b"\n" + b"x" * 10_000,
        b" " + HEAD.encode() + b"\n",
        EVENT.encode() + b"\n",
    ],
)
def test_what_is_no_journal_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(gzip.compress(text, mtime=0))


def test_a_file_that_is_cut_or_goes_on_is_refused() -> None:
    data = written([EVENT] * 5)[0]
    for bad in (data[:-1], data + b"\0", data + data, b"", b"plain"):
        with pytest.raises(InvalidInput):
            read(bad)


def test_a_bomb_is_refused_within_bounded_memory() -> None:
    bomb = gzip.compress(bytes(64 << 20), mtime=0)
    with pytest.raises(InvalidInput):
        read(bomb)


@given(st.binary(max_size=300))
def test_hostile_lines_are_refused(data: bytes) -> None:
    for decode in (decode_event, read_head):
        with pytest.raises(InvalidInput):
            decode(data)
