"""Answers that come twice or out of order end no session; a peer that went back is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.storage import log_queries, sync_queries
from sync.secondary.faults import Script, parse_script
from tests.link import Pair, link_at, until

ROUNDS, LOTS = 6, 20
DISORDER = {
    "twice": '[[fault]]\nkind = "duplicate"\ncall = "SyncLog"',
    "late": '[[fault]]\nkind = "reorder"\ncall = "SyncLog"\nevery = 3',
}


def ended_sessions(pair: Pair) -> float:
    (family,) = pair.metrics.sync_sessions.collect()
    return sum(s.value for s in family.samples if s.name.endswith("_total"))


@pytest.mark.parametrize("name", DISORDER)
async def test_disorder_among_answers_ends_no_session(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", batch=5, cosign_interval_s=0.0) as pair:
        await pair.register_and_log(range(LOTS))
        await pair.in_step()
        pair.faults.play(parse_script(DISORDER[name]))
        for turn in range(1, ROUNDS):
            await pair.register_and_log(range(turn * LOTS, (turn + 1) * LOTS))
        # What is held back leaves behind the next answer; without the script there is one.
        pair.faults.play(Script())
        await pair.register_and_log(range(ROUNDS * LOTS, ROUNDS * LOTS + 1))
        await pair.in_step()
        assert ended_sessions(pair) == 0
        assert await pair.held_records() == await pair.own_records()


async def test_a_peer_that_goes_back_under_an_idle_session_gets_the_rest_again(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", heartbeat_s=0.05) as pair:
        await pair.register_and_log(range(LOTS))
        await pair.in_step()
        script = '[[fault]]\nkind = "roll_back"\ncall = "Heartbeat"\nleaves = 7\ntimes = 1'
        pair.faults.play(parse_script(script))

        async def is_known() -> bool:
            return "peer_rolled_back" in await pair.alarms()

        async def is_mended() -> bool:
            return await pair.held_records() == await pair.own_records()

        await until(is_known)
        await until(is_mended)


async def test_a_cosignature_whose_answer_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/xibiao.db"
    async with link_at(url, tmp_path / "peer", redial_s=0.01) as pair:
        # The batch is answered; the checkpoint is cosigned, and the session breaks.
        script = '[[fault]]\nkind = "fail"\ncall = "SyncLog"\nafter = 1\ntimes = 1'
        pair.faults.play(parse_script(script))
        await pair.register_and_log(range(LOTS))

        async def is_published() -> bool:
            async with pair.register.database.read() as scope:
                size = (await log_queries.state(scope)).size
                return bool(await sync_queries.cosignatures(scope, size))

        await until(is_published)
        assert ended_sessions(pair) > 0
