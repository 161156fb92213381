"""Statements go to the secondary node with the log, as leaves that stand for no record."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from node.domain.counting.campaign import Selector
from node.domain.counting.moments import moment_text
from node.storage import log_queries, sync_queries
from sync.peer import ItemCode, ItemResult
from sync.relay.ledger import item_of
from sync.secondary import self_audit
from sync.snms.operations import plan
from tests.builders import lot
from tests.link import PEER, Pair, link_at
from tests.tallies import HOUR_MS, NINE_MS, Look, Tally, Wall, tally_of


async def count_something(pair: Pair, folder: Path) -> Tally:
    """Seal three hours, one of them twice over, with a campaign; seven leaves in all."""
    wall = Wall()
    tally = tally_of(pair.register, folder, wall)
    await tally.seal_hours()
    await tally.campaigns.declare(
        Selector(prefixes=("88.1",)),
        begins="",
        ends=moment_text(NINE_MS + HOUR_MS),
        operator="key:op",
        reason="drill",
    )
    spool = tally.spool()
    spool.write(NINE_MS + 5, [Look(lot(1)), Look(lot(2))])
    wall.move(hours=2, minutes=1)
    await tally.seal_hours()
    spool.write(NINE_MS + 6, [Look(lot(3))])
    wall.move(hours=1)
    await tally.seal_hours()
    spool.close()
    await pair.register.sequencer.drain()
    return tally


async def test_statements_are_held_and_no_record_comes_of_them(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer", batch=5) as pair:
        await pair.register_and_log(range(10))
        tally = await count_something(pair, tmp_path / "tally")
        await pair.register_and_log(range(10, 20))
        await pair.in_step()
        assert len(await tally.chain()) == 4
        held = await pair.held_records()
        assert held == await pair.own_records()
        assert len(held) == 20
        async with pair.link() as link, pair.register.database.read() as scope:
            state = await log_queries.state(scope)
            assert (link.position.size, link.position.root) == (state.size, state.root)
            assert state.size == 26
            items = await sync_queries.item_counts(scope, PEER)
            oldest = await sync_queries.oldest_unacknowledged(scope, 0)
        assert items == {}
        assert oldest.endswith("Z")
        compared = await pair.compare("full")
        assert (compared.differences, compared.total) == (0, 20)
        assert await pair.alarms() == []
        await pair.stop_secondary()
    (books,) = (tmp_path / "peer").glob("*.db")
    with closing(sqlite3.connect(books)) as connection:
        assert self_audit.audit(connection).differences == []


async def test_a_peer_of_the_other_interface_is_told_nothing_of_statements(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await count_something(pair, tmp_path / "tally")
        async with pair.register.database.read() as scope:
            changes = await sync_queries.changes(scope, 0, 6)
        items = [item_of(change) for change in changes]
        assert [item.opening for item in items] == [None] * 6
        assert all(item.at.startswith("2026-11-21T") for item in items)
        operations, settled = plan(items, {})
        assert operations == []
        assert [result.code for result in settled] == [ItemCode.OK] * 6
        assert isinstance(settled[0], ItemResult)
