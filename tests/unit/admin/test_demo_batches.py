"""Demonstration data: bytes that never change, and the promises its docstring makes.

The digests were taken from the generator whose data the import rules were designed against; they
change only when the data is meant to change.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from admin.demo_batches import ENTERPRISE_PREFIXES, iter_rows
from admin.demo_batches.__main__ import main
from admin.demo_batches.chance import Chance
from admin.demo_batches.check_characters import CREDIT_CODE_ALPHABET, check_character, credit_code
from admin.demo_batches.columns import HEADINGS, INDEX, NAMES
from admin.demo_batches.dirt import KINDS, Kind
from admin.demo_batches.faults import Surroundings, Writing

Rows = list[dict[str, str]]

ROWS = 3000
SHARES = ("la_pct", "ce_pct", "pr_pct", "nd_pct", "seg_pct", "hre_pct")

# Arguments -> file ending -> the first 16 digits of the SHA-256 of the file.
DIGESTS: dict[tuple[str, ...], dict[str, str]] = {
    ("-n", "1"): {
        "csv": "f3c70d6623212b55",
        "ndjson": "12846a95a67712a3",
    },
    ("-n", "50", "--seed", "2", "--formats", "csv,ndjson,edges,events", "--oracle", "5"): {
        "csv": "f264e4c9b64b0d39",
        "edges.csv": "dd3d3ab9a3657b9d",
        "events.ndjson": "7688ea56475c18a2",
        "ndjson": "a0e8a1ab6e93a960",
        "oracle.ndjson": "73218f7301bedef7",
    },
    ("-n", "2500", "--formats", "csv,ndjson,edges,events", "--oracle", "20"): {
        "csv": "da13df69565eaeb2",
        "edges.csv": "81cae1528a7b15b7",
        "events.ndjson": "449c4905fa40b580",
        "ndjson": "caa3f4ca70fa06e3",
        "oracle.ndjson": "984072a0077fc245",
    },
    ("-n", "600", "--dirty", "0.2", "--encoding", "gbk", "--headers", "zh"): {
        "csv": "d00a4352dce77d53",
        "injected.csv": "f2f23e6985a70f8b",
        "ndjson": "23ce996167022d92",
    },
    ("-n", "600", "--dirty", "0.2", "--encoding", "gb18030", "--headers", "zh-noisy", "--crlf"): {
        "csv": "dfb7164cd7cd327d",
        "injected.csv": "0020c5dbd40b7d1f",
        "ndjson": "23ce996167022d92",
    },
    (
        "-n",
        "600",
        "--dirty",
        "0.2",
        "--encoding",
        "utf-8-sig",
        "--headers",
        "zh",
        "--shuffle",
        "--formats",
        "csv",
    ): {
        "csv": "6afbb353be49c40f",
        "injected.csv": "f2cd4b701480171a",
    },
    ("-n", "2500", "--seed", "9", "--dirty", "1", "--formats", "csv"): {
        "csv": "9e8d1076bfd94a06",
        "injected.csv": "b5f21cab14a9dd4e",
    },
}


def parents_of(row: dict[str, str]) -> list[tuple[str, float]]:
    """Read the column of parents: handles with the kg taken."""
    pairs = [entry.split("=") for entry in row["parents"].split("|") if entry]
    return [(handle, float(kg)) for handle, kg in pairs]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Share clean rows that reach every product."""
    return list(iter_rows(ROWS, 7))


@pytest.fixture(scope="module")
def by_handle(rows: Rows) -> dict[str, dict[str, str]]:
    """Share the same rows by handle."""
    return {row["handle"]: row for row in rows}


@pytest.mark.parametrize("arguments", DIGESTS, ids=" ".join)
def test_same_arguments_give_pinned_bytes(arguments: tuple[str, ...], tmp_path: Path) -> None:
    main([*arguments, "-o", str(tmp_path / "x")])
    written = {
        path.name.removeprefix("x."): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in tmp_path.iterdir()
    }
    assert written == DIGESTS[arguments]


