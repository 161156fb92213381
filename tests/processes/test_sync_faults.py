"""The fault rows of the link, small: each by its name, on a site that rows share, and by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtest.trials.findings import Finding
from loadtest.trials.link_certificates import make_certificates
from loadtest.trials.link_site import LinkSite
from loadtest.trials.stores import Stores
from loadtest.trials.sync_answers_trial import f16, f17, f18
from loadtest.trials.sync_garbage_trial import SETTINGS, f19
from loadtest.trials.sync_kill_trial import sync_kill
from loadtest.trials.sync_limits import SCALED, Limits
from loadtest.trials.sync_outage_trial import BACKLOG, f14, f15
from loadtest.trials.sync_peer_trial import f20, f21
from loadtest.trials.sync_whole_trial import sync_two_processes

SEED = 4
# What a plant's node waits fifteen or thirty seconds for.
QUICK = {
    **SETTINGS,
    "XIBIAO_SYNC__ANSWER_TIMEOUT": "1s",
    "XIBIAO_SYNC__LONGEST_REDIAL": "100ms",
    "XIBIAO_SYNC__BATCH": "50",
}
Trouble = Callable[[LinkSite, int, Limits], Iterator[Finding]]
ROWS: dict[str, tuple[Trouble, int]] = {
    "F14": (f14, 600),
    "F15": (f15, 80),
    "F16": (f16, 600),
    "F17": (f17, 600),
    "F18": (f18, 1_000),
    "F19": (f19, 40),
    "F20": (f20, 300),
    "F21": (f21, 300),
}
BATCHES = 2 * sum(size for _, size in ROWS.values()) + BACKLOG
DEATHS, ROWS_OF_DEATHS, IMPORTED = 2, 3_000, 1_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkSite]:
    """Share a node with its embedded store, and a secondary node."""
    place = tmp_path_factory.mktemp("link")
    with LinkSite(place, Stores(), rows=BATCHES, seed=SEED, settings=QUICK) as shared:
        yield shared


@pytest.mark.parametrize("row", ROWS)
def test_fault(site: LinkSite, row: str) -> None:
    trouble, size = ROWS[row]
    site.calm()
    wrong = [f.to_json() for f in trouble(site, size, SCALED) if not f.is_fine]
    assert wrong == []


def test_sync_kill(tmp_path: Path, postgres_url: str) -> None:
    stores = Stores(postgres_url)
    with LinkSite(tmp_path, stores, rows=ROWS_OF_DEATHS, seed=SEED, settings=QUICK) as mortal:
        findings = list(sync_kill(mortal, DEATHS, SCALED))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 9


def test_sync_two_processes(tmp_path: Path) -> None:
    security = make_certificates(tmp_path / "keys")
    with LinkSite(tmp_path, Stores(), rows=IMPORTED, seed=SEED, security=security) as whole:
        findings = list(sync_two_processes(whole, IMPORTED, SCALED))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 11
