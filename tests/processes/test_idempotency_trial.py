"""Repeated and racing requests over HTTP, small: each effect happens once."""

from __future__ import annotations

from pathlib import Path

from loadtest.trials.idempotency_trial import idempotency_trial
from loadtest.trials.stores import Stores


def test_repeats_have_one_effect_and_races_one_winner(tmp_path: Path, stores: Stores) -> None:
    findings = list(idempotency_trial(tmp_path, stores, rows=2_000, seed=4))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 5
