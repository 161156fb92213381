"""The secondary node's receipt: of the first N leaves it holds all and has applied all but a few.

A signed note (C2SP signed-note) by the key with which it cosigns checkpoints (cosignature/v1). The
text is no checkpoint, for its second line is no number, so the two can never be taken for each
other. What the lines are: docs/decisions/0008-honest-counts.md.

Invariants: a Receipt that exists is valid; `parse(encode(r)) == r` and `encode(parse(b)) == b`;
ranges are ascending, do not touch each other and lie below the size.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.domain.checkpoint import Checkpoint
from node.domain.signed_note import (
    Cosigner,
    SignatureLine,
    SignedNote,
    Verifier,
    check_text,
    decode_base64,
    parse_note,
    verify_note,
)
from node.errors import InvalidInput, LimitExceeded, ProofInvalid

MAX_RANGES = 100_000
# Two numbers of 19 digits a range, and some lines: more than any receipt has.
MAX_NOTE_BYTES = 4 << 20
MAX_AT_MS = 253_402_300_799_999  # the end of the year 9999

_VERSION = b"receipt/v1"
_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"
_FIELDS = (
    re.compile(b"size (%b)" % _NUMBER),
    re.compile(rb"root ([A-Za-z0-9+/]{43}=)"),
    re.compile(b"at (%b)" % _NUMBER),
    re.compile(rb"unapplied (.+)"),
)
_RANGE = re.compile(b"(%b)(?:-(%b))?" % (_NUMBER, _NUMBER))

Range = tuple[int, int]
"""First and last leaf index, both included."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the secondary node states at `at_ms` (Unix ms) of the first `size` leaves of a log."""

    origin: str
    size: int
    root: bytes
    at_ms: int
    unapplied: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be stated of any log; raises InvalidInput or LimitExceeded."""
        Checkpoint(self.origin, self.size, self.root)
        if not 0 <= self.at_ms <= MAX_AT_MS:
            raise _malformed("at")
        if len(self.unapplied) > MAX_RANGES:
            raise _too_many()
        end = -2
        for first, last in self.unapplied:
            # Ranges that touch are one range: there is one way to write a set.
            if not end + 1 < first <= last < self.size:
                raise _malformed("unapplied")
            end = last

    def has_applied(self, index: int) -> bool:
        """Say whether the change at a leaf index is held and applied, or superseded by a later."""
        place = bisect_right(self.unapplied, (index, self.size)) - 1
        is_listed = place >= 0 and index <= self.unapplied[place][1]
        return 0 <= index < self.size and not is_listed

    @property
    def unapplied_count(self) -> int:
        """Return how many leaves are listed as not applied."""
        return sum(last - first + 1 for first, last in self.unapplied)

    def encode(self) -> bytes:
        """Return the note text."""
        root = base64.b64encode(self.root).decode("ascii")
        listed = ",".join(_written(part) for part in self.unapplied) or "-"
        return (
            f"{self.origin}\n{_VERSION.decode()}\nsize {self.size}\nroot {root}\n"
            f"at {self.at_ms}\nunapplied {listed}\n"
        ).encode()


def ranges_of(indexes: Iterable[int]) -> tuple[Range, ...]:
    """Return ascending leaf indexes as ranges; raises LimitExceeded beyond `MAX_RANGES`."""
    ranges: list[Range] = []
    for index in indexes:
        if ranges and index <= ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], index
        elif len(ranges) == MAX_RANGES:
            raise _too_many()
        else:
            ranges.append((index, index))
    return tuple(ranges)


def parse(text: bytes) -> Receipt:
    """Read a receipt's note text; raises InvalidInput or LimitExceeded."""
    check_text(text)
    lines = text.split(b"\n")
    if len(lines) != 7 or lines[1] != _VERSION or lines[6]:
        raise _malformed("receipt/v1")
    values = []
    for pattern, line in zip(_FIELDS, lines[2:6], strict=True):
        match = pattern.fullmatch(line)
        if match is None:
            raise _malformed(line[:16].decode(errors="replace"))
        values.append(match[1])
    size, root, at, listed = values
    return Receipt(
        lines[0].decode(), int(size), decode_base64(root), int(at), _parse_ranges(listed)
    )


def sign_receipt(receipt: Receipt, cosigner: Cosigner) -> bytes:
    """Return the receipt as a note signed by a witness at the time it states."""
    text = receipt.encode()
    signature = cosigner.cosign(text, receipt.at_ms // 1_000)
    return SignedNote(text, (SignatureLine(cosigner.name, cosigner.key_id, signature),)).encode()


def verify_receipt(data: bytes, *, origin: str, witness_keys: Sequence[Verifier]) -> Receipt:
    """Return the receipt in a signed note after checking its origin and the witness's signature.

    Whoever takes it also compares `root` with that of the first `size` leaves. Raises InvalidInput
    or LimitExceeded when it is malformed, ProofInvalid when it is of another log or not signed by
    one of `witness_keys`.
    """
    note = parse_note(data, limit=MAX_NOTE_BYTES)
    verify_note(note, witness_keys)
    receipt = parse(note.text)
    if receipt.origin != origin:
        raise ProofInvalid("回执属于另一日志", "the receipt is of another log")
    return receipt


def _written(part: Range) -> str:
    first, last = part
    return str(first) if first == last else f"{first}-{last}"


def _parse_ranges(listed: bytes) -> tuple[Range, ...]:
    if listed == b"-":
        return ()
    # Counted before they are made: a hostile note must not cost more than reading it.
    if listed.count(b",") >= MAX_RANGES:
        raise _too_many()
    return tuple(_parse_range(part) for part in listed.split(b","))


def _parse_range(part: bytes) -> Range:
    match = _RANGE.fullmatch(part)
    # "7-7" is written "7".
    if match is None or match[1] == match[2]:
        raise _malformed("unapplied")
    return int(match[1]), int(match[2] or match[1])


def _malformed(field: str) -> InvalidInput:
    return InvalidInput(f"回执格式有误:{field}", f"the receipt is malformed: {field}")


def _too_many() -> LimitExceeded:
    return LimitExceeded(
        f"未生效的条目过于分散,超过 {MAX_RANGES} 段,无法出具回执",
        f"what is not applied makes more than {MAX_RANGES} ranges; no receipt can be given",
        code="receipt_too_large",
    )
