"""The drill: two histories under one key, an old one, a forged leaf, a missing one.

Each is refused by the secondary node when somebody speaks to it as the node would, and each is
named by a standing alarm of the node when it is the node's own database that was exchanged. Nothing
is published then, until a person has cleared the alarm and its cause is gone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from node.api.log_reader import LogReader
from node.domain.checkpoint import Checkpoint, verify_checkpoint
from node.domain.record import Action
from node.domain.signed_note import parse_verifier_key
from node.errors import Unavailable
from node.registration.requests import StatusRequest
from node.storage import alarm_queries, log_queries
from node.storage.alarm_queries import Alarm
from sync.proto.idlink.v1 import secondary_link_pb2 as pb
from sync.relay.equivocation import SEPARATOR
from sync.secondary.verification import Entry
from tests.builders import ORIGIN, PRODUCER, lot, register_at
from tests.link import Pair, link_at, unlinked_at, until, utc_now
from tests.link_client import link_client
from tests.tiny_log import PREFIX, TinyLog, identifier

QUICK = {"redial_s": 0.05, "longest_redial_s": 0.2}


async def standing(pair: Pair) -> list[Alarm]:
    async with pair.register.database.read() as scope:
        return await alarm_queries.standing(scope)


async def alarm_of(pair: Pair, kind: str) -> Alarm:
    """Wait for an alarm of a kind and return it."""

    async def stands() -> bool:
        return kind in await pair.alarms()

    await until(stands)
    return next(alarm for alarm in await standing(pair) if alarm.kind == kind)


async def clear(pair: Pair, kind: str) -> None:
    async with pair.register.database.write() as scope:
        assert await alarm_queries.clear(scope, [kind], "2026") == 1


async def is_published(pair: Pair, number: int = 0) -> bool:
    """Say whether the log is given, and the receipt of a lot: both are, or neither."""
    reader = LogReader(pair.register.database)
    reads = [reader.checkpoint(), reader.resource("tile/0/000.p/1"), reader.receipt(lot(number))]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for refusal in refusals:
        assert isinstance(refusal, Unavailable)
        assert refusal.code == "publication_frozen"
    assert len(refusals) in (0, len(reads))
    return not refusals


def checkpoints(pair: Pair, evidence: bytes) -> list[Checkpoint]:
    """Return the checkpoints of an alarm's evidence, as anybody with the log's key reads them."""
    key = parse_verifier_key(pair.register.signer.verifier_key())
    return [
        verify_checkpoint(note, origin=ORIGIN, log_keys=[key]) for note in evidence.split(SEPARATOR)
    ]


def kept_by_the_peer(pair: Pair) -> list[tuple[bytes, bytes]]:
    """Return the pairs of notes that the secondary node keeps against a log."""
    with closing(sqlite3.connect(pair.data_dir / "secondary.db")) as db:
        return db.execute("SELECT note, held FROM evidence").fetchall()


@asynccontextmanager
async def exchanged(pair: Pair, url: str) -> AsyncIterator[Pair]:
    """Put another database in the node's place: the same keys and peer, another history."""
    await pair.stop_relay()
    async with register_at(url, clock=utc_now) as register:
        other = Pair(register, pair.data_dir, pair.settings, address=pair.address)
        try:
            yield other
        finally:
            await other.stop_relay()


# What the secondary node refuses, whoever speaks to it.


async def test_a_second_log_of_the_same_key_is_refused_and_both_notes_are_kept(
    tmp_path: Path,
) -> None:
    log, fork = TinyLog(), TinyLog(salts=1)
    log.register(range(20))
    fork.register(range(20))
    async with unlinked_at(f"sqlite:///{tmp_path}/x.db", tmp_path / "peer") as pair:
        async with link_client(pair.address, log) as client:
            await client.open()
            await client.send()
            assert (await client.offer(log.offer())).code == pb.CHECKPOINT_CODE_COSIGNED
            client.log = fork
            refused = await client.send()
            assert [(r.index, r.code) for r in refused.refused] == [(0, pb.ITEM_CODE_CONFLICT)]
            for old_size, size in ((20, 20), (0, 7)):
                answer = await client.offer(fork.offer(old_size, size))
                assert answer.code == pb.CHECKPOINT_CODE_INCONSISTENT
                assert (answer.signature_line, answer.cosigned_note) == (b"", log.checkpoint())
            opened = await client.open()
            assert (opened.position.root, opened.cosigned_note) == (log.root(), log.checkpoint())
        assert kept_by_the_peer(pair) == [
            (fork.checkpoint(20), log.checkpoint()),
            (fork.checkpoint(7), log.checkpoint()),
        ]


