"""Reconciles a ledger with a node, its log and its secondary node, and prints the differences.

`python -m loadtest.reconcile --ledger DIR --node http://127.0.0.1:8080 --key … --secondary H:P`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.batches import PREFIX
from loadtest.ledger import read_ledger
from loadtest.reconcile.comparison import compare_log, compare_records, compare_secondary
from loadtest.reconcile.difference import LEDGER, CannotRead, Difference, report
from loadtest.reconcile.expected_state import Expected, add_up
from loadtest.reconcile.export_records import export_records
from loadtest.reconcile.figures import compare_registered
from loadtest.reconcile.log_copy import LogCopy, NodeFace, check_proofs, read_log
from loadtest.reconcile.node_records import NodeRecords, read_records
from loadtest.reconcile.secondary_records import SecondaryAccess, SecondaryRecords, read_secondary

PROOFS = 300
_SYNC_WITHIN_S = 120.0
_LOG_WITHIN_S = 60.0
SAME, DIFFERENT, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Sides:
    """Where to look. `first`: leaves of the log before the run; `proofs`: receipts checked.

    `database`: the register's PostgreSQL, whose records are exported; the API is then asked for
    `read` of them, drawn by chance, and for all without it.
    """

    ledger: Path
    node: str
    key: str
    secondary: SecondaryAccess | None = None
    first: int = 0
    proofs: int = PROOFS
    seed: int = 1
    database: str = ""
    read: int = 20_000


@dataclass(slots=True)
class Reconciliation:
    """What was found: differences, and how much was compared of each side."""

    differences: list[Difference] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def reconcile(sides: Sides) -> Reconciliation:
    """Compare all sides; raises CannotRead or OSError when one cannot be read at all."""
    began = time.monotonic()
    result = Reconciliation()
    expected = add_up(read_ledger(sides.ledger))
    result.differences += expected.differences
    result.differences += [Difference(LEDGER, "运行中 during the run", w) for w in expected.faults]
    face = NodeFace(sides.node, sides.key)
    try:
        log = _settled_log(face, sides.first + expected.effects)
        result.differences += compare_log(expected, log, first=sides.first)
        records = _records(sides, expected, result)
        proofs = _drawn(expected, sides)
        result.differences += check_proofs(face, log, proofs)
        if sides.first == 0:
            result.differences += compare_registered(expected, face.get_object("/api/v1/status"))
    finally:
        face.close()
    result.compared |= {
        "effects": expected.effects,
        "records": len(records.found),
        "leaves": log.size - sides.first,
        "proofs": len(proofs),
    }
    if sides.secondary is not None:
        held = _held(sides.secondary, log)
        result.differences += compare_secondary(expected, records, log, held)
        result.compared["secondary"] = len(held.records)
    result.seconds = time.monotonic() - began
    return result


def _records(sides: Sides, expected: Expected, result: Reconciliation) -> NodeRecords:
    """Read and compare the node's records: exported, by the API, or both."""
    asked = [*expected.records, *sorted(expected.unknown)]
    if not sides.database:
        records = read_records(sides.node, sides.key, asked)
        result.differences += compare_records(expected, records)
        return records
    records = export_records(sides.database)
    result.differences += compare_records(expected, records)
    drawn = random.Random(sides.seed).sample(asked, min(sides.read, len(asked)))
    shown = read_records(sides.node, sides.key, drawn)
    result.differences += compare_records(expected, shown, among=frozenset(drawn))
    result.compared["read_by_api"] = len(shown.found)
    return records


def _settled_log(face: NodeFace, at_least: int) -> LogCopy:
    """Read the log when it has all it must have, or after _LOG_WITHIN_S whatever it has."""
    deadline = time.monotonic() + _LOG_WITHIN_S
    while time.monotonic() < deadline:
        if int(face.get("/log/checkpoint").split(b"\n")[1]) >= at_least:
            break
        time.sleep(0.2)
    return read_log(face)


def _drawn(expected: Expected, sides: Sides) -> list[tuple[str, str]]:
    """Draw whose receipts are checked: changed ones first, because their proofs are the newest."""
    known = [r for r in expected.records.values() if r.leaves[-1]]
    random.Random(sides.seed).shuffle(known)
    known.sort(key=lambda record: record.revision == 1)
    return [(record.identifier, record.leaves[-1]) for record in known[: sides.proofs]]


def _held(access: SecondaryAccess, log: LogCopy) -> SecondaryRecords:
    origin = log.verifier_key.partition("+")[0]
    return read_secondary(
        access,
        origin,
        prefixes=[PREFIX],
        verifier_key=log.verifier_key,
        size=log.size,
        within_s=_SYNC_WITHIN_S,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Reconcile and print; the status is 0 without differences."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.reconcile",
        description="三方对账 (ledger, node and secondary node compared)",
    )
    add = parser.add_argument
    add("--ledger", type=Path, required=True, help="台账目录 (directory of the ledger)")
    add("--node", required=True, help="节点地址 (http://host:port)")
    add("--key", default=os.environ.get("XIBIAO_API_KEY", ""), help="密钥 (API key)")
    add("--secondary", default="", help="二级节点 gRPC 地址 (host:port)")
    add("--certificate", type=Path, help="对账方证书 (our certificate)")
    add("--private-key", type=Path, help="其私钥 (its key)")
    add("--authority", type=Path, help="二级节点证书的签发机构 (authority of its certificate)")
    add("--database", default="", help="登记库地址，整体导出 (PostgreSQL of the register)")
    add("--read", type=int, default=20_000, help="另经接口抽读条数 (then read by API)")
    add("--first", type=int, default=0, help="运行前的日志大小 (size of the log before the run)")
    add("--proofs", type=int, default=PROOFS, help="核验凭证数 (receipts checked)")
    given = parser.parse_args(arguments)
    secondary = None
    if given.secondary:
        secondary = SecondaryAccess(
            given.secondary, given.certificate, given.private_key, given.authority
        )
    sides = Sides(
        given.ledger,
        given.node,
        given.key,
        secondary,
        given.first,
        given.proofs,
        database=given.database,
        read=given.read,
    )
    try:
        result = reconcile(sides)
    except (CannotRead, OSError) as error:
        print(f"无法对账 cannot reconcile: {error}", file=sys.stderr)
        return UNREADABLE
    counted = ", ".join(f"{name} {count}" for name, count in result.compared.items())
    print(report(result.differences))
    print(f"比对 compared: {counted}, {result.seconds:.1f} s")
    return DIFFERENT if result.differences else SAME


if __name__ == "__main__":
    sys.exit(main())
