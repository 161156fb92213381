"""A file through `xibiao import`, small: all registered, audit clean, everything resolves."""

from __future__ import annotations

from pathlib import Path

from loadtest.trials.import_trial import import_trial
from loadtest.trials.stores import Stores


def test_imported_file_is_registered_whole_and_resolves(tmp_path: Path, stores: Stores) -> None:
    findings = list(import_trial(tmp_path, stores, rows=2_000, seed=1))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 4
