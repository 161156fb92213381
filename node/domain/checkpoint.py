"""Checkpoints (C2SP tlog-checkpoint): the signed statement of a log's size and root.

Invariants: a Checkpoint that exists is valid; `parse(encode(c)) == c` and `encode(parse(b)) == b`.
Extension lines are neither written nor accepted: no monitor could audit them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from node.domain.merkle_tree import EMPTY_ROOT, HASH_BYTES
from node.domain.signed_note import (
    Signer,
    Verifier,
    check_text,
    decode_base64,
    parse_note,
    sign_note,
    verify_note,
)
from node.errors import InvalidInput, ProofInvalid

MAX_SIZE = (1 << 63) - 1
MAX_ORIGIN_BYTES = 255  # The limit of the cosigned message in C2SP tlog-cosignature.

_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of one log: its origin, its number of leaves and its RFC 6962 root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse values that no log can have; raises InvalidInput."""
        origin = self.origin.encode(errors="replace")
        if not self.origin.isprintable() or not 0 < len(origin) <= MAX_ORIGIN_BYTES:
            raise InvalidInput("日志来源名称有误", "the origin is empty, too long or unprintable")
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidInput("日志大小有误", "the size of the log is out of range")
        if len(self.root) != HASH_BYTES or (self.size == 0) != (self.root == EMPTY_ROOT):
            raise InvalidInput("根哈希有误", "the root does not fit the size of the log")

    def encode(self) -> bytes:
        """Return the note text: origin, size and base64 root, a line each."""
        root = base64.b64encode(self.root).decode("ascii")
        return f"{self.origin}\n{self.size}\n{root}\n".encode()


def parse(text: bytes) -> Checkpoint:
    """Read a checkpoint's note text; raises InvalidInput."""
    check_text(text)
    lines = text.split(b"\n")
    if len(lines) != 4 or lines[3] or not _SIZE.fullmatch(lines[1]):
        raise InvalidInput("检查点格式有误", "the checkpoint is malformed")
    return Checkpoint(lines[0].decode(), int(lines[1]), decode_base64(lines[2]))


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """Return the checkpoint as a signed note.

    The caller must never sign two checkpoints of one log that no consistency proof connects.
    """
    return sign_note(checkpoint.encode(), signers)


def verify_checkpoint(data: bytes, *, origin: str, log_keys: Sequence[Verifier]) -> Checkpoint:
    """Return the checkpoint in a signed note after checking its origin and the log's signature.

    `log_keys` are keys of this log only: a witness's signature does not make a checkpoint. Raises
    InvalidInput when it is malformed, ProofInvalid when it is of another log or not signed by one
    of `log_keys`.
    """
    note = parse_note(data)
    verify_note(note, log_keys)
    checkpoint = parse(note.text)
    if checkpoint.origin != origin:
        raise ProofInvalid("检查点属于另一日志", "the checkpoint belongs to another log")
    return checkpoint