async def test_an_old_checkpoint_is_refused(tmp_path: Path) -> None:
    log = TinyLog()
    log.register(range(20))
    async with (
        unlinked_at(f"sqlite:///{tmp_path}/x.db", tmp_path / "peer") as pair,
        link_client(pair.address, log) as client,
    ):
        await client.open()
        await client.send()
        await client.offer(log.offer())
        old = await client.offer(log.offer(0, 12))
        assert (old.code, old.size) == (pb.CHECKPOINT_CODE_OLDER, 20)
        assert (old.signature_line, old.cosigned_note) == (b"", log.checkpoint())


async def test_forged_leaves_are_refused_one_way_or_the_other(tmp_path: Path) -> None:
    log, forger = TinyLog(), TinyLog(salts=1)
    log.register(range(10))
    async with (
        unlinked_at(f"sqlite:///{tmp_path}/x.db", tmp_path / "peer") as pair,
        link_client(pair.address, log) as client,
    ):
        await client.open()
        # Another record under the leaf that the log has: it does not open the commitment.
        real, other = log.entries[3], forger.entry(identifier(3))
        client.log.entries = [*log.entries[:3], Entry(real.leaf, other.opening), *log.entries[4:]]
        (refused,) = (await client.send()).refused
        assert (refused.index, refused.code) == (3, pb.ITEM_CODE_INVALID)
        # A leaf that is not in the log: it is held, and the log's own checkpoint gives it away.
        client.log.entries = [*client.log.entries, forger.entry(identifier(10))]
        assert (await client.send(10)).acknowledged_size == 11
        honest = TinyLog()
        honest.register(range(11))
        answer = await client.offer(honest.offer())
        assert answer.code == pb.CHECKPOINT_CODE_INCONSISTENT
        assert not answer.signature_line


async def test_a_missing_leaf_is_named_and_what_follows_is_not_held(tmp_path: Path) -> None:
    log = TinyLog()
    log.register(range(20))
    async with (
        unlinked_at(f"sqlite:///{tmp_path}/x.db", tmp_path / "peer") as pair,
        link_client(pair.address, log) as client,
    ):
        await client.open()
        await client.send(0, 8)
        answer = await client.send(9)
        assert [(r.index, r.code) for r in answer.refused] == [(8, pb.ITEM_CODE_NOT_FOUND)]
        assert (await client.position()).size == 8
        ahead = await client.offer(log.offer())
        assert (ahead.code, ahead.size) == (pb.CHECKPOINT_CODE_AHEAD, 8)


# What the node does when it is its own log that is wrong.


