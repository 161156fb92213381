"""`xibiao secondary`: what its options mean, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path

from admin.cli.surroundings import SecurityPaths, SnmsAccess
from sync.peer import DirectiveKind
from tests.unit.admin.conftest import CommandLine, FakeReport


def test_without_a_subcommand_it_serves_and_says_where(xibiao: CommandLine) -> None:
    outcome = xibiao("secondary", "--data", "d", "--listen", "127.0.0.1:0", "--faults", "f.toml")
    assert (outcome.code, outcome.out) == (0, "ready grpc=127.0.0.1:50551\n")
    faults = Path("f.toml")
    assert xibiao.secondary.calls == [("run", Path("d"), "127.0.0.1:0", None, faults, False)]


def test_files_of_tls_are_given_together_or_not_at_all(xibiao: CommandLine) -> None:
    files = ("--certificate", "c", "--private-key", "k", "--authority", "a", "--clients", "n")
    assert xibiao("secondary", *files).code == 0
    ((_, _, _, security, _, _),) = xibiao.secondary.calls
    assert security == SecurityPaths(Path("c"), Path("k"), Path("a"), Path("n"))
    assert xibiao("secondary", *files[:-2]).code == 2
    assert len(xibiao.secondary.calls) == 1


def test_the_snms_face_needs_a_user_and_his_password(xibiao: CommandLine) -> None:
    options = ("--snms", "127.0.0.1:0", "--snms-user", "u", "--snms-password", "p")
    assert xibiao("secondary", *options).code == 0
    assert xibiao.secondary.snms == SnmsAccess("127.0.0.1:0", "u", Path("p"))
    assert xibiao("secondary", *options[:2]).code == 2


def test_the_address_is_printed_as_json_when_asked_for(xibiao: CommandLine) -> None:
    assert json.loads(xibiao("secondary", "--json").out) == {"grpc": "127.0.0.1:50551"}


def test_an_order_works_on_the_data_directory_named_before_it(xibiao: CommandLine) -> None:
    options = ("--prefix", "88.1.1", "--quota", "9", "--from-index", "3", "--to-index", "8")
    outcome = xibiao("secondary", "--data", "d", "directive", "quota_changed", *options)
    assert outcome.code == 0
    assert "d-1" in outcome.out
    quota = DirectiveKind.QUOTA_CHANGED
    assert xibiao.secondary.calls == [("issue", Path("d"), quota, "", "88.1.1", (), (3, 8), 9)]


def test_an_order_of_no_known_kind_is_refused(xibiao: CommandLine) -> None:
    assert xibiao("secondary", "directive", "obey").code == 2
    assert xibiao.secondary.calls == []


def test_orders_and_nodes_are_listed(xibiao: CommandLine) -> None:
    xibiao.secondary.rows = [{"node": "n1", "size": 7}]
    assert json.loads(xibiao("secondary", "status", "--json").out) == [{"node": "n1", "size": 7}]
    assert "n1" in xibiao("secondary", "directives").out


def test_an_audit_that_finds_something_ends_with_one(xibiao: CommandLine) -> None:
    assert xibiao("secondary", "audit").code == 0
    xibiao.secondary.report = FakeReport(["n1: leaf 3 is missing"])
    outcome = xibiao("secondary", "audit")
    assert (outcome.code, "leaf 3 is missing" in outcome.out) == (1, True)
