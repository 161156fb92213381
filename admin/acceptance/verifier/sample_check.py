"""The spot check: drawn by the auditor's nonce and the root, each item proved to be in the log."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Faults, require
from admin.acceptance.verifier.log_tree import Log, root_by_path
from admin.acceptance.verifier.notes import strict_base64
from admin.acceptance.verifier.report_check import REPORT


def draw(nonce: str, root: bytes, population: int, count: int) -> list[int]:
    """Return places 0 … population - 1: HMAC-SHA-256(nonce, root ‖ counter) mod population.

    The counter has 8 bytes, big-endian, from 0; a place that was drawn before is passed over.
    """
    drawn: dict[int, None] = {}
    counter = 0
    while len(drawn) < min(count, population):
        message = root + counter.to_bytes(8, "big")
        digest = hmac.new(nonce.encode(), message, "sha256").digest()
        drawn[int.from_bytes(digest, "big") % population] = None
        counter += 1
    return list(drawn)


def check_sample(
    files: BundleFiles, report: dict[str, Any], claimed: list[int], log: Log, faults: Faults
) -> None:
    """Draw again and compare; check each proof."""
    sample = report["spot_check"]
    if sample is None:
        return
    drawn = [
        claimed[p] for p in draw(sample["nonce"], log.head.root, len(claimed), sample["count"])
    ]
    if sample["population"] != len(claimed) or [row["index"] for row in sample["items"]] != drawn:
        faults.add(REPORT, "抽样不是由口令和根抽出", "the sample was not drawn by nonce and root")
    passed = sum(1 for row in sample["items"] if row["result"] in ("resolved", "suspended"))
    if passed != sample["passed"] or sample["count"] != len(sample["items"]):
        faults.add(REPORT, "抽样的合格数不符", "the number that passed is wrong")
    for row in sample["items"]:
        name = f"sample/{row['index']:09d}.tlog-proof"
        faults.reading = name
        _check_proof(files.read(name), name, row["index"], log)


def _check_proof(data: bytes, name: str, index: int, log: Log) -> None:
    head, blank, _ = data.decode("utf-8", "replace").partition("\n\n")
    lines = head.split("\n")
    good = bool(blank) and lines.pop(0) == "c2sp.org/tlog-proof@v1"
    require(good, name, "不是包含证明", "this is no tlog-proof")
    if lines and lines[0].startswith("extra "):
        extra = strict_base64(lines.pop(0)[6:], name)
        same = extra == log.entries[index]
        require(same, name, "所附条目不符", "the entry that comes along differs")
    match = re.fullmatch(r"index ([0-9]+)", lines.pop(0)) if lines else None
    require(match is not None and int(match[1]) == index, name, "序号不符", "another index")
    path = [strict_base64(line, name) for line in lines]
    leaf_hash = hashlib.sha256(b"\0" + log.entries[index]).digest()
    root = root_by_path(leaf_hash, index, log.head.size, path)
    require(root == log.head.root, name, "证明不通向此日志的根", "does not lead to the root")