def test_suffixes_are_unique_and_carry_their_check_character(rows: Rows) -> None:
    suffixes = [row["handle"].split("/")[1] for row in rows]
    assert len(set(suffixes)) == ROWS
    for suffix in suffixes:
        characters = suffix.replace("-", "")
        assert check_character(characters[:-1]) == characters[-1]
        assert characters[-1] not in "IO"


def test_every_stage_of_the_chain_is_reached(rows: Rows) -> None:
    stages = {row["stage"] for row in rows}
    assert stages == {"ORE", "CON", "MIX", "SEP", "MET", "ALY", "MAT", "SCR", "REC"}


def test_parents_come_first_and_are_not_younger(rows: Rows) -> None:
    made_on: dict[str, str] = {}
    for row in rows:
        assert all(made_on[parent] <= row["produced_on"] for parent, _ in parents_of(row))
        made_on[row["handle"]] = row["produced_on"]


def test_children_never_take_more_than_a_parent_weighs(
    rows: Rows, by_handle: dict[str, dict[str, str]]
) -> None:
    taken_g10: defaultdict[str, int] = defaultdict(int)  # in units of 10 g, which is exact
    for row in rows:
        for parent, kg in parents_of(row):
            taken_g10[parent] += round(kg * 100)
    excess = {
        parent
        for parent, kg in taken_g10.items()
        if kg > round(float(by_handle[parent]["net_kg"]) * 100)
    }
    assert excess == set()


def test_batches_hold_no_more_reo_than_they_took(
    rows: Rows, by_handle: dict[str, dict[str, str]]
) -> None:
    for row in rows:
        taken_kg = sum(
            kg * float(by_handle[parent]["reo_eq_kg"]) / float(by_handle[parent]["net_kg"])
            for parent, kg in parents_of(row)
        )
        assert not row["parents"] or float(row["reo_eq_kg"]) <= taken_kg + 0.5, row["handle"]


def test_processes_give_out_no_element_more_than_went_in(
    rows: Rows, by_handle: dict[str, dict[str, str]]
) -> None:
    processes: defaultdict[str, Rows] = defaultdict(list)
    for row in rows:
        processes[row["process_id"]].append(row)
    processes.pop(rows[-1]["process_id"])  # may be cut to the number of rows
    for process_id, made in processes.items():
        sources = [(by_handle[parent], kg) for row in made for parent, kg in parents_of(row)]
        if not sources:
            continue
        passed_kg = sum(float(p["reo_eq_kg"]) * kg / float(p["net_kg"]) for p, kg in sources)
        for share in SHARES:
            went_in = sum(
                float(p["reo_eq_kg"]) * kg / float(p["net_kg"]) * float(p[share]) / 100
                for p, kg in sources
            )
            came_out = sum(float(row["reo_eq_kg"]) * float(row[share]) / 100 for row in made)
            assert came_out <= went_in + passed_kg / 1000, (process_id, share)


def test_distribution_adds_up_to_100_exactly(rows: Rows) -> None:
    sums = {sum(round(float(row[share]) * 1000) for share in SHARES) for row in rows}
    assert sums == {100_000}


def test_rows_have_every_column_and_need_no_quoting(rows: Rows) -> None:
    assert all(tuple(row) == NAMES for row in rows)
    assert not any(set(text) & set(',"\r\n') for row in rows for text in row.values())


def test_handles_carry_the_fifteen_prefixes(rows: Rows) -> None:
    assert len(ENTERPRISE_PREFIXES) == 15
    assert {row["handle"].split("/")[0] for row in rows} <= set(ENTERPRISE_PREFIXES)
    assert next(iter_rows(1, 7, "86.100."))["handle"].startswith("86.100.1501/")


@pytest.mark.parametrize("count", [0, 1, 37])
def test_exactly_as_many_rows_as_asked_for(count: int) -> None:
    assert len(list(iter_rows(count, 1))) == count


def test_fewer_rows_of_the_same_scale_are_the_beginning_of_more(rows: Rows) -> None:
    assert list(islice(iter_rows(100_000, 7), ROWS)) == rows


def test_check_character_of_a_published_identifier() -> None:
    # The example of the Global Release Identifier, A1-2425G-ABC1234002-M, which uses MOD 37,36.
    assert check_character("A12425GABC1234002") == "M"


