"""Which requests are answered from ready bytes, with which bytes, and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from node.domain.disclosure import WithheldValue
from node.domain.record import StoredRecord
from node.errors import NotFound
from resolver.handle import message as messages
from resolver.handle.hot_answers import (
    FRESH_S,
    LONGEST_DATAGRAM_REPLY_BYTES,
    MOST_SELECTIONS,
    HotAnswers,
    ReadyMessage,
    request_key,
)
from resolver.lookup import Lookup, create_lookup
from resolver.memory_cache import ReadyReply
from resolver.rendering import resolution_of
from resolver.resolution import Resolution
from tests.handle_sockets import body_of, header_of, request, resolution
from tests.unit.resolver.fakes import FakeStore, disclosed, parse_handle

A = "1/A"
PUBLIC_ONLY, RECURSIVE = 0x0100_0000, 0x1000_0000
SECRET = WithheldValue(300, "HS_SECKEY", 0x0C)


def rendered(record: StoredRecord) -> Resolution:
    return resolution_of(replace(disclosed(record), withheld=(SECRET,)))


def canonical(handle: str) -> str:
    identifier = parse_handle(handle)
    if identifier.prefix != "1":
        raise NotFound(code="prefix_not_here")
    return identifier.key


@dataclass
class Rig:
    lookup: Lookup
    store: FakeStore
    now: float = 1_000_000.0
    hot: HotAnswers = field(init=False)

    def __post_init__(self) -> None:
        self.hot = HotAnswers(
            self.lookup, canonical=canonical, site_serial=5, clock=lambda: self.now
        )

    async def answer(self, message: bytes) -> bytes | None:
        """Ask until the answer is there."""
        found: list[bytes | None] = []
        self.hot.answer(message, lambda reply, subject: found.append(reply))
        if not found:
            await self.lookup.resolve(canonical(messages.decode(message).body[4:7].decode()))
        assert len(found) == 1
        return found[0]

    def kept(self, message: bytes) -> bytes | None:
        """Return the ready reply to a message, if there is one."""
        ready = self.hot.find(request_key(message))
        return None if ready is None else ready.for_request(message)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    store = FakeStore()
    store.register(A)
    lookup = create_lookup(store, render=rendered)
    await lookup.follower.poll()
    yield Rig(lookup, store)
    await lookup.stop()


async def test_second_answer_is_ready_and_the_same_for_every_request_id(rig: Rig) -> None:
    message, other = resolution(A, request_id=1), resolution(A, request_id=2)
    first = await rig.answer(message)
    assert first is not None
    assert rig.kept(message) == first
    assert rig.kept(other) == first[:8] + (2).to_bytes(4) + first[12:]


async def test_expiration_of_the_request_does_not_matter_and_all_else_does(rig: Rig) -> None:
    message = resolution(A)
    await rig.answer(message)
    for place in range(len(message)):
        other = message[:place] + bytes((message[place] ^ 1,)) + message[place + 1 :]
        is_free = place in range(8, 12) or place in range(36, 40)
        assert (rig.kept(other) is not None) == is_free, place


async def test_reply_is_of_the_negotiated_version_and_echoes_what_it_must(rig: Rig) -> None:
    message = request(1, resolution(A)[44:-4], version=(2, 3), flags=PUBLIC_ONLY | 0x0810_0001)
    message = message[:34] + b"\x09" + message[35:]
    reply = await rig.answer(message)
    assert reply is not None
    header = header_of(reply)
    assert reply[:4] == b"\x02\x03\x02\x0b"
    assert (header.flags, header.serial, header.recursion) == (0x9910_0000, 5, 9)
    assert header.expiration == rig.now + 43_200


async def test_withheld_values_are_left_out_in_public_and_else_the_server_is_asked(
    rig: Rig,
) -> None:
    public = await rig.answer(resolution(A))
    assert public is not None
    assert b"not for caches" not in public
    for selection in ([], [300], [1, 300]):
        assert await rig.answer(resolution(A, indexes=selection, flags=RECURSIVE)) is None
    one = await rig.answer(resolution(A, indexes=[2000], flags=RECURSIVE))
    assert one is not None
    assert b"https://example.org/x" in one
    only_secret = await rig.answer(resolution(A, indexes=[300]))
    assert only_secret is not None
    assert (header_of(only_secret).code, body_of(only_secret)) == (200, bytes(4))


@pytest.mark.parametrize(
    "message",
    [
        request(2, b""),
        request(1, b""),
        resolution("2/A"),
        resolution("A"),
        resolution(b"1/\xff"),
        resolution(A, indexes=range(1, MOST_SELECTIONS + 2)),
        resolution(A, flags=0x4000_0000),
        resolution(A, flags=0x2000_0000),
        resolution(A, flags=0x8000_0000),
        resolution(A, flags=0x0080_0000),
        request(1, resolution(A)[44:-4], session=1),
        request(1, resolution(A)[44:-4], credential=b"x"),
        resolution(A)[:-9],
        resolution(A) + b"x",
        resolution(A)[:27] + b"\x01" + resolution(A)[28:],
        b"",
    ],
)
async def test_other_messages_are_the_server_s(rig: Rig, message: bytes) -> None:
    found: list[bytes | None] = []
    rig.hot.answer(message, lambda reply, subject: found.append(reply))
    assert found == [None]


async def test_failed_look_up_is_the_server_s_to_explain(rig: Rig) -> None:
    rig.store.is_down = True
    found: list[bytes | None] = []
    rig.hot.answer(resolution(A), lambda reply, subject: found.append(reply))
    await rig.lookup.stop()
    assert found == [None]


async def test_bytes_after_the_question_are_answered_and_not_kept(rig: Rig) -> None:
    message = request(1, resolution(A)[44:-4] + b"junk", flags=PUBLIC_ONLY)
    assert await rig.answer(message) is not None
    assert rig.kept(message) is None


async def test_absence_is_answered_and_not_kept(rig: Rig) -> None:
    message = resolution("1/B")
    reply = await rig.answer(message)
    assert reply is not None
    assert (header_of(reply).code, body_of(reply)) == (100, bytes(4))
    assert rig.kept(message) is None


async def test_kept_reply_dies_with_its_answer_and_of_age(rig: Rig) -> None:
    message = resolution(A)
    await rig.answer(message)
    rig.now += FRESH_S + 1
    assert rig.kept(message) is None
    await rig.answer(message)
    assert rig.kept(message) is not None
    rig.store.change(A, status="suspended")
    await rig.lookup.follower.poll()
    assert rig.kept(message) is None
    again = await rig.answer(message)
    assert again is not None
    assert b"suspended" in again


async def test_ready_reply_of_http_is_never_taken_for_a_message(rig: Rig) -> None:
    answer = await rig.lookup.resolve(A)
    rig.lookup.memory.keep_ready(b"/1/A", ReadyReply(answer, b"head", b"body", b"event"))
    assert rig.hot.find(b"/1/A") is None


async def test_packets_of_a_long_reply_are_ready_and_paid_for(rig: Rig) -> None:
    answer = await rig.lookup.resolve(A)
    short = ReadyMessage(answer, request(1, bytes(100)), subject=b"", stale_at=0)
    long = ReadyMessage(answer, request(1, bytes(1263 - 28)), subject=b"", stale_at=0)
    assert [len(packet) for packet in long.packets] == [512, 512, 299]
    assert long.size == 512 + 512 + 299
    huge = request(1, bytes(LONGEST_DATAGRAM_REPLY_BYTES))
    assert ReadyMessage(answer, huge, subject=b"", stale_at=0).packets == ()
    assert long.own_bytes > 2 * 1263 > short.own_bytes
