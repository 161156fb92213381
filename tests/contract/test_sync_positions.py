"""Where a peer is, written by two relays at once: none takes back what the other knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.domain.signed_note import parse_verifier_key
from node.storage import position_queries
from node.storage.engine import Database
from node.storage.position_queries import PeerPosition
from sync.grpc_link import GrpcLink
from sync.peer import Answer, CheckpointAnswer, CheckpointCode
from sync.relay.opening import settle_position
from tests.builders import register_at
from tests.link import PEER, AlteredPeer, link_at, until

AT = "2026-11-21T09:00:00.000Z"
NEVER = PeerPosition(PEER, "", 0, 0, "")
MET = PeerPosition(PEER, "key", 100, 80, AT)


async def move(database: Database, before: PeerPosition, now: PeerPosition) -> None:
    async with database.write() as scope:
        await position_queries.move(scope, before, now)


async def advance(database: Database, acked: int = 0, cosigned: int = 0) -> None:
    async with database.write() as scope:
        await position_queries.advance(scope, PEER, AT, acked_size=acked, cosigned_size=cosigned)


async def position(database: Database) -> PeerPosition:
    async with database.read() as scope:
        return await position_queries.position(scope, PEER)


async def test_each_figure_advances_without_the_other(store_url: str) -> None:
    async with register_at(store_url) as register:
        await move(register.database, NEVER, MET)
        await advance(register.database, acked=120)
        await advance(register.database, cosigned=100)
        assert await position(register.database) == replace(MET, acked_size=120, cosigned_size=100)


async def test_what_is_known_late_takes_nothing_back(store_url: str) -> None:
    async with register_at(store_url) as register:
        await move(register.database, NEVER, MET)
        await advance(register.database, acked=99)
        await advance(register.database, cosigned=79)
        assert await position(register.database) == MET


async def test_a_peer_may_have_less_unless_that_was_overtaken(store_url: str) -> None:
    async with register_at(store_url) as register:
        await move(register.database, NEVER, MET)
        restored = replace(MET, acked_size=40, cosigned_size=40)
        await move(register.database, MET, restored)
        assert await position(register.database) == restored
        await advance(register.database, acked=60)
        await move(register.database, restored, replace(restored, acked_size=50))
        assert (await position(register.database)).acked_size == 60


async def test_what_another_relay_sent_meanwhile_is_no_rollback(
    store_url: str, tmp_path: Path
) -> None:
    async with link_at(store_url, tmp_path / "peer") as pair:
        await pair.register_and_log(range(10))
        await pair.in_step()
        log_key = parse_verifier_key(pair.hello().log_key)
        before = await pair.ledger.position()
        async with pair.link() as link:
            await pair.register_and_log(range(10, 30))
            await pair.in_step()
            after = await pair.ledger.position()
            assert after.acked_size > link.position.size
            await settle_position(link, pair.ledger, log_key, before)
        assert await pair.alarms() == []
        assert await pair.ledger.position() == after


def overtaken_by(beyond: int) -> Callable[[GrpcLink], None]:
    """Answer the first offer as a peer that has just cosigned more, so much `beyond` it."""

    def alter(link: GrpcLink) -> None:
        real, overtaken = link.answers, False

        async def answers() -> AsyncIterator[Answer]:
            nonlocal overtaken
            async for answer in real():
                if isinstance(answer, CheckpointAnswer) and not overtaken:
                    overtaken, size = True, answer.size + beyond
                    yield replace(answer, code=CheckpointCode.OLDER, size=size, line=b"")
                else:
                    yield answer

        link.answers = answers  # type: ignore[method-assign]

    return alter


@pytest.mark.parametrize(("beyond", "alarms"), [(0, []), (1, ["witness_refused"])])
async def test_only_a_checkpoint_beyond_our_log_is_alarming(
    tmp_path: Path, beyond: int, alarms: list[str]
) -> None:
    async with link_at(f"sqlite:///{tmp_path}/xibiao.db", tmp_path / "peer") as pair:
        await pair.stop_relay()
        await pair.register_and_log(range(10))
        pair.start_relay(AlteredPeer(pair.peer, overtaken_by(beyond)))

        async def is_settled() -> bool:
            cosigned = (await pair.ledger.position()).cosigned_size
            return cosigned == 10 or await pair.alarms() != []

        await until(is_settled)
        assert await pair.alarms() == alarms
