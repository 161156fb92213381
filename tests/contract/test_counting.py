"""Periods are sealed once, whole and in order, on both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from admin.parts import Register
from node.counting.chain import ChainMoved
from node.counting.sealing import counted_around
from node.counting.unsealed_events import Period
from node.domain.counting.campaign import Selector
from node.domain.counting.classes import CountedTimes
from node.domain.counting.moments import moment_ms, moment_text
from node.domain.counting.rule_set import parse_rules
from node.domain.counting.statement import decode_rule_change
from node.domain.log_entry import kind_of
from node.domain.resolution_event import Channel, Outcome
from node.errors import Conflict, IntegrityFailure, InvalidInput, NotFound, WrongState
from node.storage import log_queries, statement_queries
from tests.builders import assert_sound, lot, register_at, register_lots
from tests.tallies import HOUR_MS, NINE_MS, Look, Tally, Wall, events_of, tally_of


@pytest.fixture
async def register(store_url: str) -> AsyncIterator[Register]:
    async with register_at(store_url) as opened:
        yield opened


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def tally(register: Register, wall: Wall, tmp_path: Path) -> Tally:
    return tally_of(register, tmp_path / "tally", wall)


async def test_an_hour_becomes_a_statement_with_its_journal(tally: Tally) -> None:
    spool = tally.spool()
    spool.write(NINE_MS + 1_000, [Look(), Look(lot(2)), Look(outcome=Outcome.ABSENT)], dropped=2)
    spool.write(NINE_MS + 2_000, [Look(), Look(channel=Channel.PAGE, address="192.0.2.8")])
    tally.wall.move(hours=1, seconds=59)
    assert await tally.seal_hours() == 0
    tally.wall.move(seconds=1)
    assert await tally.seal_hours() == 1
    (sealed,) = await tally.chain()
    statement = sealed.statement
    assert (statement.begins, statement.ends) == (
        moment_text(NINE_MS),
        moment_text(NINE_MS + HOUR_MS),
    )
    assert statement.counts == {
        "ext_user": {"http": 2, "page": 1},
        "miss": {"http": 1},
        "repeat": {"http": 1},
    }
    assert (statement.events, statement.dropped) == (5, 2)
    assert (statement.clients, statement.identifiers, statement.prev) == (2, 2, "")
    events = events_of(sealed)
    assert [event.at_ms - NINE_MS for event in events] == [1_000, 1_000, 1_000, 2_000, 2_000]
    assert Counter(event.class_ for event in events)["ext_user"] == 3
    spool.close()


async def test_statements_are_leaves_of_the_log_behind_the_rules_they_use(tally: Tally) -> None:
    tally.wall.move(hours=3, minutes=2)
    tally.spool().write(NINE_MS, [Look()])
    assert await tally.seal_hours() == 3
    await register_lots(tally.register, range(3))
    await tally.register.sequencer.drain()
    async with tally.register.database.read() as scope:
        leaves = await log_queries.leaves(scope, 0, 10)
        rules = await statement_queries.last(scope, "rule_change")
    kinds = [kind_of(leaf)[0] for leaf in leaves]
    assert kinds == ["rule_change", *["hour_stat"] * 3, *["register"] * 3]
    assert rules is not None
    assert decode_rule_change(rules.leaf).version == tally.shop.rules.version
    chain = await tally.chain()
    assert [each.leaf_index for each in chain] == [1, 2, 3]
    for before, each in pairwise(chain):
        assert each.statement.prev == sha256(before.leaf).hexdigest()
        assert each.statement.begins == before.statement.ends
    assert [each.statement.events for each in chain] == [1, 0, 0]
    assert events_of(chain[1]) == []
    await assert_sound(tally.register.database)


async def test_events_of_several_processes_are_put_in_the_order_of_time(tally: Tally) -> None:
    one, two = tally.spool(process="a"), tally.spool(process="b")
    one.write(NINE_MS + 10, [Look(lot(1)), Look(lot(2))])
    two.write(NINE_MS + 10, [Look(lot(3))])
    two.write(NINE_MS + 5_000, [Look(lot(1))])
    one.write(NINE_MS + 6_000, [Look(lot(3))])
    tally.wall.move(hours=2)
    await tally.seal_hours()
    events = events_of((await tally.chain())[0])
    assert [event.at_ms - NINE_MS for event in events] == [10, 10, 10, 5_000, 6_000]
    assert [event.class_ for event in events] == ["ext_user"] * 3 + ["repeat"] * 2


async def test_a_repeat_reaches_over_the_end_of_a_period(tally: Tally) -> None:
    spool = tally.spool()
    ends_ms = NINE_MS + HOUR_MS
    spool.write(ends_ms - 10_000, [Look()])
    tally.wall.set_ms(ends_ms + 60_000)
    spool.write(ends_ms + 5_000, [Look()])
    spool.write(ends_ms + 25_000, [Look()])
    assert await tally.seal_hours() == 1
    tally.wall.move(hours=1)
    assert await tally.seal_hours() == 1
    first, second = await tally.chain()
    assert first.statement.counts == {"ext_user": {"http": 1}}
    assert second.statement.counts == {"ext_user": {"http": 1}, "repeat": {"http": 1}}


async def test_late_events_become_a_correction(tally: Tally) -> None:
    spool = tally.spool()
    spool.write(NINE_MS + 1_000, [Look()])
    tally.wall.move(hours=2, minutes=2)
    assert await tally.seal_hours() == 2
    late = tally.spool(process="slow")
    late.write(NINE_MS + 20_000, [Look(), Look(lot(2))])
    late.write(NINE_MS + HOUR_MS + 7, [Look(lot(3))], dropped=1)
    tally.wall.move(hours=1)
    assert await tally.seal_hours() == 1
    *_, of_nine, of_ten, of_eleven = await tally.chain()
    assert [e.statement.kind for e in (of_nine, of_ten, of_eleven)] == [
        "correction",
        "correction",
        "hour_stat",
    ]
    assert of_nine.statement.corrects == moment_text(NINE_MS)
    # The look-up of lot 1 was counted 19 s before; the other one was not.
    assert of_nine.statement.counts == {"ext_user": {"http": 1}, "repeat": {"http": 1}}
    assert of_ten.statement.counts == {"ext_user": {"http": 1}}
    assert (of_ten.statement.dropped, of_eleven.statement.events) == (1, 0)
    assert [e.at_ms - NINE_MS for e in events_of(of_nine)] == [20_000, 20_000]
    assert await tally.counts() == {"ext_user": 3, "repeat": 1}


async def test_a_clock_that_was_ahead_or_set_back_makes_no_overlap(tally: Tally) -> None:
    spool = tally.spool()
    spool.write(NINE_MS + 50_000, [Look(lot(1))])
    spool.write(NINE_MS + 40 * 24 * HOUR_MS, [Look(lot(2))])
    spool.write(NINE_MS + 20_000, [Look(lot(3))])
    tally.wall.move(hours=1, minutes=1)
    assert await tally.seal_hours() == 1
    (sealed,) = await tally.chain()
    assert [e.at_ms - NINE_MS for e in events_of(sealed)] == [50_000] * 3
    # The clock goes back by two hours: nothing is sealed until it has come back …
    tally.wall.move(hours=-2)
    spool.write(NINE_MS - HOUR_MS + 30_000, [Look(lot(4))])
    assert await tally.seal_hours() == 0
    assert await tally.sealer.seal_now() is None
    # … but for what is noted meanwhile, which cannot wait for ever.
    (correction,) = await tally.sealer.seal_late()
    assert (correction.corrects, correction.events) == (moment_text(NINE_MS), 1)
    tally.wall.move(hours=3)
    assert await tally.seal_hours() == 1
    chain = [e.statement for e in await tally.chain() if e.statement.kind == "hour_stat"]
    assert [s.begins for s in chain] == [moment_text(NINE_MS), moment_text(NINE_MS + HOUR_MS)]


async def test_a_clock_years_ahead_is_not_believed(tally: Tally) -> None:
    await tally.seal_hours()
    tally.wall.move(days=500)
    with pytest.raises(IntegrityFailure):
        await tally.seal_hours()


async def test_a_period_is_closed_early_on_demand_and_the_next_ends_at_the_hour(
    tally: Tally,
) -> None:
    spool = tally.spool()
    spool.write(NINE_MS + 60_000, [Look()])
    tally.wall.move(minutes=10)
    early = await tally.sealer.seal_now()
    assert early is not None
    assert (early.ends, early.events) == (moment_text(NINE_MS + 600_000), 1)
    spool.write(NINE_MS + 700_000, [Look()])
    tally.wall.move(hours=3)
    last = await tally.sealer.seal_now()
    assert last is not None
    periods = [(e.statement.begins, e.statement.ends) for e in await tally.chain()]
    ends = [NINE_MS, NINE_MS + 600_000, *(NINE_MS + n * HOUR_MS for n in (1, 2, 3))]
    ends.append(NINE_MS + 3 * HOUR_MS + 600_000)
    assert periods == [(moment_text(a), moment_text(b)) for a, b in pairwise(ends)]
    assert await tally.sealer.seal_now() is None
    assert await tally.counts() == {"ext_user": 2}


async def test_an_outage_leaves_no_hour_out(tally: Tally) -> None:
    assert await tally.seal_hours() == 0
    tally.wall.move(hours=1, minutes=1)
    assert await tally.seal_hours() == 1
    tally.wall.move(hours=30)
    assert await tally.seal_hours() == 30
    chain = await tally.chain()
    assert len(chain) == 31
    assert {each.statement.events for each in chain} == {0}


async def test_sealed_spools_are_deleted_when_their_writer_has_let_go(tally: Tally) -> None:
    closed, still_open = tally.spool(process="closed"), tally.spool(process="open")
    torn = tally.spool(process="torn")
    for spool in (closed, still_open, torn):
        spool.write(NINE_MS + 5, [Look(address="192.0.2.9", identifier=lot(len(spool.path.name)))])
    torn.tear()
    closed.close()
    torn.close()
    (tally.folder.spools / "stranger-1.spool").write_bytes(b"something else entirely, and long")
    (tally.folder.spools / "new-1.spool").write_bytes(b"")
    tally.wall.move(hours=1, minutes=1)
    assert await tally.seal_hours() == 1
    assert tally.folder.spool_names() == ["new-1.spool", still_open.path.name]
    assert (tally.folder.spools / "stranger-1.refused").exists()
    # What was deleted is forgotten by the next seal, and what goes on is not counted again.
    tally.wall.move(hours=1)
    assert await tally.seal_hours() == 1
    end = await tally.shop.chain.end()
    assert list(end.places) == [still_open.path.name]
    assert sum((await tally.counts()).values()) == 3


async def test_two_processes_that_seal_at_once_seal_each_period_once(
    register: Register, wall: Wall, tmp_path: Path
) -> None:
    one, two = (tally_of(register, tmp_path / "tally", wall) for _ in range(2))
    spool = one.spool()
    for hour in range(8):
        spool.write(NINE_MS + hour * HOUR_MS + 5, [Look(lot(hour)), Look(lot(hour))])
        wall.set_ms(NINE_MS + (hour + 1) * HOUR_MS + 60_000)
        outcomes = await asyncio.gather(
            one.sealer.seal_due(60_000), two.sealer.seal_due(60_000), return_exceptions=True
        )
        assert all(
            o is None or not isinstance(o, Exception) or isinstance(o, ChainMoved) for o in outcomes
        )
    chain = await one.chain()
    assert len(chain) == 8
    for each in chain:
        assert len(events_of(each)) == 2
    assert await one.counts() == {"ext_user": 8, "repeat": 8}
    assert not list(one.folder.journals.glob("*.draft"))


async def test_classes_follow_keys_networks_prefixes_and_agents(
    register: Register, wall: Wall, tmp_path: Path
) -> None:
    tally = tally_of(register, tmp_path / "tally", wall, own_networks=("10.0.0.0/8",))
    looks = {
        "ext_user": Look(),
        "ext_system": Look(actor="peer:secondary"),
        "int_business": Look(actor="key:erp"),
        "self": Look(address="127.0.0.1"),
        "health": Look(agent="kube-probe/1.30"),
        "crawler": Look(agent="Baiduspider/2.0"),
        "miss": Look(address="192.0.2.10", outcome=Outcome.ABSENT),
        "loadtest": Look("88.111.9/TEST"),
    }
    spool = tally.spool()
    for look in looks.values():
        spool.write(NINE_MS + 5, [look])
    spool.write(NINE_MS + 6, [Look(address="10.1.1.1", identifier=lot(5))])
    wall.move(hours=2)
    await tally.seal_hours()
    assert await tally.counts() == dict.fromkeys(looks, 1) | {"int_business": 2}


async def test_a_campaign_takes_effect_from_its_own_leaf_until_it_is_cancelled(
    tally: Tally,
) -> None:
    campaigns, wall = tally.campaigns, tally.wall
    selector = Selector(networks=("192.0.2.0/24",))
    until = moment_text(NINE_MS + HOUR_MS)
    with pytest.raises(InvalidInput):
        await campaigns.declare(
            selector, begins=moment_text(NINE_MS - 1), ends=until, operator="key:op", reason="late"
        )
    wall.move(minutes=5)
    declared = await campaigns.declare(
        selector, begins="", ends=until, operator="key:op", reason="压测"
    )
    wall.move(minutes=10)
    cancelled = await campaigns.cancel(declared.id)
    assert (cancelled.state, cancelled.at) == ("cancelled", declared.at)
    for again in (declared.id, "c-nobody"):
        with pytest.raises((WrongState, NotFound)):
            await campaigns.cancel(again)
    spool = tally.spool()
    for minute in (4, 5, 14, 15):
        spool.write(NINE_MS + minute * 60_000, [Look(lot(minute))])
    spool.write(NINE_MS + 14 * 60_000 + 1, [Look(lot(99), address="198.51.100.1")])
    wall.move(hours=2)
    await tally.seal_hours()
    events = events_of((await tally.chain())[0])
    assert [(e.campaign, e.class_) for e in events] == [
        ("", "ext_user"),
        (declared.id, "loadtest"),
        (declared.id, "loadtest"),
        ("", "ext_user"),
        ("", "ext_user"),
    ]
    assert [each.id for each in await campaigns.everyone()] == [declared.id]


async def test_a_burst_is_found_and_logged_before_the_statement_it_is_in(tally: Tally) -> None:
    spool = tally.spool()
    for minute in range(50):
        looks = [Look(lot(minute * 30 + n), address="203.0.113.5") for n in range(30)]
        spool.write(NINE_MS + minute * 60_000, [*looks, Look(lot(minute), address="192.0.2.1")])
    tally.wall.move(hours=1, minutes=1)
    await tally.seal_hours()
    late = tally.spool(process="late")
    late.write(NINE_MS + 30_000, [Look(lot(77), address="203.0.113.5")])
    tally.wall.move(hours=1)
    await tally.seal_hours()
    assert await tally.counts() == {"ext_user": 50, "loadtest": 1_501}
    (found,) = await tally.campaigns.everyone()
    assert (found.declared, found.operator, found.begins) == (False, "tally", moment_text(NINE_MS))
    await tally.register.sequencer.drain()
    async with tally.register.database.read() as scope:
        kinds = [kind_of(leaf)[0] for leaf in await log_queries.leaves(scope, 0, 10)]
    assert kinds == ["rule_change", "campaign", "hour_stat", "correction", "hour_stat"]
    with pytest.raises(NotFound):
        await tally.campaigns.cancel(found.id)


async def test_a_client_of_long_standing_is_no_burst(tally: Tally) -> None:
    spool = tally.spool()
    for hour, number in enumerate((150, 150, 1_400)):
        looks = [Look(lot(n), address="203.0.113.5") for n in range(number)]
        spool.write(NINE_MS + hour * HOUR_MS, looks)
    tally.wall.move(hours=3, minutes=1)
    assert await tally.seal_hours() == 3
    assert await tally.counts() == {"ext_user": 1_700}


async def test_other_rules_are_logged_before_they_are_used_and_keep_their_number(
    register: Register, wall: Wall, tmp_path: Path
) -> None:
    first = tally_of(register, tmp_path / "tally", wall)
    first.spool().write(NINE_MS + 5, [Look(), Look()])
    wall.move(hours=1, minutes=1)
    await first.seal_hours()
    edited = first.shop.rules.body.replace(b'"repeat_ms": 30000', b'"repeat_ms": 0')
    same_number = tally_of(register, tmp_path / "tally", wall, rules=parse_rules(edited))
    wall.move(hours=1)
    with pytest.raises(Conflict):
        await same_number.seal_hours()
    newer = parse_rules(edited.replace(b'"version": 1', b'"version": 9000'))
    second = tally_of(register, tmp_path / "tally", wall, rules=newer)
    assert await second.seal_hours() == 1
    chain = [each.statement for each in await second.chain()]
    assert [s.rules.version for s in chain] == [first.shop.rules.version, 9000]
    await register.sequencer.drain()
    async with register.database.read() as scope:
        kinds = [kind_of(leaf)[0] for leaf in await log_queries.leaves(scope, 0, 10)]
    assert kinds == ["rule_change", "hour_stat"] * 2


async def test_who_edits_where_counting_goes_on_stops_it(tally: Tally) -> None:
    spool = tally.spool()
    spool.write(NINE_MS + 5, [Look()])
    tally.wall.move(hours=1, minutes=1)
    await tally.seal_hours()
    async with tally.register.database.write() as scope:
        await scope.rows_affected("UPDATE tally_spool SET position = $1", (0,))
    tally.wall.move(hours=1)
    with pytest.raises(IntegrityFailure):
        await tally.seal_hours()


async def test_journals_are_deleted_when_they_need_not_be_kept(tally: Tally) -> None:
    tally.wall.move(hours=3, minutes=1)
    tally.spool().write(NINE_MS, [Look()])
    await tally.seal_hours()
    await tally.sealer.forget(2 * HOUR_MS)
    names = sorted(path.name for path in tally.folder.journals.iterdir())
    assert names == ["20261121T110000.000Z.events.gz"]
    assert len(await tally.chain()) == 3


async def test_what_was_counted_before_is_read_back_from_journals(tally: Tally) -> None:
    spool = tally.spool()
    ends_ms = NINE_MS + HOUR_MS
    spool.write(ends_ms - 31_000, [Look(lot(1))])
    spool.write(ends_ms - 10_000, [Look(lot(2))])
    tally.wall.move(hours=1, minutes=1)
    await tally.seal_hours()
    counted = CountedTimes(30_000)
    await counted_around(tally.shop, Period(ends_ms, ends_ms), counted)
    assert len(counted) == 1
    (sealed,) = await tally.chain()
    sealed.journal.write_bytes(b"edited")
    await counted_around(tally.shop, Period(ends_ms, ends_ms), CountedTimes(30_000))
    assert moment_ms(sealed.statement.ends) == ends_ms
