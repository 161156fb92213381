"""What the benches register and how they read answers, without running one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from loadtest.bench import registration_statement
from loadtest.bench.batches import (
    PREFIX,
    bulk_bodies,
    first_day,
    own,
    scattered,
    write_batches,
    write_single_bodies,
)
from loadtest.bench.processes import BenchFailed
from loadtest.bench.registration_statement import register_one
from node.domain.identifiers.suffix_profile import PROFILES

ROW = {
    "object_class": "'batch'",
    "template": "'ree-batch/1'",
    "status": "'active'",
    "is_test": "'false'",
    "at": "'2026-11-21T09:00:00.123Z'",
    "action": "'register'",
    "content": r"'\x7b7d'",
    "salt": r"'\x00'",
    "leaf": r"'\x00'",
}


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batches") / "batches.csv"
    write_batches(path, 120)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_batches_and_their_parents_lie_below_one_prefix(batches: Path) -> None:
    rows = rows_of(batches)
    named = [part.partition("=")[0] for row in rows for part in row["parents"].split("|") if part]
    assert len({row["handle"] for row in rows}) == 120
    assert named
    assert all(name.startswith(f"{PREFIX}/") for name in [row["handle"] for row in rows] + named)


@pytest.mark.parametrize(
    ("rows", "begins"),
    [
        (120, "2024-10-01"),
        (400_000, "2024-10-01"),
        (736_400, "2023-06-23"),
        (5_800_000, "2000-05-15"),
    ],
)
def test_the_more_batches_the_earlier_they_begin(rows: int, begins: str) -> None:
    assert first_day(rows).isoformat() == begins


def test_more_batches_than_there_are_days_for_are_refused() -> None:
    with pytest.raises(BenchFailed, match="days"):
        first_day(6_000_000)


def test_bulk_bodies_hold_every_batch_with_its_attributes_and_parents(batches: Path) -> None:
    rows = rows_of(batches)
    (body,) = bulk_bodies(batches)
    items = json.loads(body)["items"]
    assert [item["identifier"] for item in items] == [row["handle"] for row in rows]
    assert items[-1]["attributes"] == {
        name: text for name, text in rows[-1].items() if text and name not in ("handle", "parents")
    }
    assert "|".join(f"{p['id']}={p['kg']}" for p in items[-1]["parents"]) == rows[-1]["parents"]


def test_single_bodies_are_one_a_line_and_name_no_parents(batches: Path, tmp_path: Path) -> None:
    bodies = tmp_path / "bodies.ndjson"
    assert write_single_bodies(batches, bodies) == 120
    items = [json.loads(line) for line in bodies.read_text("utf-8").splitlines()]
    assert len({item["identifier"] for item in items}) == 120
    assert not any(item["parents"] for item in items)


def test_scattered_identifiers_are_admitted_and_keep_no_order() -> None:
    handles = [f"{PREFIX}/PNXX1-260415-{number:05d}" for number in range(100)]
    names = [scattered(handle) for handle in handles]
    assert [own(handle) for handle in handles] == handles
    assert len(set(names)) == 100
    assert names != sorted(names)
    assert all(PROFILES["ascii33"].canonical(name.partition("/")[2]) for name in names)


def test_ceiling_script_is_the_statement_of_the_product_with_literals_for_parameters() -> None:
    script = register_one(ROW, prefix=PREFIX)
    assert script.startswith("\\set id random(1, ")
    assert f"ARRAY['{PREFIX}/' || md5(:id::text)]::text[]" in script
    assert r"ARRAY['\x7b7d']::bytea[]" in script
    assert "INSERT INTO record" in script
    assert "$" not in script


def test_ceiling_without_a_value_for_a_column_gives_no_figure() -> None:
    row = {name: text for name, text in ROW.items() if name != "salt"}
    with pytest.raises(BenchFailed, match="salt"):
        register_one(row, prefix=PREFIX)


def test_ceiling_gives_no_figure_when_the_source_has_another_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "record_queries.py"
    source.write_text('_INSERT_NEW = """\nSELECT 1\n"""\n')
    monkeypatch.setattr(registration_statement, "_SOURCE", source)
    with pytest.raises(BenchFailed, match="_INSERT_NEW"):
        register_one(ROW, prefix=PREFIX)
