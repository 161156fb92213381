"""The ledger of a load run: what is written is read, a torn line ends a file, sums name faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.ledger import LedgerWriter, Line, facts_digest, faults_in, read_ledger
from loadtest.reconcile.difference import LEDGER
from loadtest.reconcile.expected_state import add_up


def effect(identifier: str, rev: int = 1, *, kind: str = "change", src: str = "") -> Line:
    """Return a registration, or the change of a later revision."""
    kind = "register" if rev == 1 else kind
    leaf = f"{identifier}/{rev}"
    return Line(kind, 1, id=identifier, rev=rev, st="active", leaf=leaf, src=src)


def test_lines_written_by_two_processes_are_all_read(tmp_path: Path) -> None:
    with LedgerWriter(tmp_path, "a") as a, LedgerWriter(tmp_path, "b") as b:
        a.note(effect("x"), effect("y"))
        b.note(effect("z"))
    assert sorted(line.id for line in read_ledger(tmp_path)) == ["x", "y", "z"]


def test_a_line_cut_short_by_death_ends_its_file_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with LedgerWriter(tmp_path, name) as ledger:
            ledger.note(effect(name))
    with (tmp_path / "ledger-a.ndjson").open("ab") as file:
        file.write(b'{"e":"register","t":1,"id":"to')
    assert sorted(line.id for line in read_ledger(tmp_path)) == ["a", "b"]


def test_a_directory_without_ledger_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_ledger(tmp_path))


def test_facts_digest_depends_on_what_is_said_and_not_on_its_order() -> None:
    one = facts_digest({"a": "1", "b": "二"}, [{"id": "p", "kg": "1.0"}])
    assert one == facts_digest({"b": "二", "a": "1"}, [{"kg": "1.0", "id": "p"}])
    assert one != facts_digest({"a": "1", "b": "二"}, [{"id": "p", "kg": "1"}])


def test_effects_are_added_up_whatever_their_order() -> None:
    expected = add_up([effect("x", 2, kind="suspend"), effect("y"), effect("x", src="batch")])
    assert not expected.differences
    assert expected.records["x"].actions == ("register", "suspend")
    assert expected.effects == 3
    assert expected.by_action_and_source() == {
        ("register", "batch"): 1, ("suspend", "batch"): 1, ("register", ""): 1,
    }  # fmt: skip


def test_a_line_noted_twice_is_named() -> None:
    found = add_up([effect("x"), effect("x"), effect("y")]).differences
    assert {(d.side, d.subject) for d in found} == {(LEDGER, "x"), (LEDGER, "x/1")}


def test_a_missing_revision_is_named() -> None:
    found = add_up([effect("x"), effect("x", 3)]).differences
    assert [d.subject for d in found] == ["x"]


def test_resolutions_are_summed_by_channel_and_outcome() -> None:
    lines = [Line("resolve", 1, ch="http", out="found", n=n) for n in (2, 3)]
    assert add_up(lines).resolutions == {("http", "found"): 5}
    assert faults_in([*lines, Line("fault", 1, what="so")]) == ["so"]
