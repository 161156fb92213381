"""Receipts of the secondary node: fetched by itself and on demand, never believed blindly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from node.domain.receipt import Receipt, parse, sign_receipt, verify_receipt
from node.domain.signed_note import Ed25519Cosigner, parse_note, parse_verifier_key
from node.storage import alarm_queries, log_queries, position_queries, receipt_queries
from node.storage.alarm_queries import Alarm
from node.storage.receipt_queries import Errand, StoredReceipt
from sync.grpc_link import GrpcLink
from sync.peer import CANNOT, ReceiptAnswer
from sync.secondary.faults import Script, parse_script
from tests.builders import ORIGIN, register_at
from tests.link import PEER, AlteredPeer, Pair, link_at, until

Answering = Callable[[ReceiptAnswer], ReceiptAnswer]


async def newest(pair: Pair, size: int = 1 << 40) -> StoredReceipt | None:
    """Return the newest receipt that is kept."""
    async with pair.register.database.read() as scope:
        return await receipt_queries.newest_receipt(scope, PEER, size)


async def stated(pair: Pair, kept: StoredReceipt) -> Receipt:
    """Return what a kept receipt states, verified by the key pinned for the peer."""
    async with pair.register.database.read() as scope:
        key = (await position_queries.position(scope, PEER)).cosigner_key
    return verify_receipt(kept.note, origin=ORIGIN, witness_keys=[parse_verifier_key(key)])


async def asked(pair: Pair, size: int) -> Errand:
    """Ask for a receipt and return the errand once it was run."""
    async with pair.register.database.write() as scope:
        number = await receipt_queries.ask(scope, PEER, "receipt", "2026", size=size)

    async def is_done() -> bool:
        async with pair.register.database.read() as scope:
            found = await receipt_queries.find_errand(scope, number)
        return found is not None and bool(found.done_at)

    await until(is_done)
    async with pair.register.database.read() as reading:
        found = await receipt_queries.find_errand(reading, number)
    assert found is not None
    return found


async def root(pair: Pair) -> bytes:
    async with pair.register.database.read() as scope:
        return (await log_queries.state(scope)).root


async def alarms(pair: Pair) -> list[Alarm]:
    async with pair.register.database.read() as scope:
        return await alarm_queries.standing(scope)


async def test_a_receipt_is_fetched_once_both_sides_are_in_step(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(30))
        await pair.in_step()

        async def is_there() -> bool:
            return await newest(pair) is not None

        await until(is_there)
        kept = await newest(pair)
        assert kept is not None
        receipt = await stated(pair, kept)
        assert (receipt.size, receipt.unapplied) == (kept.size, ())


async def test_a_receipt_that_is_asked_for_names_what_was_refused(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        pair.faults.play(parse_script('[[fault]]\nkind = "refuse"\ncode = "invalid"\nevery = 10'))
        await pair.register_and_log(range(300))
        await pair.in_step()
        pair.faults.play(Script())
        done = await asked(pair, 300)
        assert done.failure == ""
        kept = await newest(pair)
        assert kept is not None
        receipt = await stated(pair, kept)
        assert (receipt.size, receipt.root) == (300, await root(pair))
        assert receipt.unapplied == tuple((n, n) for n in range(9, 300, 10))


async def test_a_receipt_of_an_earlier_size_stays_beside_newer_ones(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(20))
        assert (await asked(pair, 20)).failure == ""
        await pair.register_and_log(range(20, 600))
        assert (await asked(pair, 555)).failure == ""
        assert (await asked(pair, 600)).failure == ""
        for size, at_most in ((20, 20), (20, 554), (555, 599), (600, 1 << 40)):
            kept = await newest(pair, at_most)
            assert kept is not None
            assert (kept.size, (await stated(pair, kept)).size) == (size, size)
        assert await newest(pair, 19) is None
        async with pair.register.database.read() as scope:
            of_peers = await receipt_queries.receipts_by_peer(scope, 599)
        assert [(r.peer, r.size) for r in of_peers] == [(PEER, 555)]


async def test_receipts_nobody_asked_for_make_room_within_their_hour(store_url: str) -> None:
    at = "2026-11-21T{}:00.000Z"
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            await receipt_queries.ask(scope, PEER, "receipt", "2026", size=2)
            for size, time in ((1, "09:59"), (2, "10:00"), (3, "10:01"), (4, "10:02")):
                kept = StoredReceipt(PEER, size, b"note", at.format(time))
                await receipt_queries.put_receipt(scope, kept)
        async with register.database.read() as scope:
            rows = await scope.rows("SELECT size FROM receipt ORDER BY size")
        assert [row[0] for row in rows] == [1, 2, 4]


def forging(altered: Answering) -> Callable[[GrpcLink], None]:
    """Alter the receipts of a link."""

    def alter(link: GrpcLink) -> None:
        real = link.issue_receipt

        async def issue_receipt(size: int) -> ReceiptAnswer:
            return altered(await real(size))

        link.issue_receipt = issue_receipt  # type: ignore[method-assign]

    return alter


def with_another_key(answer: ReceiptAnswer) -> ReceiptAnswer:
    note = parse_note(answer.note)
    forger = Ed25519Cosigner.from_seed(note.signatures[0].name, b"forger" + bytes(26))
    return ReceiptAnswer(sign_receipt(parse(note.text), forger))


def with_more_applied(answer: ReceiptAnswer) -> ReceiptAnswer:
    return ReceiptAnswer(answer.note.replace(b"unapplied 9", b"unapplied -"))


def of_garbage(_answer: ReceiptAnswer) -> ReceiptAnswer:
    return ReceiptAnswer(b"\xff" * 100)


@pytest.mark.parametrize("altered", [with_another_key, with_more_applied, of_garbage])
async def test_a_forged_receipt_raises_an_alarm_and_is_not_kept(
    tmp_path: Path, altered: Answering
) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        await pair.stop_relay()
        pair.faults.play(parse_script('[[fault]]\nkind = "refuse"\ncode = "invalid"\nafter = 9'))
        await pair.register_and_log(range(10))
        pair.start_relay(AlteredPeer(pair.peer, forging(altered)))
        assert (await asked(pair, 10)).failure == "wrong_receipt"
        assert await newest(pair) is None
        (alarm,) = await alarms(pair)
        assert (alarm.kind, bool(alarm.evidence)) == ("wrong_receipt", True)
        # The alarm is not cleared by itself, and the log goes on.
        await pair.register_and_log(range(10, 20))
        await pair.in_step()
        assert len(await alarms(pair)) == 1


async def test_a_well_signed_receipt_of_another_tree_raises_an_alarm(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        await pair.stop_relay()
        assert pair.secondary is not None
        seed = (tmp_path / "peer" / "keys" / "witness.ed25519").read_bytes()
        name = parse_verifier_key(pair.secondary.cosigner_key).name
        witness = Ed25519Cosigner.from_seed(name, seed)

        def of_another_tree(answer: ReceiptAnswer) -> ReceiptAnswer:
            honest = parse(parse_note(answer.note).text)
            other = Receipt(honest.origin, honest.size, b"?" * 32, honest.at_ms)
            return ReceiptAnswer(sign_receipt(other, witness))

        await pair.register_and_log(range(10))
        pair.start_relay(AlteredPeer(pair.peer, forging(of_another_tree)))
        assert (await asked(pair, 10)).failure == "wrong_receipt"
        assert [alarm.kind for alarm in await alarms(pair)] == ["wrong_receipt"]


async def test_a_peer_without_receipts_is_noted_and_synced_all_the_same(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer") as pair:
        await pair.stop_relay()
        await pair.register_and_log(range(10))
        pair.start_relay(
            AlteredPeer(pair.peer, forging(lambda _answer: ReceiptAnswer(b"", CANNOT)))
        )
        assert (await asked(pair, 10)).failure == CANNOT
        await pair.in_step()
        assert (await alarms(pair), await newest(pair)) == ([], None)


async def test_an_errand_waits_while_the_peer_is_away(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", redial_s=0.05, longest_redial_s=0.1) as pair:
        await pair.register_and_log(range(5))
        await pair.in_step()
        await pair.stop_secondary()
        await pair.register_and_log(range(5, 9))
        waiting = asyncio.create_task(asked(pair, 9))
        await pair.start_secondary()
        assert (await waiting).failure == ""
        kept = await newest(pair)
        assert kept is not None
        assert kept.size == 9
