"""C2SP tlog-proof: receipts that verify offline, and those that must not."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain import tlog_proof
from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.merkle_tree import inclusion_path, leaf_hash
from node.domain.signed_note import (
    Ed25519Cosigner,
    Ed25519Signer,
    cosign,
    parse_note,
    parse_verifier_key,
)
from node.domain.tiles import GrowingTree, node_reader
from node.domain.tlog_proof import TlogProof, parse, verify_receipt
from node.errors import InvalidInput, ProofInvalid

ORIGIN = "log.example/x"
LOG = Ed25519Signer.from_seed(ORIGIN, bytes(32))
LOG_KEYS = [parse_verifier_key(LOG.verifier_key())]
WITNESSES = [Ed25519Cosigner.from_seed(f"w{n}.example", bytes([n]) * 32) for n in (1, 2, 3)]
WITNESS_KEYS = [parse_verifier_key(witness.verifier_key()) for witness in WITNESSES]

ENTRIES = [b"entry %d" % index for index in range(300)]
TREE = GrowingTree()
TILES = {(t.level, t.number): t.hashes for t in TREE.append([leaf_hash(e) for e in ENTRIES])}
NOTE = sign_checkpoint(Checkpoint(ORIGIN, TREE.size, TREE.root()), [LOG])

PATH = inclusion_path(257, 300, node_reader(300, lambda level, number: TILES[level, number]))
RECEIPT = tlog_proof.encode(257, PATH, checkpoint_note=NOTE)

proofs = st.builds(
    TlogProof,
    index=st.integers(0, (1 << 63) - 2),
    path=st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    checkpoint_note=st.just(NOTE),
    extra=st.binary(max_size=50),
)


def cosigned(*witnesses: Ed25519Cosigner) -> bytes:
    note = parse_note(NOTE)
    for witness in witnesses:
        note = cosign(note, witness, time_s=1_795_251_600)
    return tlog_proof.encode(257, PATH, checkpoint_note=note.encode())


def test_the_layout_is_that_of_the_specification() -> None:
    node = sha256(b"node").digest()
    text = tlog_proof.encode(73894, [node, bytes(32)], checkpoint_note=NOTE, extra=b"file.tgz")
    head, _, note = text.partition(b"\n\n")
    assert head.split(b"\n") == [
        b"c2sp.org/tlog-proof@v1",
        b"extra ZmlsZS50Z3o=",
        b"index 73894",
        base64.b64encode(node),
        base64.b64encode(bytes(32)),
    ]
    assert note == NOTE


def test_a_log_of_one_entry_needs_no_path() -> None:
    text = tlog_proof.encode(0, [], checkpoint_note=NOTE)
    assert text == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE
    assert parse(text) == TlogProof(0, (), NOTE)


@given(proofs)
def test_receipts_round_trip(proof: TlogProof) -> None:
    assert parse(proof.encode()) == proof


@given(st.integers(0, len(RECEIPT) - 1), st.binary(max_size=2), st.integers(0, 2))
def test_a_receipt_is_refused_or_canonical(at: int, inserted: bytes, removed: int) -> None:
    data = RECEIPT[:at] + inserted + RECEIPT[at + removed :]
    try:
        proof = parse(data)
    except InvalidInput:
        return
    assert proof.encode() == data


@given(st.binary(max_size=100))
def test_hostile_bytes_raise_only_invalid_input(data: bytes) -> None:
    for text in (data, b"c2sp.org/tlog-proof@v1\n" + data):
        with pytest.raises(InvalidInput):
            parse(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1", b"@v2"),
        (b"index 257", b"index 0257"),
        (b"index 257", b"index  257"),
        (b"index 257", b"index -1"),
        (b"index 257", b"index 9223372036854775807"),
        (b"index 257", b"Index 257"),
        (b"index 257\n", b""),
        (b"index 257\n", b"index 257\nextra AAAA\n"),
        (b"index 257\n", b"extra \nindex 257\n"),
        (b"index 257\n", b"extra A\nindex 257\n"),
        (b"index 257\n", b"extra AAAA\nextra AAAA\nindex 257\n"),
        (b"index 257\n", b"extra AAAA\n"),
        (b"index 257\n", b"index 257\nAAAA\n"),
        (b"index 257\n", b"index 257\n" + base64.b64encode(bytes(32)) + b"\n" * 2),
        (b"index 257\n", b"index 257\n" + (base64.b64encode(bytes(32)) + b"\n") * 64),
        (b"index 257", b"index 257\r"),
        (b"\n\n", b"\n"),
    ],
)
def test_malformed_receipts_are_refused(old: bytes, new: bytes) -> None:
    data = RECEIPT.replace(old, new)
    assert data != RECEIPT
    with pytest.raises(InvalidInput):
        parse(data)


def test_a_receipt_beyond_the_size_limit_is_refused() -> None:
    with pytest.raises(InvalidInput):
        parse(RECEIPT + bytes(tlog_proof.MAX_PROOF_BYTES))


def test_a_receipt_proves_its_entry() -> None:
    checkpoint = verify_receipt(RECEIPT, ENTRIES[257], origin=ORIGIN, log_keys=LOG_KEYS)
    assert checkpoint == Checkpoint(ORIGIN, 300, TREE.root())


def test_a_receipt_does_not_prove_another_entry() -> None:
    with pytest.raises(ProofInvalid):
        verify_receipt(RECEIPT, ENTRIES[258], origin=ORIGIN, log_keys=LOG_KEYS)


@pytest.mark.parametrize("index", [0, 256, 258, 299, 300])
def test_a_receipt_with_another_index_is_refused(index: int) -> None:
    data = tlog_proof.encode(index, PATH, checkpoint_note=NOTE)
    with pytest.raises(ProofInvalid):
        verify_receipt(data, ENTRIES[257], origin=ORIGIN, log_keys=LOG_KEYS)


def test_a_receipt_of_another_log_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        verify_receipt(RECEIPT, ENTRIES[257], origin="log.example/y", log_keys=LOG_KEYS)


def test_a_receipt_signed_by_a_stranger_is_refused() -> None:
    stranger = Ed25519Signer.from_seed(ORIGIN, bytes([9]) * 32)
    note = sign_checkpoint(Checkpoint(ORIGIN, TREE.size, TREE.root()), [stranger])
    data = tlog_proof.encode(257, PATH, checkpoint_note=note)
    with pytest.raises(ProofInvalid):
        verify_receipt(data, ENTRIES[257], origin=ORIGIN, log_keys=LOG_KEYS)


def test_a_receipt_with_a_changed_root_is_refused() -> None:
    other = Checkpoint(ORIGIN, TREE.size, bytes(32)).encode()
    note = other + NOTE[NOTE.rindex(b"\n\n") + 1 :]
    data = tlog_proof.encode(257, PATH, checkpoint_note=note)
    with pytest.raises(ProofInvalid):
        verify_receipt(data, ENTRIES[257], origin=ORIGIN, log_keys=LOG_KEYS)


@pytest.mark.parametrize(
    ("count", "quorum", "accepted"), [(0, 0, True), (1, 1, True), (2, 2, True), (1, 2, False)]
)
def test_a_quorum_of_witnesses_is_asked_for(count: int, quorum: int, accepted: bool) -> None:
    data = cosigned(*WITNESSES[:count])

    def verify() -> Checkpoint:
        return verify_receipt(
            data,
            ENTRIES[257],
            origin=ORIGIN,
            log_keys=LOG_KEYS,
            witnesses=WITNESS_KEYS,
            quorum=quorum,
        )

    if accepted:
        assert verify().size == 300
    else:
        with pytest.raises(ProofInvalid):
            verify()


def test_one_witness_counts_once_however_often_it_signs() -> None:
    note = cosign(parse_note(NOTE), WITNESSES[0], time_s=1)
    note = cosign(note, WITNESSES[0], time_s=2)
    data = tlog_proof.encode(257, PATH, checkpoint_note=note.encode())
    with pytest.raises(ProofInvalid):
        verify_receipt(
            data,
            ENTRIES[257],
            origin=ORIGIN,
            log_keys=LOG_KEYS,
            witnesses=WITNESS_KEYS,
            quorum=2,
        )


@pytest.mark.parametrize("length", [31, 33])
def test_a_path_of_other_lengths_cannot_be_written(length: int) -> None:
    with pytest.raises(InvalidInput):
        tlog_proof.encode(1, [bytes(length)], checkpoint_note=NOTE)
