"""The secondary node as a witness of the logs it is sent (C2SP tlog-witness, tlog-cosignature).

It holds every leaf, so it compares a checkpoint with the root of its own tree and needs no trust
in the proof that comes along. Invariants: what is cosigned only grows, along one tree; it is
written down, in the transaction that compared it with what was cosigned before, ahead of the
answer; two statements of one log that do not fit are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.domain.checkpoint import Checkpoint, verify_checkpoint
from node.domain.merkle_tree import verify_consistency
from node.domain.signed_note import Cosigner, SignatureLine, Verifier, parse_note
from node.errors import Conflict, InvalidInput, NotFound, ProofInvalid, WrongState, XibiaoError
from sync.peer import CheckpointCode


@dataclass(frozen=True, slots=True)
class Offer:
    """A checkpoint to be cosigned, and the proof from the size cosigned before."""

    note: bytes
    old_size: int
    path: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of a log: `size` leaves, and (size, root) as cosigned last.

    `root_at` gives the root over the first n leaves, for n up to `size`.
    """

    origin: str
    log_key: Verifier
    size: int
    root_at: Callable[[int], bytes]
    cosigned_size: int
    cosigned_root: bytes


def examine(offer: Offer, holding: Holding) -> Checkpoint:
    """Return the checkpoint of an offer that may be cosigned.

    Raises errors whose `code` is a CheckpointCode: ProofInvalid (BAD_SIGNATURE, INCONSISTENT),
    NotFound (AHEAD), WrongState (OLDER), Conflict (STALE_OLD_SIZE).
    """
    offered = _signed_by_log(offer, holding)
    if offered.size > holding.size:
        raise NotFound(
            f"检查点大小 {offered.size} 超过已收到的 {holding.size} 个叶",
            f"the checkpoint is of {offered.size} leaves, {holding.size} are held",
            code=CheckpointCode.AHEAD,
        )
    # Before anything else that could be amiss: another tree is what must never go unnoticed.
    if offered.root != holding.root_at(offered.size):
        raise _inconsistent("检查点的根与收到的叶不符", "the root is not that of the leaves held")
    if offered.size < holding.cosigned_size:
        raise WrongState(
            f"检查点大小 {offered.size} 小于已副署的 {holding.cosigned_size}",
            f"the checkpoint is of {offered.size} leaves, {holding.cosigned_size} are cosigned",
            code=CheckpointCode.OLDER,
        )
    if offer.old_size != holding.cosigned_size:
        raise Conflict(
            f"旧大小 {offer.old_size} 不是已副署的 {holding.cosigned_size}",
            f"old size {offer.old_size} is not the size cosigned, {holding.cosigned_size}",
            code=CheckpointCode.STALE_OLD_SIZE,
        )
    _check_path(offer, offered, holding)
    return offered


def _signed_by_log(offer: Offer, holding: Holding) -> Checkpoint:
    try:
        return verify_checkpoint(offer.note, origin=holding.origin, log_keys=[holding.log_key])
    except (InvalidInput, ProofInvalid) as error:
        raise ProofInvalid(error.zh, error.en, code=CheckpointCode.BAD_SIGNATURE) from error


def _check_path(offer: Offer, offered: Checkpoint, holding: Holding) -> None:
    try:
        verify_consistency(
            old_size=holding.cosigned_size,
            old_root=holding.cosigned_root,
            new_size=offered.size,
            new_root=offered.root,
            path=offer.path,
        )
    except ProofInvalid as error:
        raise _inconsistent(error.zh, error.en) from error


def _inconsistent(zh: str, en: str) -> ProofInvalid:
    return ProofInvalid(zh, en, code=CheckpointCode.INCONSISTENT)


def cosignature_line(offer: Offer, cosigner: Cosigner, *, time_s: int) -> bytes:
    """Return the signature line, without its newline, for a checkpoint that was examined."""
    text = parse_note(offer.note).text
    line = SignatureLine(cosigner.name, cosigner.key_id, cosigner.cosign(text, time_s))
    return line.encode().removesuffix(b"\n")


def refused_size(refusal: XibiaoError, holding: Holding) -> int:
    """Return the size that tells the node where to go on from: cosigned, or else held."""
    says_cosigned = (CheckpointCode.OLDER, CheckpointCode.STALE_OLD_SIZE)
    return holding.cosigned_size if refusal.code in says_cosigned else holding.size
