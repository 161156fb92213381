"""A relay whose peer is away dials again after the pauses that its settings name."""

from __future__ import annotations

from pathlib import Path

from sync.relay.session import SessionSettings
from tests.builders import register_at
from tests.link import Pair, until, utc_now

# With the pauses of the default settings these would take ten minutes.
DIALS = 20


async def test_pauses_between_sessions_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = SessionSettings(redial_s=0.001, longest_redial_s=0.002)
    async with register_at(f"sqlite:///{tmp_path}/xibiao.db", clock=utc_now) as register:
        pair = Pair(register, tmp_path / "peer", settings)
        pair.start_relay()

        async def has_dialled() -> bool:
            (family,) = pair.metrics.sync_sessions.collect()
            ended = [s.value for s in family.samples if s.name.endswith("_total")]
            return sum(ended) >= DIALS

        await until(has_dialled)
        await pair.stop_relay()
