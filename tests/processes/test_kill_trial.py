"""An import through sudden deaths, small: of the node on both stores, and of PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from loadtest.trials.kill_trial import database_kill_trial, kill_trial
from loadtest.trials.stores import Stores
from tests.postgres_server import PostgresServer

ROWS, DEATHS = 3_000, 2


def test_killed_node_ends_with_every_row_once(tmp_path: Path, stores: Stores) -> None:
    findings = list(kill_trial(tmp_path, stores, rows=ROWS, seed=2, deaths=DEATHS))
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 4


def test_killed_database_ends_with_every_row_once(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    stores = Stores(postgres_url)
    findings = list(
        database_kill_trial(tmp_path, postgres, stores, rows=ROWS, seed=2, deaths=DEATHS)
    )
    assert [f.to_json() for f in findings if not f.is_fine] == []
    assert len(findings) == 4
