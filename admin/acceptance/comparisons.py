"""Comparisons: the log against the register's tables, the journals, and the secondary node.

Invariants: a difference that contradicts the log withdraws the verdicts and is named; one that is
a known number (what the peer has not applied) does not, for R3 deducts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from admin.acceptance.registration_figures import Identifiers
from admin.acceptance.report import Comparison, Registrations, Resolutions, Text
from node.domain.log_entry import TagKey
from node.domain.receipt import Receipt
from node.domain.record import Action, Status
from node.storage.evidence_queries import ProjectedRecord

NAMED = 5
_STATUS = {Action.SUSPEND: Status.SUSPENDED, Action.REVOKE: Status.REVOKED}


@dataclass(slots=True)
class TableCheck:
    """The projection `record` against the log; `take` its rows once, in any order."""

    found: Identifiers
    last_leaf: dict[bytes, int]
    size: int
    tags: TagKey
    rows: int = 0
    differing: int = 0
    named: list[str] = field(default_factory=list)
    _seen: int = 0

    def take(self, row: ProjectedRecord) -> None:
        """Compare one row. What changed after the log's size is not compared, only counted."""
        tag = self.tags.tag(row.identifier)
        is_later = row.leaf_index is None or row.leaf_index >= self.size
        if tag not in self.last_leaf:
            if not is_later:
                self._name(row.identifier)
            return
        self.rows += 1
        if is_later:
            return
        first = self.found.firsts.get(tag)
        same_object = first is None or (
            (first.object_class, first.is_test) == (row.object_class, row.is_test)
        )
        is_right = row.leaf_index == self.last_leaf[tag] and row.status == self._status(tag)
        if not (is_right and same_object):
            self._name(row.identifier)

    def _status(self, tag: bytes) -> str:
        state = self.found.states.get(tag, "")
        known = _STATUS.get(Action(state)) if state else None
        return known or (Status.ACTIVE if tag in self.found.firsts else Status.RESERVED)

    def _name(self, identifier: str) -> None:
        self.differing += 1
        if len(self.named) < NAMED:
            self.named.append(identifier)

    def result(self) -> Comparison:
        """Return the row of the report; identifiers that the table lacks count as differences."""
        missing = len(self.last_leaf) - self.rows
        names = "、".join(self.named)
        zh = f"登记表与日志不符:{names}" if names else "登记表与日志逐条一致"
        en = f"rows that differ: {names}" if names else "every row agrees with the log"
        if missing:
            zh, en = f"登记表缺 {missing} 条。{zh}", f"{missing} rows are missing; {en}"
        return Comparison(
            key="records",
            other="tables",
            node_value=str(len(self.last_leaf)),
            other_value=str(self.rows),
            difference=self.differing + abs(missing),
            withdraws=True,
            remark=Text(zh, en),
        )


def with_statements(resolved: Resolutions) -> Comparison:
    """Compare what the statements state with the events of their journals."""
    return Comparison(
        key="events",
        other="statements",
        node_value=str(resolved.gross),
        other_value=str(resolved.deducted + resolved.net),
        difference=abs(resolved.difference),
        withdraws=True,
        remark=Text("小时结算单之和与事件逐条重算", "Sum of the statements; recount of events"),
    )


def with_classes(stated: dict[str, int], resolved: Resolutions, is_recount: bool) -> Comparison:
    """Compare classes as stated with those recomputed; `is_recount`: under another version."""
    counted = {row.key: row.count for row in resolved.by_class}
    difference = sum(abs(stated.get(name, 0) - number) for name, number in counted.items())
    zh = "按另一版本口径重算,类别可以不同" if is_recount else "结算单的类别与依规则重算的类别"
    en = "Recounted under another version" if is_recount else "Classes stated and recomputed"
    net = sum(stated.get(row.key, 0) for row in resolved.by_class if row.is_counted)
    return Comparison(
        key="net",
        other="statements",
        node_value=str(resolved.net),
        other_value=str(net),
        difference=difference,
        withdraws=not is_recount,
        remark=Text(zh, en),
    )


def with_secondary(
    size: int,
    receipt: Receipt | None,
    registered: Registrations,
    last: tuple[int, int, int, int] | None,
) -> list[Comparison]:
    """Compare with the secondary node: its receipt, and the last comparison of records."""
    if receipt is None:
        return []
    total = registered.total
    rows = [
        _row("leaves", size, receipt.size, "回执覆盖的日志条目", "Leaves that the receipt covers"),
        _row("identifiers", total.r2, total.r3, "有效标识;未同步的已扣除", "Valid identifiers"),
    ]
    if last is not None:
        at_size, records, differences, mended = last
        left = differences - mended
        rows.append(
            Comparison(
                key="reconciled",
                other="secondary",
                node_value=str(records),
                other_value=str(records - left),
                difference=left,
                withdraws=True,
                remark=Text(
                    f"逐条对账(日志 {at_size} 条):差异 {differences},已补 {mended}",
                    f"Record by record at {at_size} leaves: {differences} differed,"
                    f" {mended} mended",
                ),
            )
        )
    return rows


def _row(key: str, here: int, there: int, zh: str, en: str) -> Comparison:
    return Comparison(
        key=key,
        other="secondary",
        node_value=str(here),
        other_value=str(there),
        difference=here - there,
        withdraws=False,
        remark=Text(zh, en),
    )
