"""The secondary node's receipt: strict text, one way to write a set of leaves, its signature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.merkle_tree import EMPTY_ROOT
from node.domain.receipt import (
    MAX_AT_MS,
    MAX_RANGES,
    Receipt,
    parse,
    ranges_of,
    sign_receipt,
    verify_receipt,
)
from node.domain.signed_note import Ed25519Cosigner, Ed25519Signer, sign_note
from node.domain.signed_note import parse_verifier_key as verifier
from node.errors import InvalidInput, LimitExceeded, ProofInvalid, XibiaoError

ORIGIN = "log.example/tests"
WITNESS = Ed25519Cosigner.from_seed("witness.example/w", bytes([1]) * 32)
OTHER = Ed25519Cosigner.from_seed("witness.example/w", bytes([2]) * 32)
# Written by hand after docs/decisions/0008-honest-counts.md; the signature was made once by another
# program (openssl pkeyutl over "cosignature/v1\ntime 1795255200\n" and the text).
TEXT = (
    b"log.example/tests\n"
    b"receipt/v1\n"
    b"size 1000\n"
    b"root ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY=\n"
    b"at 1795255200123\n"
    b"unapplied 3,7-9,999\n"
)
GOLDEN = Receipt(ORIGIN, 1_000, b"f" * 32, 1_795_255_200_123, ((3, 3), (7, 9), (999, 999)))
SIGNATURE = (
    "tY1O7gAAAABrAWugRAvBWcHrpIrcDAcPNrtGkGUZ+hO6rwmbDaP6"
    "+ar5bgNetBt0IAsddv4hWUFOrdAtSAk5HL9hqT6gdX0wT3F7BQ=="
)

indexes = st.sets(st.integers(0, 400), max_size=60)
receipts = st.builds(
    lambda size, root, at_ms, listed: Receipt(ORIGIN, size, root, at_ms, ranges_of(sorted(listed))),
    size=st.integers(401, 1 << 62),
    root=st.binary(min_size=32, max_size=32),
    at_ms=st.integers(0, MAX_AT_MS),
    listed=indexes,
)


def test_the_text_written_by_hand() -> None:
    assert parse(TEXT) == GOLDEN
    assert GOLDEN.encode() == TEXT
    assert GOLDEN.unapplied_count == 5


def test_a_receipt_signed_elsewhere_is_taken() -> None:
    note = TEXT + b"\n" + f"— witness.example/w {SIGNATURE}\n".encode()
    assert sign_receipt(GOLDEN, WITNESS) == note
    keys = [verifier(WITNESS.verifier_key())]
    assert verify_receipt(note, origin=ORIGIN, witness_keys=keys) == GOLDEN


def test_an_empty_log_has_a_receipt() -> None:
    empty = Receipt(ORIGIN, 0, EMPTY_ROOT, 0)
    assert empty.encode().endswith(b"at 0\nunapplied -\n")
    assert parse(empty.encode()) == empty


@given(receipts)
def test_receipts_round_trip(receipt: Receipt) -> None:
    assert parse(receipt.encode()) == receipt


@given(indexes)
def test_a_change_counts_unless_it_is_listed(listed: set[int]) -> None:
    receipt = Receipt(ORIGIN, 401, b"r" * 32, 0, ranges_of(sorted(listed)))
    assert {n for n in range(401) if not receipt.has_applied(n)} == listed
    assert receipt.unapplied_count == len(listed)
    assert not receipt.has_applied(401)
    assert not receipt.has_applied(-1)


@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_text_is_refused_or_canonical(at: int, inserted: bytes, removed: int) -> None:
    data = TEXT[:at] + inserted + TEXT[at + removed :]
    try:
        receipt = parse(data)
    except InvalidInput:
        return
    assert receipt.encode() == data


@pytest.mark.parametrize(
    "listed",
    ["", "1,", ",1", "01", "2,1", "1,1", "1,2", "1-1", "2-1", "1-3,3", "1-3,4", "1000", "-1", "- "],
)
def test_a_set_of_leaves_is_written_in_one_way(listed: str) -> None:
    with pytest.raises(InvalidInput):
        parse(TEXT.replace(b"3,7-9,999", listed.encode()))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"receipt/v1", b"receipt/v2"),
        (b"size 1000", b"size 01000"),
        (b"size 1000", b"size 99999999999999999999"),
        (b"size 1000", b"size 0"),
        (b"at 1795255200123", b"at 999999999999999999"),
        (b"ZmY=\n", b"ZmZ=\n"),
        (b"unapplied", b"applied"),
        (b"log.example/tests", b""),
        (b"999\n", b"999\n\n"),
    ],
)
def test_lines_that_cannot_be_are_refused(was: bytes, becomes: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse(TEXT.replace(was, becomes))


def test_more_ranges_than_a_receipt_may_have_are_refused_on_both_sides() -> None:
    most = ranges_of(range(0, 2 * MAX_RANGES, 2))
    receipt = Receipt(ORIGIN, 1 << 40, b"r" * 32, 0, most)
    note = sign_receipt(receipt, WITNESS)
    keys = [verifier(WITNESS.verifier_key())]
    assert verify_receipt(note, origin=ORIGIN, witness_keys=keys) == receipt
    with pytest.raises(LimitExceeded):
        ranges_of(range(0, 2 * MAX_RANGES + 2, 2))
    text = receipt.encode().replace(b"unapplied 0,", b"unapplied 0,0,")
    with pytest.raises(LimitExceeded):
        parse(text)


def test_only_the_witness_can_sign_it() -> None:
    keys = [verifier(WITNESS.verifier_key())]
    log = Ed25519Signer.from_seed(ORIGIN, bytes(32))
    forged = sign_receipt(GOLDEN, WITNESS).replace(b"unapplied 3,", b"unapplied 4,")
    for note in (sign_receipt(GOLDEN, OTHER), sign_note(TEXT, [log]), forged):
        with pytest.raises(ProofInvalid):
            verify_receipt(note, origin=ORIGIN, witness_keys=keys)
    with pytest.raises(ProofInvalid):
        verify_receipt(sign_receipt(GOLDEN, WITNESS), origin="log.example/b", witness_keys=keys)


@given(st.binary(max_size=300))
def test_hostile_notes_are_refused(data: bytes) -> None:
    keys = [verifier(WITNESS.verifier_key())]
    for hostile in (data, TEXT + data, data + TEXT):
        with pytest.raises(XibiaoError):
            verify_receipt(hostile, origin=ORIGIN, witness_keys=keys)
