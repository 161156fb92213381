"""Receipts as C2SP tlog-proof files: checkpoint, leaf index and inclusion path in one text.

Invariants: a receipt verifies offline, with nothing but the log's and witnesses' public keys;
`parse(encode(p)) == p` and `encode(parse(b)) == b`. `extra` is not authenticated by anything.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from node.domain.checkpoint import MAX_SIZE, Checkpoint, verify_checkpoint
from node.domain.checkpoint import parse as parse_checkpoint
from node.domain.merkle_tree import HASH_BYTES, leaf_hash, verify_inclusion
from node.domain.signed_note import Verifier, decode_base64, known_signers, parse_note
from node.errors import InvalidInput, ProofInvalid

MAX_PROOF_BYTES = 2 << 20
MAX_PATH = 63  # The depth of a tree of 2^63 leaves.

_HEADER = b"c2sp.org/tlog-proof@v1"
_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A receipt: `path` from the leaf's sibling up; `checkpoint_note` verbatim with signatures."""

    index: int
    path: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what the format cannot hold; raises InvalidInput."""
        if not 0 <= self.index < MAX_SIZE:
            raise InvalidInput("叶序号超出范围", "the leaf index is out of range")
        if len(self.path) > MAX_PATH or any(len(node) != HASH_BYTES for node in self.path):
            raise InvalidInput("包含证明有误", "the inclusion path is malformed")
        # A note may contain empty lines, a checkpoint may not: else path lines could hide in it.
        parse_checkpoint(parse_note(self.checkpoint_note).text)

    def encode(self) -> bytes:
        """Return the text of the `.tlog-proof` file."""
        lines = [_HEADER]
        if self.extra:
            lines.append(b"extra " + base64.b64encode(self.extra))
        lines.append(b"index %d" % self.index)
        lines += (base64.b64encode(node) for node in self.path)
        return b"\n".join(lines) + b"\n\n" + self.checkpoint_note


def encode(
    index: int, path: Sequence[bytes], *, checkpoint_note: bytes, extra: bytes = b""
) -> bytes:
    """Return the text of a `.tlog-proof` file (C2SP tlog-proof "Format"); raises InvalidInput."""
    return TlogProof(index, tuple(path), checkpoint_note, extra).encode()


def parse(data: bytes) -> TlogProof:
    """Read a `.tlog-proof` file in its one spelling; raises InvalidInput."""
    if len(data) > MAX_PROOF_BYTES:
        raise InvalidInput("登记凭证过大", "the receipt is too large")
    head, separator, note = data.partition(b"\n\n")
    header, *lines = head.split(b"\n")
    if not separator or header != _HEADER or not lines:
        raise InvalidInput("登记凭证格式有误", "this is no tlog-proof")
    extra = b""
    if lines[0].startswith(b"extra "):
        extra = decode_base64(lines.pop(0).removeprefix(b"extra "))
        if not extra:
            raise InvalidInput("登记凭证的附加数据为空", "the extra line of the receipt is empty")
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if index is None:
        raise InvalidInput("登记凭证缺少叶序号", "the receipt has no index line")
    return TlogProof(int(index[1]), tuple(decode_base64(line) for line in lines[1:]), note, extra)


def verify_receipt(
    receipt: bytes,
    leaf: bytes,
    *,
    origin: str,
    log_keys: Sequence[Verifier],
    witnesses: Sequence[Verifier] = (),
    quorum: int = 0,
) -> Checkpoint:
    """Return the checkpoint that proves `leaf` (the entry's bytes) to be in the log.

    The steps of C2SP tlog-proof "Verifying a tlog proof"; `quorum` is how many distinct witnesses
    must have cosigned. Raises InvalidInput when the receipt is malformed, ProofInvalid when it
    does not prove what it should.
    """
    proof = parse(receipt)
    # 1. Compute the leaf hash.
    hashed = leaf_hash(leaf)
    # 2. Check origin and log signature.
    checkpoint = verify_checkpoint(proof.checkpoint_note, origin=origin, log_keys=log_keys)
    # 3. Verify all cosignatures of known witnesses.
    cosigned = known_signers(parse_note(proof.checkpoint_note), witnesses)
    if len(cosigned) < quorum:
        raise ProofInvalid(
            f"见证副署不足:需 {quorum} 个,有 {len(cosigned)} 个",
            f"too few witnesses have cosigned: {len(cosigned)} of {quorum}",
        )
    # 4. Bind the leaf to the signed root.
    verify_inclusion(
        hashed,
        index=proof.index,
        size=checkpoint.size,
        path=proof.path,
        root=checkpoint.root,
    )
    return checkpoint
