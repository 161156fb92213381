"""The secondary node's receipt: signed by its witness key, of a state of this very log."""

from __future__ import annotations

import bisect
import re
from typing import NamedTuple

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Faults, require
from admin.acceptance.verifier.log_tree import Log, tree_root
from admin.acceptance.verifier.notes import (
    Policy,
    parse_signed,
    signers_of,
    strict_base64,
    strict_number,
)

RECEIPT = "receipt.note"


class PeerReceipt(NamedTuple):
    """Of the first `size` leaves the peer holds all, and has applied all but `unapplied`."""

    signer: str
    size: int
    root: bytes
    unapplied: tuple[tuple[int, int], ...]

    def applied(self, index: int) -> bool:
        """Say whether the change at a leaf index is held and applied."""
        place = bisect.bisect_right(self.unapplied, (index, self.size)) - 1
        return index < self.size and not (place >= 0 and index <= self.unapplied[place][1])


def read_receipt(
    files: BundleFiles, policy: Policy, log: Log, faults: Faults
) -> PeerReceipt | None:
    """Check the receipt and return it, None when the bundle has none; raises Broken."""
    if not files.has(RECEIPT):
        return None
    faults.reading = RECEIPT
    note = parse_signed(files.read(RECEIPT), RECEIPT)
    signed = signers_of(note, policy.witnesses, RECEIPT)
    require(len(signed) == 1, RECEIPT, "没有见证方的签名", "no witness of the policy has signed")
    lines = note.text.decode("utf-8", "replace").split("\n")
    good = len(lines) == 7 and lines[1] == "receipt/v1" and lines[6] == ""
    require(good, RECEIPT, "格式有误", "is malformed")
    require(lines[0] == log.head.origin, RECEIPT, "不是此日志的回执", "is of another log")
    fields = []
    for name, line in zip(("size", "root", "at", "unapplied"), lines[2:6]):
        require(line.startswith(name + " "), RECEIPT, f"缺少 {name}", f"{name} is missing")
        fields.append(line[len(name) + 1 :])
    size = strict_number(fields[0], RECEIPT)
    require(
        size <= log.head.size,
        RECEIPT,
        f"回执覆盖 {size} 条,多于日志的 {log.head.size} 条:日志被截短",
        f"the receipt covers {size} leaves, more than the log's {log.head.size}: it was cut",
    )
    root = strict_base64(fields[1], RECEIPT)
    require(
        tree_root(log.hashes[:size]) == root,
        RECEIPT,
        "回执的根不是此日志的根:存在另一份日志",
        "the root is not of this log: another log exists",
    )
    return PeerReceipt(signed[0], size, root, _ranges(fields[3], size))


def _ranges(listed: str, size: int) -> tuple[tuple[int, int], ...]:
    if listed == "-":
        return ()
    found, end = [], -2
    for part in listed.split(","):
        match = re.fullmatch(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", part)
        require(match is not None, RECEIPT, "未生效范围有误", "a range is malformed")
        first = int(match[1])  # type: ignore[index]
        last = int(match[2] or match[1])  # type: ignore[index]
        good = end + 1 < first <= last < size
        require(good, RECEIPT, "未生效范围有误", "the ranges are not ascending")
        found.append((first, last))
        end = last
    return tuple(found)
