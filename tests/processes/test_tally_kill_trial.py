"""Counting through sudden deaths, small: no event too many, and none lost but from memory."""

from __future__ import annotations

from pathlib import Path

from loadtest.trials.stores import Stores
from loadtest.trials.tally_kill_trial import tally_kill_trial

DEATHS = 2


def test_spools_of_killed_nodes_hold_what_was_answered(tmp_path: Path) -> None:
    findings = list(tally_kill_trial(tmp_path, Stores(), seed=3, deaths=DEATHS))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 2
