"""Processes that share a port: messages reach the process that has their session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.errors import InvalidInput, Unavailable
from resolver.handle import message as messages
from resolver.handle.bodies import HandleRequest, NamesReply, ValuesRequest
from resolver.handle.codes import OpCode
from resolver.handle.identity import Connection
from resolver.handle.noting import Note, note_nothing
from resolver.handle.service import ServiceSettings
from resolver.handle.session_relay import SessionRelay
from resolver.tally.outcomes import NotedLookUp
from tests.unit.resolver.handle.service_fakes import PREFIX, Bench, bench

# The longest that there can be.
NOTED = NotedLookUp(bytes(2_051), "handle:1:" + "x" * 2_048)
CONNECTION = Connection("192.0.2.1", "tcp", allows_administration=True)


async def echo(message: bytes, connection: Connection, note: Note) -> AsyncIterator[bytes]:
    """Answer with the message, then with where it came from."""
    note(NOTED)
    yield message
    yield f"{connection.peer} {connection.transport} {connection.allows_administration}".encode()


async def silence(message: bytes, connection: Connection, note: Note) -> AsyncIterator[bytes]:
    """Answer nothing, as a process does that dies."""
    for reply in list[bytes]():
        yield reply


async def test_message_and_replies_pass_between_processes(tmp_path: Path) -> None:
    one, two = SessionRelay(tmp_path), SessionRelay(tmp_path)
    assert (one.process, two.process) == (0, 1)
    await two.start(echo)
    for message in (b"short", bytes(262_164)):
        noted: list[NotedLookUp] = []
        replies = [reply async for reply in one.ask(1, message, CONNECTION, noted.append)]
        assert replies == [message, b"192.0.2.1 tcp True"]
        assert noted == [NOTED]
    await two.stop()
    with pytest.raises(Unavailable):
        await anext(one.ask(1, b"x", CONNECTION, note_nothing))
    await one.stop()


async def test_a_process_that_gives_no_reply_is_as_good_as_none(tmp_path: Path) -> None:
    relay = SessionRelay(tmp_path)
    await relay.start(silence)
    with pytest.raises(Unavailable):
        await anext(relay.ask(relay.process, b"x", CONNECTION, note_nothing))
    await relay.stop()


async def test_a_number_is_free_again_when_its_process_has_ended(tmp_path: Path) -> None:
    relays = [SessionRelay(tmp_path) for _ in range(64)]
    assert sorted(relay.process for relay in relays) == list(range(64))
    with pytest.raises(Unavailable):
        SessionRelay(tmp_path)
    await relays[7].stop()
    again = SessionRelay(tmp_path)
    assert again.process == 7
    for relay in (again, *relays[:7], *relays[8:]):
        await relay.stop()


async def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        SessionRelay(tmp_path / ("long" * 30))


async def test_only_the_nodes_user_reaches_the_sockets(tmp_path: Path) -> None:
    relay = SessionRelay(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    await relay.stop()


async def test_an_answer_that_reaches_another_process_is_carried_out(tmp_path: Path) -> None:
    relays = [SessionRelay(tmp_path) for _ in range(2)]
    settings = [ServiceSettings(process=relay.process) for relay in relays]
    with (
        bench(settings[0], relay=relays[0]) as first,
        bench(settings[1], relay=relays[1]) as second,
    ):
        for relay, place in zip(relays, (first, second), strict=True):
            await relay.start(place.service.server.answer)
        await create_across(first, second)
        listing = await first.ask(OpCode.LIST_HANDLES, HandleRequest(f"0.NA/{PREFIX}").encode())
        replies = await second.send(second.answer_to(listing))
        assert len(NamesReply.decode(replies[-1].body).names) == 3
        # A process that has gone: its challenges have gone with it.
        body = ValuesRequest(f"{PREFIX}/late", ()).encode()
        challenge = await first.ask(OpCode.CREATE_HANDLE, body)
        await relays[0].stop()
        (reply,) = await second.send(second.answer_to(challenge))
        assert reply.response_code == 500
    await relays[1].stop()


async def create_across(first: Bench, second: Bench) -> None:
    body = ValuesRequest(f"{PREFIX}/new", ()).encode()
    challenge = await first.ask(OpCode.CREATE_HANDLE, body)
    assert challenge.response_code == 402
    (reply,) = await second.raw(messages.encode(second.answer_to(challenge)))
    assert messages.decode(reply).response_code == 1
    assert f"{PREFIX}/NEW" in first.register.records
    assert f"{PREFIX}/NEW" not in second.register.records