def test_credit_code_closes_its_sum() -> None:
    # GB 32100-2015: the weighted sum of all 18 characters is 0 modulo 31.
    code = credit_code("MA0DEM01")
    total = sum(CREDIT_CODE_ALPHABET.index(c) * 3**place for place, c in enumerate(code[:17]))
    assert len(code) == 18
    assert (total + CREDIT_CODE_ALPHABET.index(code[17])) % 31 == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_fault_fits_some_row_and_reports_what_it_did(kind: Kind, rows: Rows) -> None:
    around = Surroundings(Chance("faults"), "utf-8", recent_ore=rows[0]["handle"])
    for row in rows:
        clean, spoilt = list(row.values()), list(row.values())
        fault = kind.spoil(spoilt, around)
        if fault is None:
            assert spoilt == clean
        elif fault.writing in (Writing.PLAIN, Writing.AFTER_ORIGINAL) and fault.column != "*row*":
            assert clean[INDEX[fault.column]] == fault.before
            assert spoilt[INDEX[fault.column]] == fault.after
            return
        else:
            assert spoilt == clean
            return
    pytest.fail("fits no row")


def injections(path: Path) -> Iterator[dict[str, str]]:
    """Read a file of injections."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def test_injections_point_at_the_line_of_the_spoilt_row(tmp_path: Path) -> None:
    main(["-n", "2000", "--dirty", "0.2", "-o", str(tmp_path / "x")])
    lines = (tmp_path / "x.csv").read_bytes().split(b"\n")
    found = list(injections(tmp_path / "x.injected.csv"))
    assert len(found) > 300
    for injection in found:
        if "\n" not in injection["written"] and injection["column"] != "*row*":
            line = lines[int(injection["line"]) - 1].decode()
            # A comma makes the CSV quote the field; the text itself stays as it is.
            assert injection["written"] in line, injection


def test_json_lines_stay_clean_when_the_csv_is_spoilt(tmp_path: Path) -> None:
    main(["-n", "200", "--dirty", "1", "-o", str(tmp_path / "dirty")])
    main(["-n", "200", "-o", str(tmp_path / "clean")])
    dirty, clean = (
        (tmp_path / "dirty.ndjson").read_bytes(),
        (tmp_path / "clean.ndjson").read_bytes(),
    )
    assert dirty == clean
    assert (tmp_path / "dirty.csv").read_bytes() != (tmp_path / "clean.csv").read_bytes()


def test_json_lines_say_what_the_csv_says(tmp_path: Path) -> None:
    main(["-n", "200", "-o", str(tmp_path / "x")])
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        from_csv = list(csv.DictReader(file))
    from_json = [
        json.loads(line) for line in (tmp_path / "x.ndjson").read_text("utf-8").split("\n")[:-1]
    ]
    for text, parsed in zip(from_csv, from_json, strict=True):
        assert parsed["net_kg"] == float(text["net_kg"])
        assert parsed["product_name"] == text["product_name"]
        assert [(p["id"], p["kg"]) for p in parsed["parents"]] == parents_of(text)


def test_shuffled_rows_are_the_same_rows(tmp_path: Path) -> None:
    main(["-n", "200", "--formats", "csv", "-o", str(tmp_path / "a")])
    main(["-n", "200", "--formats", "csv", "--shuffle", "-o", str(tmp_path / "b")])
    ordered, shuffled = ((tmp_path / n).read_text("utf-8").splitlines() for n in ("a.csv", "b.csv"))
    assert ordered != shuffled
    assert sorted(ordered) == sorted(shuffled)


def test_chinese_headings_in_gbk_read_back(tmp_path: Path) -> None:
    main(["-n", "5", "--headers", "zh", "--encoding", "gbk", "--crlf", "-o", str(tmp_path / "x")])
    first = (tmp_path / "x.csv").read_bytes().split(b"\r\n")[0].decode("gbk")
    assert next(csv.reader([first])) == list(HEADINGS.values())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [("--formats=csv,xml", "xml"), ("--dirty=1.5", "0 与 1"), ("--start=x", "x")],
)
def test_senseless_arguments_are_refused_before_anything_is_written(
    wrong: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([wrong, "-o", str(tmp_path / "x")])
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []
    assert named in capsys.readouterr().err