async def test_a_second_history_of_the_node_is_named_and_nothing_is_published(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer", **QUICK) as pair:
        await pair.register_and_log(range(10))
        await pair.in_step()
        assert await is_published(pair)
        async with exchanged(pair, f"sqlite:///{tmp_path}/fork.db") as fork:
            await fork.register_and_log(range(100, 110))
            assert await is_published(fork, 100)
            fork.start_relay()
            alarm = await alarm_of(fork, "peer_holds_other_log")
            assert "本节点密钥" in alarm.zh
            assert "two histories" in alarm.en
            ours, theirs = checkpoints(fork, alarm.evidence)
            assert (ours.size, theirs.size) == (10, 10)
            assert ours.root != theirs.root
            # The secondary node was given the proof as well.
            ((refused, held),) = kept_by_the_peer(pair)
            assert checkpoints(fork, refused + SEPARATOR + held) == [ours, theirs]
            assert not await is_published(fork, 100)
            # Cleared while its cause lasts, it stands again.
            await clear(fork, "peer_holds_other_log")
            await alarm_of(fork, "peer_holds_other_log")
            assert await fork.acked_size() == 0
        # With the right database everything goes on; its own books hold no alarm.
        pair.start_relay()
        await pair.register_and_log(range(10, 12))
        await pair.in_step()
        assert await is_published(pair)


async def test_a_database_restored_from_an_old_backup_is_named(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer", **QUICK) as pair:
        await pair.register_and_log(range(20))
        await pair.in_step()
        async with exchanged(pair, f"sqlite:///{tmp_path}/old.db") as old:
            await old.register_and_log(range(5))
            old.start_relay()
            alarm = await alarm_of(old, "log_went_back")
            assert "5" in alarm.zh
            assert [c.size for c in checkpoints(old, alarm.evidence)] == [5, 20]
            assert not await is_published(old)


async def test_another_hand_that_writes_under_our_key_is_found(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", **QUICK) as pair:
        await pair.register_and_log(range(10))
        await pair.in_step()
        thief = Thief(pair)
        await thief.append(3)
        await pair.register_and_log(range(10, 20))
        alarm = await alarm_of(pair, "peer_holds_other_log")
        ours, theirs = checkpoints(pair, alarm.evidence)
        assert (ours.size, theirs.size) == (20, 13)
        assert not await is_published(pair)


class Thief:
    """Somebody with the keys of a pair's node, who goes on with its log in his own way."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._log = TinyLog(origin=ORIGIN)
        self._log.signer = pair.register.signer

    async def append(self, count: int) -> None:
        """Append leaves of his own to what the secondary node holds, and have them cosigned."""
        async with self._pair.register.database.read() as scope:
            size = (await log_queries.state(scope)).size
            leaves = await log_queries.leaves(scope, 0, size)
        self._log.add(*(Entry(leaf, None) for leaf in leaves))
        self._log.register(range(900, 900 + count), PREFIX)
        name = self._pair.hello().node_id
        async with link_client(self._pair.address, self._log, name) as client:
            await client.open(self._pair.hello().prefixes)
            await client.send(size)
            answer = await client.offer(self._log.offer(size))
            assert answer.code == pb.CHECKPOINT_CODE_COSIGNED


DAMAGE = {
    "leaf_forged": "UPDATE change SET leaf = (SELECT leaf FROM change c JOIN leaf l USING"
    " (change_id) WHERE l.leaf_index = 3) WHERE change_id ="
    " (SELECT change_id FROM leaf WHERE leaf_index = 15)",
    "leaf_missing": "DELETE FROM leaf WHERE leaf_index = 15",
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_leaf_the_database_has_lost_or_altered_is_named_and_does_not_leave(
    store_url: str, tmp_path: Path, kind: str
) -> None:
    async with link_at(store_url, tmp_path / "peer", **QUICK) as pair:
        await pair.register_and_log(range(10))
        await pair.in_step()
        await pair.stop_relay()
        await pair.register_and_log(range(10, 20))
        async with pair.register.database.write() as scope:
            await scope.rows_affected(DAMAGE[kind], ())
        pair.start_relay()
        alarm = await alarm_of(pair, kind)
        assert "15" in alarm.zh
        assert " 15 " in alarm.en
        assert not await is_published(pair)
        async with pair.link() as link:
            assert (link.position.size, link.position.cosigned_size) == (10, 10)


async def test_registering_goes_on_while_publication_is_frozen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", **QUICK) as pair:
        await pair.register_and_log(range(3))
        async with pair.register.database.write() as scope:
            texts = ("另一份日志", "another log")
            await alarm_queries.raise_alarm(scope, "peer_holds_other_log", texts, b"", "2026")
        await pair.register_and_log(range(3, 6))
        await pair.register.life_cycle.set_status(
            lot(0), Action.SUSPEND, StatusRequest("复检"), actor=PRODUCER
        )
        await pair.register.sequencer.drain()
        await pair.in_step()
        # Being in step again clears nothing: what was signed stays signed.
        assert not await is_published(pair)
        await clear(pair, "peer_holds_other_log")
        assert await is_published(pair)
