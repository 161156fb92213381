"""Whoever changes a bundle, or signs a false one with the node's own key, is found by file."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from admin.acceptance.bundle import finish, unfinish
from admin.acceptance.gather import Wanted
from admin.acceptance.notes_of_bundle import PAPERS
from admin.acceptance.report import Report, decode_report
from admin.acceptance.verifier.program import faults_of
from node.domain.signed_note import SignatureLine
from tests.acceptance_world import (
    FIRST_EVENTS,
    OTHER_WITNESS,
    SECOND_EVENTS,
    World,
    campaign,
    declare_everything,
    empty_world,
    event,
    fill,
    hour,
    small_world,
)

CHANGES = 1_000 if os.environ.get("XIBIAO_FULL") == "1" else 150

Change = Callable[[World], Awaitable[None]]


async def bundle_after(tmp_path: Path, counting: Change) -> list[str]:
    """Return what the verifier says of a node that counted otherwise, key and witness in hand."""
    async with empty_world(tmp_path / "world") as world:
        await fill(world, counting)
        place, _ = await world.bundle(tmp_path / "out")
    return [f"{fault.file}: {fault.en}" for fault in faults_of(str(place))]


def test_any_changed_byte_is_found_in_its_file(tmp_path: Path) -> None:
    async def built() -> Path:
        async with small_world(tmp_path / "world") as world:
            return (await world.bundle(tmp_path / "out"))[0]

    place = asyncio.run(built())
    assert faults_of(str(place)) == []
    random = Random("one byte")
    paths = sorted(path for path in place.rglob("*") if path.is_file())
    for number in range(CHANGES):
        # Each file in turn, so that the small ones are not spared.
        path = paths[number % len(paths)]
        whole = path.read_bytes()
        if not whole:
            continue
        at, bit = random.randrange(len(whole)), 1 << random.randrange(8)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        named = {fault.file for fault in faults_of(str(place))}
        path.write_bytes(whole)
        name = path.relative_to(place).as_posix()
        assert name in named, f"{name}: byte {at}, bit {bit}: only {named}"
    assert faults_of(str(place)) == []


def test_lost_and_added_files_are_named(tmp_path: Path) -> None:
    async def built() -> Path:
        async with small_world(tmp_path / "world") as world:
            return (await world.bundle(tmp_path / "out"))[0]

    place = asyncio.run(built())
    (place / "log" / "extra").write_text("x")
    shutil.move(place / "sync.ndjson", tmp_path / "sync.ndjson")
    assert {fault.file for fault in faults_of(str(place))} >= {"log/extra", "sync.ndjson"}


async def test_removed_hour_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        await world.state(hour(0), hour(1), FIRST_EVENTS)
        await world.state(hour(2), hour(3), ())

    (found,) = await bundle_after(tmp_path, counting)
    assert "not contiguous" in found
    assert found.startswith("log/tile/entries/000")


async def test_hour_cut_out_of_the_chain_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        await world.state(hour(0), hour(1), FIRST_EVENTS)
        head = world.head
        await world.state(hour(1), hour(2), SECOND_EVENTS)
        world.head = head
        await world.state(hour(2), hour(3), ())

    (found,) = await bundle_after(tmp_path, counting)
    assert "does not follow the one before" in found


async def test_doubled_hour_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        statement = await world.state(hour(0), hour(1), FIRST_EVENTS)
        await world.append("hour_stat", "again", statement.encode())

    found = await bundle_after(tmp_path, counting)
    assert any("counted twice" in fault for fault in found)


async def test_count_that_is_not_in_the_events_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        counts = {"ext_user": {"http": 2}}
        await world.state(hour(0), hour(1), [event(5, 1, 1)], counts=counts, events=2)

    found = await bundle_after(tmp_path, counting)
    assert any("the statement's events differs" in fault for fault in found)


async def test_event_of_another_hour_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        await world.state(hour(0), hour(1), [event(3_700, 1, 1)])

    assert any("of another time" in fault for fault in await bundle_after(tmp_path, counting))


async def test_class_that_the_rules_do_not_give_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        # The second is a repeat of the first; the sealer has forgotten the first.
        await world.state(hour(0), hour(1), [event(3_590, 1, 1)])
        world.counted = type(world.counted)(world.counted.window_ms)
        await world.state(hour(1), hour(2), [event(3_610, 1, 1)])

    found = await bundle_after(tmp_path, counting)
    assert any("is of class ext_user, by the rules repeat" in fault for fault in found)


async def test_campaign_declared_after_it_ran_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        late = campaign(id="load-2", at=hour(1), begins=hour(0), ends=hour(3))
        await world.append("campaign", "load-2", late.encode())
        await world.state(hour(0), hour(1), [event(5, 1, 1, campaign="load-2")])

    assert any("outside the campaign load-2" in f for f in await bundle_after(tmp_path, counting))


async def test_campaign_that_is_not_in_the_log_is_found(tmp_path: Path) -> None:
    async def counting(world: World) -> None:
        await declare_everything(world)
        await world.state(hour(0), hour(1), [event(5, 1, 1, campaign="load-9")])

    assert any("was not logged before" in fault for fault in await bundle_after(tmp_path, counting))


async def test_smaller_log_signed_anew_lacks_the_cosignature(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        whole, _ = await world.bundle(tmp_path / "whole")
        place, _ = await world.bundle(tmp_path / "out", wanted=Wanted(size=45))
        assert any("too few witnesses" in fault.en for fault in faults_of(str(place)))
        # And the receipt tells that there was more.
        report = decode_report((place / "report.json").read_bytes())
        shutil.copy(whole / "receipt.note", place / "receipt.note")
        signed_anew(world, place, report)
    assert any(
        fault.file == "receipt.note" and "it was cut" in fault.en for fault in faults_of(str(place))
    )


async def test_forged_receipt_is_found(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        place, report = await world.bundle(tmp_path / "out")
        note = (place / "receipt.note").read_bytes()
        head, _, _ = note.partition(b"unapplied ")
        text = head + b"unapplied -\n"
        signature = OTHER_WITNESS.cosign(text, 1_795_000_000)
        forged = text + b"\n" + line_of(signature)
        (place / "receipt.note").write_bytes(forged)
        signed_anew(world, place, report)
    (fault,) = faults_of(str(place))
    assert fault.file == "receipt.note"


async def test_receipt_of_another_log_is_found(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world, empty_world(tmp_path / "2") as other:
        place, report = await world.bundle(tmp_path / "out")
        await fill(other, a_campaign_alone)
        foreign, _ = await other.bundle(tmp_path / "foreign")
        shutil.copy(foreign / "receipt.note", place / "receipt.note")
        signed_anew(world, place, report)
    assert ["another log exists" in fault.en for fault in faults_of(str(place))] == [True]


@pytest.mark.parametrize(
    ("part", "field"),
    [("registrations", "changes"), ("resolutions", "clients"), ("availability", "minutes")],
)
async def test_false_number_in_a_signed_report_is_named(
    tmp_path: Path, part: str, field: str
) -> None:
    async with small_world(tmp_path / "world") as world:
        place, _ = await world.bundle(tmp_path / "out")
        data = json.loads((place / "report.json").read_bytes())
        data[part][field] += 1
        signed_anew(world, place, decode_report(json.dumps(data).encode()))
    (fault,) = faults_of(str(place))
    assert fault.file == "report.json"
    assert f"{part}.{field}" in fault.en


async def test_met_is_not_believed_when_one_is_missing(tmp_path: Path) -> None:
    async with small_world(tmp_path / "world") as world:
        place, _ = await world.bundle(tmp_path / "out")
        data = json.loads((place / "report.json").read_bytes())
        data["project"]["thresholds"]["registrations"] += 1
        signed_anew(world, place, decode_report(json.dumps(data).encode()))
    named = {fault.en.partition(" is ")[0] for fault in faults_of(str(place))}
    assert {"verdicts.registrations.state", "state"} <= named


async def a_campaign_alone(world: World) -> None:
    """Count nothing."""
    await world.append("campaign", "load-1", campaign(reason="另一日志").encode())


def signed_anew(world: World, place: Path, report: Report) -> None:
    """Make notes and manifests of a changed bundle fit again, as only the node could."""
    unfinish(place)
    finish(place, report, world.register.signer, lambda *_: [])
    assert (place / PAPERS).exists()


def line_of(signature: bytes) -> bytes:
    """Return the signature line of a witness who is not the one of the policy."""
    return SignatureLine(OTHER_WITNESS.name, OTHER_WITNESS.key_id, signature).encode()
