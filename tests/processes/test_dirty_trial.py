"""Spoilt files through the whole product, small: rows and values as the side file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.trials.dirty_trial import FILES, dirty_file_findings
from loadtest.trials.stores import Stores


@pytest.mark.parametrize("name", FILES)
def test_spoilt_file_ends_as_its_side_file_says(tmp_path: Path, name: str) -> None:
    findings = list(dirty_file_findings(tmp_path, Stores(), name, rows=2_000, seed=3))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 9
