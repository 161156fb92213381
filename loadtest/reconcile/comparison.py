"""Ledger, node, log and secondary node against each other (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from loadtest.reconcile.difference import LOG, NODE, SECONDARY, Difference
from loadtest.reconcile.expected_state import Expected, ExpectedRecord
from loadtest.reconcile.log_copy import LogCopy
from loadtest.reconcile.node_records import NodeRecord, NodeRecords
from loadtest.reconcile.secondary_records import HeldRecord, SecondaryRecords


def compare_log(expected: Expected, log: LogCopy, *, first: int = 0) -> Iterator[Difference]:
    """Yield what differs between ledger and log; leaves before `first` are of other runs."""
    yield from log.wrong
    times = Counter(log.hashes[first:])
    for record in expected.records.values():
        for action, leaf in zip(record.actions, record.leaves, strict=True):
            if leaf and times[leaf] != 1:
                what = (
                    f"{action} 的日志叶出现 {times[leaf]} 次 its leaf is there {times[leaf]} times"
                )
                yield Difference(LOG, record.identifier, what)
    yield from _repeated(times)
    wanted: Counter[str] = Counter()
    for (action, _), count in expected.by_action_and_source().items():
        wanted[action] += count
    found = log.changes(first)
    for kind in sorted({*wanted, *found}):
        surplus = found[kind] - wanted[kind]
        if surplus < 0 or surplus > expected.spare:
            what = f"日志有 {found[kind]} 条,台账 {wanted[kind]} 条 in the log, noted"
            yield Difference(LOG, f"kind {kind}", what)


def _repeated(times: Counter[str]) -> Iterator[Difference]:
    for leaf, count in times.items():
        if count > 1:
            yield Difference(LOG, leaf, f"同一日志叶出现 {count} 次 the same leaf {count} times")


def compare_records(
    expected: Expected, records: NodeRecords, *, among: Collection[str] | None = None
) -> Iterator[Difference]:
    """Yield what differs between ledger and the node's records, all of them or those `among`."""
    for identifier, record in expected.records.items():
        if among is not None and identifier not in among:
            continue
        found = records.found.get(identifier)
        if found is None:
            why = records.missing.get(identifier, "")
            yield Difference(NODE, identifier, f"已确认登记,却没有 acknowledged, but lost: {why}")
        else:
            yield from _compare_record(record, found, expected.unknown[identifier])
    for identifier in expected.unknown.keys() - expected.records.keys():
        known = records.found.get(identifier)
        if known is not None and known.revision > expected.unknown[identifier]:
            yield Difference(NODE, identifier, "未确认的登记生效多次 done more than once")


def _compare_record(
    expected: ExpectedRecord, found: NodeRecord, spare: int
) -> Iterator[Difference]:
    """Compare one record; of an identifier with `spare` open requests it may be that much newer."""
    name, side = expected.identifier, NODE
    if expected.revision < found.revision <= expected.revision + spare:
        return
    if found.revision != expected.revision:
        what = f"版本 {found.revision},应为 {expected.revision} revision, should be"
        if found.revision > expected.revision:
            what += ":某次请求生效了两次或来自他处 one request took effect twice, or another's"
        yield Difference(side, name, what)
    elif found.status != expected.status:
        yield Difference(
            side, name, f"状态 {found.status},应为 {expected.status} status, should be"
        )
    elif found.facts != expected.facts:
        yield Difference(side, name, "内容与登记的不符 it does not say what was registered")


def compare_secondary(
    expected: Expected, records: NodeRecords, log: LogCopy, held: SecondaryRecords
) -> Iterator[Difference]:
    """Yield what differs between the secondary node and ledger, node and log."""
    if held.size == log.size and held.root != log.root:
        yield Difference(SECONDARY, f"size {held.size}", "日志的根不同 another root of the log")
    for identifier, record in expected.records.items():
        found = held.records.get(identifier)
        if found is None:
            yield Difference(SECONDARY, identifier, "二级节点没有 the secondary node lacks it")
            continue
        own = records.found.get(identifier)
        if own is not None and own.shared != found.digest:
            what = "二级节点的内容不同 the secondary node holds other content"
            yield Difference(SECONDARY, identifier, what)
        if own is None or own.revision == record.revision:
            yield from _compare_leaf(record, own, found, log)
    surplus = held.records.keys() - expected.records.keys() - expected.unknown.keys()
    for identifier in sorted(surplus) if len(surplus) > expected.unnamed else ():
        yield Difference(SECONDARY, identifier, "台账没有 the ledger does not know it")


def _compare_leaf(
    record: ExpectedRecord, own: NodeRecord | None, found: HeldRecord, log: LogCopy
) -> Iterator[Difference]:
    """Tie an identifier to its leaf by the index that the secondary node names."""
    if not 0 <= found.index < log.size:
        yield Difference(SECONDARY, record.identifier, f"叶 {found.index} 不存在 no such leaf")
        return
    leaf = log.leaf(found.index)
    facts = (record.actions[-1], record.revision)
    if (leaf.kind, leaf.revision) != facts or (own is not None and own.at != leaf.at):
        what = f"叶 {found.index} 是 {leaf.kind} {leaf.revision} {leaf.at} is not its change"
        yield Difference(SECONDARY, record.identifier, what)
    elif record.leaves[-1] and log.hashes[found.index] != record.leaves[-1]:
        what = f"叶 {found.index} 不是所确认的 leaf is not the one acknowledged"
        yield Difference(SECONDARY, record.identifier, what)
