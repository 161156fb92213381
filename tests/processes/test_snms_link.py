"""The relay against the SNMS face over real sockets: whatever is answered, nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from node.domain.record import Action
from node.errors import AccessDenied
from node.registration.requests import StatusRequest
from node.storage import position_queries, sync_queries
from sync.relay import waiting_items
from sync.secondary.faults import Script, parse_script
from sync.secondary.store import snms_rows
from sync.snms import publication
from sync.snms.calls import Route
from sync.snms.exchange_book import Exchange
from sync.snms.template_form import STATUS_KEY
from tests.builders import FREE_PREFIX, PRODUCER, lot
from tests.link import PEER, until
from tests.snms_link import PASSWORD, SnmsPair, snms_link_at


def url(directory: Path) -> str:
    return f"sqlite:///{directory}/xibiao.db"


async def test_several_thousand_records_arrive_as_they_are(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        for start in range(0, 3_000, 1_000):
            await pair.register_and_log(range(start, start + 1_000))
        pair.start_relay()
        await pair.in_step()
        held = await pair.told_and_writes()
        assert {handle: values for handle, (values, _) in held.items()} == await pair.to_be_told()
        assert len(held) == 3_000
        assert {writes for _, writes in held.values()} == {1}
        assert await pair.alarms() == []
        assert await pair.waiting("rejected") == []
        assert "net_kg" not in held[lot(1)][0]


def play(pair: SnmsPair, *rules: str, script: str = "") -> None:
    """Put a fault script of some rules into force."""
    pair.faults.play(parse_script(script + "".join(f"\n[[fault]]\n{rule}\n" for rule in rules)))


async def assert_all_told(pair: SnmsPair) -> None:
    """Check that the secondary node holds exactly the register's active records."""
    assert await pair.told() == await pair.to_be_told()


HIDDEN = {
    "gateway gave up once": ('kind = "fail"\ncall = "batchCreate"\ntimes = 1', ""),
    "gateway gave up twice, so records are read": (
        'kind = "fail"\ncall = "batchCreate"\ntimes = 2',
        "",
    ),
    "answer lost": ('kind = "lose"\ncall = "batchCreate"\ntimes = 1', "0.5"),
    "garbage": ('kind = "garbage"\ncall = "batchCreate"\ntimes = 2', ""),
    "giant answer": ('kind = "giant"\ncall = "batchCreate"\nbytes = 20000000\ntimes = 1', ""),
}


@pytest.mark.parametrize("name", HIDDEN)
async def test_a_hidden_success_has_no_second_effect(tmp_path: Path, name: str) -> None:
    rule, timeout_s = HIDDEN[name]
    options = {"timeout_s": float(timeout_s)} if timeout_s else {}
    async with snms_link_at(url(tmp_path), tmp_path / "peer", batch=40, **options) as pair:
        play(pair, rule)
        await pair.register_and_log(range(90))
        pair.start_relay()
        await pair.in_step()
        await pair.nothing_waits()
        held = await pair.told_and_writes()
        assert len(held) == 90
        assert {writes for _, writes in held.values()} == {1}
        await assert_all_told(pair)


