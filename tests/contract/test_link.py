"""Whatever fails between both nodes, the secondary node ends with what the log says, once."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from node.domain.prefix import Prefix
from node.domain.record import Action
from node.registration.requests import StatusRequest
from node.storage import log_queries, sync_queries
from node.storage.sync_queries import WaitingItem
from sync.peer import Health
from sync.secondary.faults import Script, parse_script
from tests.builders import PRODUCER, item, lot, put_prefixes, register_one
from tests.link import PEER, Pair, link_at, until


async def waiting(pair: Pair, state: str) -> list[WaitingItem]:
    """Return the items in a state."""
    async with pair.register.database.read() as scope:
        return await sync_queries.items(scope, PEER, state, 1_000)


async def assert_same(pair: Pair) -> None:
    """Check that both sides hold the same records and the same tree."""
    assert await pair.held_records() == await pair.own_records()
    async with pair.link() as link, pair.register.database.read() as scope:
        state = await log_queries.state(scope)
        assert (link.position.size, link.position.root) == (state.size, state.root)


async def test_the_log_arrives_whole_and_is_cosigned(store_url: str, tmp_path: Path) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(300))
        await pair.in_step()
        await pair.register.life_cycle.set_status(
            lot(7), Action.SUSPEND, StatusRequest("复检"), actor=PRODUCER
        )
        await pair.register_and_log(range(300, 320))
        await pair.in_step()
        await assert_same(pair)
        assert await waiting(pair, "rejected") == []
        assert await pair.alarms() == []


async def test_records_below_a_prefix_put_into_service_later_are_taken(
    store_url: str, tmp_path: Path
) -> None:
    new = "88.111.7"
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(3))
        await pair.in_step()
        await put_prefixes(pair.register.database, Prefix(new, profile="free"))
        await pair.register.directory.refresh()
        # Whether or not these come before the peer is told of the prefix.
        for number in range(20):
            wanted = item(lot(number, new), lot_no=f"N-{number}")
            assert (await register_one(pair.register, wanted)).outcome == "registered"
        await pair.register.sequencer.drain()
        await pair.in_step()

        async def is_all_taken() -> bool:
            return await pair.held_records() == await pair.own_records()

        await until(is_all_taken)
        assert await waiting(pair, "rejected") == []


async def test_what_must_not_leave_the_plant_does_not_arrive(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(3))
        await pair.in_step()
        held = b"".join(path.read_bytes() for path in (tmp_path / "peer").glob("*.db*"))
    assert b'"lot_no":"L-1"' in held
    assert b"net_kg" not in held
    assert PRODUCER.id.encode() not in held


async def test_a_log_begun_long_before_the_link_is_sent_in_batches(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer", batch=7) as pair:
        await pair.stop_relay()
        await pair.register_and_log(range(100))
        pair.start_relay()
        await pair.in_step()
        await assert_same(pair)


SCRIPTS = {
    "lost acknowledgements": '[[fault]]\nkind = "lose"\ncall = "SyncLog"\nevery = 3\ntimes = 4',
    "doubled acknowledgements": '[[fault]]\nkind = "duplicate"\ncall = "SyncLog"\nevery = 2',
    "reordered acknowledgements": '[[fault]]\nkind = "reorder"\ncall = "SyncLog"\nevery = 2',
    "hidden success": '[[fault]]\nkind = "fail"\ncall = "SyncLog"\nevery = 4\ntimes = 4',
    "garbage": '[[fault]]\nkind = "garbage"\ncall = "SyncLog"\nevery = 3\ntimes = 3',
    "giant answers": (
        '[[fault]]\nkind = "giant"\ncall = "SyncLog"\nbytes = 20000000\nafter = 2\ntimes = 1'
    ),
    "expired sessions": '[[fault]]\nkind = "expire"\nevery = 5\ntimes = 3',
    "stream that never answers": (
        '[[fault]]\nkind = "half_open"\ncall = "SyncLog"\nafter = 1\ntimes = 1'
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_faulty_peer_ends_in_step(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", batch=20, answer_timeout_s=0.5) as pair:
        pair.faults.play(parse_script(SCRIPTS[name]))
        await pair.register_and_log(range(200))
        await pair.register_and_log(range(200, 230))
        await pair.in_step()
        await assert_same(pair)
        pair.faults.play(Script())
        assert (await pair.compare()).differences == 0


async def test_refused_items_wait_with_their_reason_while_the_rest_flows(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        pair.faults.play(parse_script('[[fault]]\nkind = "refuse"\ncode = "invalid"\nevery = 10'))
        await pair.register_and_log(range(100))
        await pair.in_step()
        refused = await waiting(pair, "rejected")
        assert len(refused) == 10
        assert all(item.code == "invalid" and item.reason for item in refused)
        assert len(await pair.held_records()) == 90
        pair.faults.play(Script())
        async with pair.register.database.write() as scope:
            indexes = [item.index for item in refused]
            await sync_queries.change_state(scope, PEER, indexes, "retry", "mended", "2026")

        async def none_waits() -> bool:
            return not await waiting(pair, "retry")

        await until(none_waits)
        await assert_same(pair)


async def test_a_later_change_settles_a_refused_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        pair.faults.play(parse_script('[[fault]]\nkind = "refuse"\ncode = "invalid"\ntimes = 1'))
        await pair.register_and_log([1])
        await pair.in_step()
        assert len(await waiting(pair, "rejected")) == 1
        await pair.register.life_cycle.set_status(
            lot(1), Action.SUSPEND, StatusRequest("复检"), actor=PRODUCER
        )
        await pair.register.sequencer.drain()
        await pair.in_step()
        assert await waiting(pair, "rejected") == []
        await assert_same(pair)


async def test_a_peer_restored_from_a_backup_gets_the_rest_again(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(100))
        await pair.in_step()
        pair.faults.play(
            parse_script(
                '[[fault]]\nkind = "roll_back"\ncall = "Heartbeat"\nleaves = 40\ntimes = 1'
            )
        )
        async with pair.link() as link:
            await link.heartbeat(_healthy())
        await pair.stop_relay()
        pair.start_relay()

        async def knows() -> bool:
            return "peer_rolled_back" in await pair.alarms()

        await until(knows)
        # The alarm comes before anything is sent again: only a longer log tells that it was.
        await pair.register_and_log([100])
        await pair.in_step()
        await assert_same(pair)
        assert (await pair.compare()).differences == 0
        assert await pair.alarms() == []


def _healthy() -> Health:
    return Health("normal", 0, 0, 0)


def spoil(data_dir: Path) -> None:
    """Take three records away from a stopped secondary node and add two of its own."""
    with closing(sqlite3.connect(data_dir / "secondary.db")) as db, db:
        db.execute("DELETE FROM record WHERE identifier IN (?, ?, ?)", (lot(3), lot(50), lot(99)))
        db.executemany(
            "INSERT INTO record (identifier, tag, prefix, entry, revision, status)"
            " SELECT ?, ?, prefix, entry, revision, status FROM record WHERE identifier = ?",
            [("88.111.2/GHOST-1", b"1" * 32, lot(7)), ("88.111.2/GHOST-2", b"2" * 32, lot(8))],
        )


@pytest.mark.parametrize("kind", ["digest", "full"])
async def test_records_missing_and_extra_at_the_peer_are_found_and_mended(
    store_url: str, tmp_path: Path, kind: str
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(100))
        await pair.in_step()
        await pair.stop_secondary()
        spoil(tmp_path / "peer")
        await pair.start_secondary()
        found = await pair.compare(kind)
        assert (found.total, found.differences, found.mended) == (100, 5, 5)
        assert lot(50) in found.details
        assert "GHOST-2" in found.details
        await assert_same(pair)
        assert (await pair.compare(kind)).differences == 0


async def test_a_stopped_peer_costs_nothing_and_is_caught_up(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(10))
        await pair.in_step()
        await pair.stop_secondary()
        await pair.register_and_log(range(10, 60))
        assert await pair.acked_size() == 10
        await pair.start_secondary()
        await pair.in_step()
        await assert_same(pair)


async def test_two_relays_at_once_do_no_harm(store_url: str, tmp_path: Path) -> None:
    """As when a node is moved and the old one still runs: one would do, but nothing is wrong."""
    async with link_at(store_url, tmp_path / "peer", batch=7) as pair:
        first = pair.relaying
        assert first is not None
        pair.start_relay()
        try:
            for begin in range(0, 200, 20):
                await pair.register_and_log(range(begin, begin + 20))
            await pair.in_step()
            await assert_same(pair)
            assert (await pair.compare()).differences == 0
            assert await pair.alarms() == []
            assert await waiting(pair, "rejected") == []
        finally:
            first.cancel()
            with suppress(asyncio.CancelledError):
                await first
