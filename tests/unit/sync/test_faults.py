"""The fault script: how it is read, when each rule comes into play, what is left of answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidInput, Unavailable, XibiaoError
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.secondary.faults import FaultFile, Faults, parse_script
from sync.secondary.spoiler import Spoiler


class Victim:
    """Notes what faults did beyond the answers."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def end_sessions(self) -> None:
        self.done.append("end")

    async def roll_back(self, token: str, leaves: int) -> None:
        self.done.append((token, leaves))


def script(*rules: str, seed: int = 1) -> Faults:
    """Return faults by rules written as `kind key=value …`."""
    lines = [f"seed = {seed}"]
    for rule in rules:
        kind, *options = rule.split()
        lines += ["[[fault]]", f'kind = "{kind}"', *(o.replace("=", " = ") for o in options)]
    return Faults(parse_script("\n".join(lines)))


async def answers(values: Iterable[int]) -> AsyncIterator[int]:
    """Yield answers as a service would."""
    for value in values:
        yield value


async def left(faults: Faults, count: int = 6, call: str = "SyncLog") -> list[object]:
    """Return what leaves of a stream of answers 1 … count."""
    spoiler = Spoiler(faults, Victim())
    return [one async for one in spoiler.stream(call, answers(range(1, count + 1)), "t")]


async def test_without_rules_answers_leave_as_they_are() -> None:
    assert await left(Faults()) == [1, 2, 3, 4, 5, 6]
    assert await Spoiler(Faults(), Victim()).unary("Heartbeat", 7, "t") == 7


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("lose every=2", [1, 3, 5]),
        ("lose after=4", [1, 2, 3, 4]),
        ("lose times=2", [3, 4, 5, 6]),
        ("lose chance=0.0", [1, 2, 3, 4, 5, 6]),
        ('lose call="Heartbeat"', [1, 2, 3, 4, 5, 6]),
        ('lose call="SyncLog" after=1 every=2 times=1', [1, 2, 4, 5, 6]),
        ("duplicate every=3", [1, 2, 3, 3, 4, 5, 6, 6]),
        ("reorder every=2", [1, 3, 2, 5, 4, 6]),
        ("delay ms=0", [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_a_rule_comes_into_play_when_it_says(rule: str, expected: list[int]) -> None:
    assert await left(script(rule)) == expected


async def test_the_same_seed_gives_the_same_faults() -> None:
    first = await left(script("lose chance=0.5", seed=3), 200)
    assert first == await left(script("lose chance=0.5", seed=3), 200)
    assert first != await left(script("lose chance=0.5", seed=4), 200)
    assert 60 < len(first) < 140


async def test_garbage_is_no_message_and_a_giant_is_a_large_one() -> None:
    (garbage,) = await left(script("garbage bytes=64"), 1)
    assert isinstance(garbage, bytes)
    assert len(garbage) == 64
    with pytest.raises(DecodeError):
        pb.SyncLogResponse.FromString(garbage)
    (giant,) = await left(script("giant bytes=5000000"), 1)
    assert isinstance(giant, bytes)
    assert 5_000_000 < len(giant) < 5_000_100
    assert not pb.SyncLogResponse.FromString(giant).WhichOneof("part")


async def test_a_failing_call_ends_after_it_was_served() -> None:
    spoiler = Spoiler(script("fail after=1"), Victim())
    stream = spoiler.stream("SyncLog", answers([1, 2]), "t")
    assert await anext(stream) == 1
    with pytest.raises(Unavailable):
        await anext(stream)


@pytest.mark.parametrize("rule", ["half_open", "lose"])
async def test_a_silent_call_waits_for_its_caller_to_give_up(rule: str) -> None:
    silent = asyncio.ensure_future(Spoiler(script(rule), Victim()).unary("Heartbeat", 1, "t"))
    done, _ = await asyncio.wait([silent], timeout=0)
    assert not done
    silent.cancel()


async def test_sessions_end_and_logs_roll_back_beside_an_answer() -> None:
    victim = Victim()
    spoiler = Spoiler(script("expire", "roll_back leaves=9"), victim)
    assert await spoiler.unary("Heartbeat", 7, "token") == 7
    assert victim.done == ["end", ("token", 9)]


def test_items_are_refused_below_a_prefix_only() -> None:
    faults = script('refuse code="quota" prefix="88.1.1/" every=2')
    refused = []
    for name in ("88.2.2/A", "88.1.1/B", "88.2.2/C", "88.1.1/D", "88.1.1/E"):
        try:
            faults.veto(name)
        except XibiaoError as error:
            refused.append((name, error.code))
    assert refused == [("88.1.1/D", "quota")]


@pytest.mark.parametrize(
    "text",
    [
        "seed = ",
        'seed = "one"',
        "fault = 1",
        "unknown = 1",
        "[[fault]]",
        '[[fault]]\nkind = "burn"',
        '[[fault]]\nkind = "lose"\nevry = 2',
        '[[fault]]\nkind = "refuse"\ncode = "nonsense"',
        '[[fault]]\nkind = "lose"\nevery = "2"',
    ],
)
def test_a_wrong_script_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_script(text)


@given(text=st.text(max_size=200))
def test_any_text_is_a_script_or_refused(text: str) -> None:
    try:
        parse_script(text)
    except InvalidInput:
        return


def test_a_changed_file_is_read_again_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    path, faults = tmp_path / "faults.toml", Faults()
    with pytest.raises(InvalidInput):
        FaultFile(path, faults)
    path.write_text("max_batch = 10")
    watched = FaultFile(path, faults)
    assert (faults.max_batch, watched.reload_if_changed()) == (10, False)
    path.write_text("max_batch = 20")
    os.utime(path, ns=(1, 1))
    assert (watched.reload_if_changed(), faults.max_batch) == (True, 20)
    path.write_text("max_batch = many")
    with pytest.raises(InvalidInput):
        watched.reload()
    assert faults.max_batch == 20
    path.unlink()
    assert not watched.reload_if_changed()