async def test_a_batch_that_never_arrived_is_sent_again(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", batch=60) as pair:
        play(pair, 'kind = "decline"\ncall = "batchCreate"\ncode = "unknown_outcome"\ntimes = 2')
        await pair.register_and_log(range(150))
        pair.start_relay()
        await pair.in_step()
        await pair.nothing_waits()
        await assert_all_told(pair)


ITEM_CODES = {
    "invalid": ("rejected", "invalid"),
    "not_yours": ("rejected", "not_yours"),
    "unknown_outcome": ("rejected", "invalid"),  # a sentence that nobody knows: a person's task
    "quota": ("blocked", "quota"),
    "prefix_suspended": ("blocked", "prefix_suspended"),
    "template_missing": ("blocked", "template_missing"),
}


@pytest.mark.parametrize("code", ITEM_CODES)
async def test_an_item_refused_in_a_good_envelope_waits_with_its_sentence(
    tmp_path: Path, code: str
) -> None:
    state, noted = ITEM_CODES[code]
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        play(pair, f'kind = "refuse"\ncode = "{code}"\nevery = 10\ntimes = 5')
        await pair.register_and_log(range(100))
        pair.start_relay()
        await pair.in_step()
        waiting = await pair.waiting(state)
        assert {item.code for item in waiting} == {noted}
        assert all(item.reason for item in waiting)
        assert len(waiting) == 5
        assert len(await pair.told()) == 95
        await retried(pair, [item.index for item in waiting])
        await pair.nothing_waits()
        await assert_all_told(pair)


async def retried(pair: SnmsPair, indexes: list[int]) -> None:
    """Have items sent again, as an operator would."""
    async with pair.register.database.write() as scope:
        await sync_queries.change_state(scope, PEER, indexes, "retry", "mended", "2026")


async def test_an_item_said_to_be_busy_is_sent_again_soon(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        play(pair, 'kind = "refuse"\ncode = "internal"\nevery = 7\ntimes = 3')
        await pair.register_and_log(range(50))
        pair.start_relay()
        await pair.in_step()
        await pair.nothing_waits()
        await assert_all_told(pair)


async def test_an_identifier_with_other_content_is_a_conflict(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        await pair.register_and_log(range(3))
        pair.start_relay()
        await pair.in_step()
        await pair.stop_relay()
        async with pair.register.database.write() as scope:
            position = await position_queries.position(scope, PEER)
            await position_queries.move(scope, position, replace(position, acked_size=0))
        assert pair.secondary is not None
        await pair.secondary.threads.writer.run(spoil)
        pair.start_relay()
        await pair.in_step()
        (conflict,) = await pair.waiting("rejected")
        assert (conflict.identifier, conflict.code) == (lot(1), "conflict")
        assert "lot_no" in conflict.reason
        held = await pair.told_and_writes()
        assert {writes for _, writes in held.values()} == {1}


def spoil(db: sqlite3.Connection) -> None:
    """Write other content into a record, as somebody at the secondary node might."""
    db.execute(
        "UPDATE snms_record SET value = CAST(replace(value, 'L-1', 'L-9') AS BLOB)"
        " WHERE handle = ?",
        (lot(1),),
    )


async def test_tokens_that_end_in_mid_batch_are_replaced(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", batch=20) as pair:
        play(pair, 'kind = "expire"\ncall = "batchCreate"\nevery = 2')
        await pair.register_and_log(range(120))
        pair.start_relay()
        await pair.in_step()
        await assert_all_told(pair)
        assert await pair.alarms() == []


async def test_a_new_token_that_is_refused_too_raises_an_alarm(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        play(pair, 'kind = "expire"\ncall = "token"')
        await pair.register_and_log(range(3))
        pair.start_relay()

        async def is_alarmed() -> bool:
            return "peer_refuses_session" in await pair.alarms()

        await until(is_alarmed)
        assert await pair.told() == {}
        assert len(list(logins(pair))) <= 4


async def test_a_wrong_password_is_not_tried_in_a_loop(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", password="wrong") as pair:
        pair.start_relay()

        async def is_alarmed() -> bool:
            return "peer_refuses_session" in await pair.alarms()

        await until(is_alarmed)
        with pytest.raises(AccessDenied):
            async with pair.link():
                pass
        assert len(list(logins(pair))) == 1


def logins(pair: SnmsPair) -> Iterator[Exchange]:
    """Yield what was noted of logins."""
    for exchange in exchanges(pair):
        if exchange.path.startswith("/identity/token"):
            yield exchange


def exchanges(pair: SnmsPair) -> Iterator[Exchange]:
    """Yield what was noted of requests."""
    for file in pair.evidence.glob("*.jsonl"):
        for line in file.read_bytes().splitlines():
            yield msgspec.json.decode(line, type=Exchange)


async def test_the_plain_login_works_too(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", form="plain") as pair:
        await pair.register_and_log(range(3))
        pair.start_relay()
        await pair.in_step()
        await assert_all_told(pair)


async def test_a_busy_peer_is_asked_again(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        play(pair, 'kind = "decline"\ncode = "internal"\ncall = "batchCreate"\ntimes = 2')
        await pair.register_and_log(range(30))
        pair.start_relay()
        await pair.in_step()
        await assert_all_told(pair)


async def test_a_limit_lowered_at_run_time_is_kept_to(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        await pair.register_and_log(range(300))
        pair.start_relay()
        await pair.in_step()
        play(pair, script="max_batch = 70\n")
        await pair.register_and_log(range(300, 600))
        await pair.in_step()
        await assert_all_told(pair)
        creations = [e for e in exchanges(pair) if e.path.endswith("batchCreate")]
        assert len(creations) <= 12


async def test_a_template_that_is_refused_blocks_its_records_until_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "ASKED_AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(waiting_items, "BLOCKED_PAUSE_S", 2.0)
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        play(pair, 'kind = "decline"\ncode = "template_missing"\ncall = "template"')
        await pair.register_and_log(range(20))
        pair.start_relay()
        await pair.in_step()
        blocked = await pair.waiting("blocked")
        assert len(blocked) == 20
        assert "模板未审核" in blocked[0].reason
        pair.faults.play(Script())
        await pair.nothing_waits()
        await assert_all_told(pair)


async def test_an_interface_that_offers_version_3_of_templates_only_will_do(
    tmp_path: Path,
) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", versions=("v3",)) as pair:
        await pair.register_and_log(range(5))
        pair.start_relay()
        await pair.in_step()
        await assert_all_told(pair)


async def test_changes_suspensions_and_revocations_follow(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        pair.start_relay()
        await pair.register_and_log(range(4))
        await pair.in_step()
        life_cycle = pair.register.life_cycle
        for number, action in ((1, Action.SUSPEND), (2, Action.REVOKE), (3, Action.SUSPEND)):
            await life_cycle.set_status(lot(number), action, StatusRequest("复检"), actor=PRODUCER)
        await life_cycle.set_status(lot(3), Action.RESUME, StatusRequest("合格"), actor=PRODUCER)
        await pair.register.sequencer.drain()
        await pair.in_step()
        await pair.nothing_waits()
        held = await pair.told()
        assert held.keys() == {lot(0), lot(1), lot(3)}
        assert held[lot(1)][STATUS_KEY] == "suspended"
        assert "lot_no" in held[lot(1)]  # the template demands it
        assert "tre_pct" not in held[lot(1)]
        assert held[lot(3)] == (await pair.to_be_told())[lot(3)]


async def test_a_change_of_a_record_unknown_there_creates_it(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        pair.start_relay()
        await pair.register_and_log(range(3))
        await pair.in_step()
        assert pair.secondary is not None
        await pair.secondary.threads.writer.run(lambda db: snms_rows.delete(db, lot(1)))
        await pair.register.life_cycle.set_status(
            lot(1), Action.SUSPEND, StatusRequest("复检"), actor=PRODUCER
        )
        await pair.register.sequencer.drain()
        await pair.in_step()
        assert (await pair.told())[lot(1)][STATUS_KEY] == "suspended"


async def test_a_peer_that_restarts_is_dialled_again(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", batch=50) as pair:
        pair.start_relay()
        await pair.register_and_log(range(100))
        await pair.stop_secondary()
        await pair.register_and_log(range(100, 160))
        await pair.start_secondary()
        await pair.in_step()
        await pair.nothing_waits()
        await assert_all_told(pair)


async def test_the_route_is_told_for_every_prefix(tmp_path: Path) -> None:
    route = Route(ip="203.0.113.7", tcp_port=2641)
    async with snms_link_at(url(tmp_path), tmp_path / "peer", route=route) as pair:
        pair.start_relay()
        await pair.register_and_log(range(1))
        await pair.in_step()
        assert pair.secondary is not None
        routes = await pair.secondary.threads.reader.run(snms_rows.routes)
        assert FREE_PREFIX in routes
        assert b'"ip":"203.0.113.7"' in routes[FREE_PREFIX]


async def test_what_is_noted_of_requests_holds_no_secret(tmp_path: Path) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        await pair.register_and_log(range(3))
        pair.start_relay()
        await pair.in_step()
        noted = list(exchanges(pair))
    assert {"/identity/token/v1", "/identityv2/data/batchCreate"} <= {e.path for e in noted}
    for exchange in noted:
        is_login = exchange.path.startswith("/identity/token")
        assert (exchange.answer_sha256 == "") is is_login
        assert exchange.outcome
    text = b"".join(path.read_bytes() for path in pair.evidence.iterdir())
    assert PASSWORD.encode() not in text
    assert b"Bearer" not in text


async def test_a_comparison_that_the_peer_cannot_make_is_said_to_have_failed(
    tmp_path: Path,
) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer") as pair:
        pair.start_relay()
        found = await pair.compare()
        assert "peer_cannot_compare" in found.details


async def test_what_a_crash_left_unacknowledged_is_told_again_without_effect(
    tmp_path: Path,
) -> None:
    async with snms_link_at(url(tmp_path), tmp_path / "peer", batch=30) as pair:
        await pair.register_and_log(range(40))
        pair.start_relay()
        await pair.in_step()
        await pair.stop_relay()
        await pair.register.life_cycle.set_status(
            lot(3), Action.SUSPEND, StatusRequest("复检"), actor=PRODUCER
        )
        await pair.register.life_cycle.set_status(
            lot(3), Action.RESUME, StatusRequest("合格"), actor=PRODUCER
        )
        await pair.register.sequencer.drain()
        async with pair.register.database.write() as scope:
            position = await position_queries.position(scope, PEER)
            await position_queries.move(scope, position, replace(position, acked_size=10))
        pair.start_relay()
        await pair.in_step()
        await pair.nothing_waits()
        held = await pair.told_and_writes()
        assert {handle for handle, (_, writes) in held.items() if writes > 1} == {lot(3)}
        await assert_all_told(pair)
