"""The project file: what is commented reads as it stands, what is wrong is named."""

from __future__ import annotations

import base64

import pytest

from admin.acceptance.project import commented_project, parse_project
from node.errors import InvalidInput


def test_commented_file_is_a_project_with_the_targets_of_the_guideline() -> None:
    found = parse_project(commented_project())
    assert found.auditor_key == b""
    limits = found.project.thresholds
    assert (limits.registrations, limits.resolutions) == (300_000, 50_000)
    assert (limits.lag_p95_ms, limits.lag_p99_ms, limits.lag_max_ms) == (5_000, 30_000, 60_000)


def test_auditors_key_is_decoded() -> None:
    key = bytes(range(32))
    text = commented_project().replace(
        'public_key = ""', f'public_key = "{base64.b64encode(key).decode()}"'
    )
    assert parse_project(text).auditor_key == key


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('id = "ree-node-2026"', 'id = "../x"', "id"),
        ('applied_on = ""', 'applied_on = "2026-13-01"', "applied_on"),
        ('prefixes = ["88.888.1501"]', "prefixes = []", "prefixes"),
        ("lag_p99_ms = 30000", "lag_p99_ms = 100", "thresholds"),
        ("resolutions = 50000", "resolutions = 0", "thresholds.resolutions"),
        ('public_key = ""', 'public_key = "AAAA"', "auditor.public_key"),
    ],
)
def test_faults_are_named(old: str, new: str, field: str) -> None:
    text = commented_project()
    assert old in text
    with pytest.raises(InvalidInput) as refused:
        parse_project(text.replace(old, new))
    assert [problem.field for problem in refused.value.problems] == [field]


@pytest.mark.parametrize("text", ["", "id = ", "unknown = 1", commented_project() + "\nx = 1"])
def test_what_is_no_project_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_project(text)
