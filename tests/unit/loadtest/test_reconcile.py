"""Ledger, node, log and secondary node compared: equal sides are silent, each difference named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from loadtest.ledger import Line, facts_digest
from loadtest.reconcile.comparison import compare_log, compare_records, compare_secondary
from loadtest.reconcile.difference import Difference, report
from loadtest.reconcile.expected_state import Expected, add_up
from loadtest.reconcile.figures import compare_registered
from loadtest.reconcile.log_copy import LogCopy
from loadtest.reconcile.node_records import NodeRecord, NodeRecords, leaving_attributes
from loadtest.reconcile.secondary_records import HeldRecord, SecondaryRecords

FACTS = facts_digest({"lot_no": "L"}, [])


class Sides:
    """Four sides that agree: A registered, B registered and suspended."""

    def __init__(self) -> None:
        self.lines = [
            Line("register", 1, id="A", rev=1, st="active", leaf="h0", facts=FACTS, src="api"),
            Line("register", 1, id="B", rev=1, st="active", leaf="h1", facts=FACTS, src="batch"),
            Line("suspend", 1, id="B", rev=2, st="suspended", leaf="h2", facts=FACTS),
        ]
        kinds = [("register", 1), ("register", 1), ("suspend", 2)]
        leaves = [json.dumps({"kind": k, "rev": r, "at": f"t{r}"}).encode() for k, r in kinds]
        self.log = LogCopy("vkey", leaves, ["h0", "h1", "h2"], "root")
        self.records = NodeRecords(
            {
                "A": NodeRecord(1, "active", "t1", FACTS, b"a"),
                "B": NodeRecord(2, "suspended", "t2", FACTS, b"b"),
            },
            {},
        )
        held = {"A": HeldRecord(b"a", 0), "B": HeldRecord(b"b", 2)}
        self.held = SecondaryRecords(3, "root", held)

    def differences(self) -> list[Difference]:
        """Compare everything."""
        expected: Expected = add_up(self.lines)
        return [
            *expected.differences,
            *compare_log(expected, self.log),
            *compare_records(expected, self.records),
            *compare_secondary(expected, self.records, self.log, self.held),
        ]


def lose_a_record(sides: Sides) -> None:
    del sides.records.found["A"]
    sides.records.missing["A"] = "404"


def alter_a_record(sides: Sides) -> None:
    sides.records.found["A"] = msgspec.structs.replace(sides.records.found["A"], facts="other")


def do_it_twice(sides: Sides) -> None:
    sides.records.found["A"] = msgspec.structs.replace(sides.records.found["A"], revision=2)


def lose_a_leaf(sides: Sides) -> None:
    sides.log.hashes[0] = "h9"


def double_a_leaf(sides: Sides) -> None:
    sides.log.leaves.append(sides.log.leaves[0])
    sides.log.hashes.append("h0")


def drop_at_the_secondary(sides: Sides) -> None:
    del sides.held.records["A"]


def alter_at_the_secondary(sides: Sides) -> None:
    sides.held.records["A"] = HeldRecord(b"x", 0)


def add_at_the_secondary(sides: Sides) -> None:
    sides.held.records["Z"] = HeldRecord(b"z", 0)


def point_to_another_leaf(sides: Sides) -> None:
    sides.held.records["A"] = HeldRecord(b"a", 2)


def hold_another_log(sides: Sides) -> None:
    sides.held = replace(sides.held, root="other")


def double_a_line(sides: Sides) -> None:
    sides.lines.append(sides.lines[0])


def test_sides_that_agree_have_no_difference() -> None:
    assert Sides().differences() == []


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lose_a_record, "[节点 node] A: 已确认登记,却没有"),
        (alter_a_record, "[节点 node] A: 内容与登记的不符"),
        (do_it_twice, "[节点 node] A: 版本 2,应为 1"),
        (lose_a_leaf, "[日志 log] A: register 的日志叶出现 0 次"),
        (double_a_leaf, "[日志 log] A: register 的日志叶出现 2 次"),
        (drop_at_the_secondary, "[二级节点 secondary] A: 二级节点没有"),
        (alter_at_the_secondary, "[二级节点 secondary] A: 二级节点的内容不同"),
        (add_at_the_secondary, "[二级节点 secondary] Z: 台账没有"),
        (point_to_another_leaf, "[二级节点 secondary] A: 叶 2 是 suspend"),
        (hold_another_log, "日志的根不同"),
        (double_a_line, "[台账 ledger] A: 版本 [1, 1] 不连续或重复"),
    ],
)
def test_a_difference_is_named(spoil: Callable[[Sides], None], named: str) -> None:
    sides = Sides()
    spoil(sides)
    assert named in report(sides.differences())


def test_a_request_given_up_may_have_taken_effect_or_not() -> None:
    sides = Sides()
    sides.lines.append(Line("unknown", 1, ids=("C",)))
    assert sides.differences() == []
    sides.log.leaves.append(json.dumps({"kind": "register", "rev": 1, "at": "t1"}).encode())
    sides.log.hashes.append("h3")
    sides.records.found["C"] = NodeRecord(1, "active", "t1", FACTS, b"c")
    sides.held.records["C"] = HeldRecord(b"c", 3)
    assert sides.differences() == []


def test_a_change_given_up_may_have_made_one_more_revision() -> None:
    sides = Sides()
    sides.lines.append(Line("unknown", 1, ids=("A",), n=1))
    assert sides.differences() == []
    sides.records.found["A"] = NodeRecord(2, "suspended", "t2", FACTS, b"a2")
    sides.log.leaves.append(json.dumps({"kind": "suspend", "rev": 2, "at": "t2"}).encode())
    sides.log.hashes.append("h3")
    sides.held.records["A"] = HeldRecord(b"a2", 3)
    assert sides.differences() == []
    sides.records.found["A"] = NodeRecord(3, "active", "t2", FACTS, b"a2")
    assert "版本 3,应为 1" in report(sides.differences())


def test_a_registration_given_up_before_it_had_a_number_may_be_there() -> None:
    sides = Sides()
    sides.lines.append(Line("unknown", 1, n=1))
    sides.log.leaves.append(json.dumps({"kind": "register", "rev": 1, "at": "t1"}).encode())
    sides.log.hashes.append("h3")
    sides.held.records["Z"] = HeldRecord(b"z", 3)
    assert sides.differences() == []
    sides.held.records["Y"] = HeldRecord(b"z", 3)
    assert "Y: 台账没有" in report(sides.differences())


def test_registered_figures_are_those_of_the_ledger() -> None:
    status = {"registered": {"live": 1, "suspended": 1, "reserved": 0, "revoked": 0}}
    expected = add_up(Sides().lines)
    assert list(compare_registered(expected, status)) == []
    status["registered"]["live"] = 2
    assert [d.subject for d in compare_registered(expected, status)] == ["registered.live"]


def test_what_may_leave_the_plant_is_read_from_the_template() -> None:
    assert "lot_no" in leaving_attributes("ree-batch/1")
    assert "hs_code" not in leaving_attributes("ree-batch/1")
