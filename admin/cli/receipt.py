"""Check a receipt (登记凭证) of a look-up against the node's log key.

What it proves: the log signed a tree that holds this very leaf, and the leaf is of the revision and
class shown. What it cannot: the leaf names the identifier only by a keyed tag, so tying the two
takes the tag key, which auditors have. The log key comes from the node unless the caller has its
own copy, and only such a copy shows that the node did not swap its whole log.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.domain import log_entry, tlog_proof
from node.domain.signed_note import parse_verifier_key
from node.errors import ProofInvalid


@dataclass(frozen=True, slots=True)
class CheckedReceipt:
    """What was verified; `root` is hexadecimal, `at` the time of the change."""

    log: str
    index: int
    size: int
    root: str
    kind: str
    at: str


def verify(
    receipt: bytes, verifier_key: str, *, revision: int, object_class: str, is_test: bool
) -> CheckedReceipt:
    """Verify a receipt and that its leaf fits the record shown.

    Raises InvalidInput for a malformed receipt or key, ProofInvalid when anything does not hold.
    """
    proof = tlog_proof.parse(receipt)
    log_key = parse_verifier_key(verifier_key.strip())
    checkpoint = tlog_proof.verify_receipt(
        receipt, proof.extra, origin=log_key.name, log_keys=[log_key]
    )
    entry = log_entry.decode(proof.extra)
    shown = (revision, object_class, is_test)
    if (entry.revision, entry.object_class, entry.is_test) != shown:
        raise ProofInvalid(
            f"凭证属于第 {entry.revision} 版,与所示第 {revision} 版记录不符",
            f"The receipt is of revision {entry.revision}, not of the record shown ({revision})",
        )
    return CheckedReceipt(
        checkpoint.origin,
        proof.index,
        checkpoint.size,
        checkpoint.root.hex(),
        entry.kind,
        entry.at,
    )
