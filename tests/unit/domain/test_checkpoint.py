"""C2SP tlog-checkpoint: strict text, signing and verification."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    parse,
    sign_checkpoint,
    verify_checkpoint,
)
from node.domain.merkle_tree import EMPTY_ROOT
from node.domain.signed_note import Ed25519Cosigner, Ed25519Signer, cosign, parse_note
from node.domain.signed_note import parse_verifier_key as verifier
from node.errors import InvalidInput, ProofInvalid

# The example of C2SP tlog-checkpoint.
EXAMPLE = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
ROOT = base64.b64encode(bytes(32))
LOG = Ed25519Signer.from_seed("example.com/behind-the-sofa", bytes(32))
WITNESS = Ed25519Cosigner.from_seed("witness.example/w", bytes([1]) * 32)

checkpoints = st.builds(
    Checkpoint,
    origin=st.text(min_size=1, max_size=60).filter(str.isprintable),
    size=st.integers(1, MAX_SIZE),
    root=st.binary(min_size=32, max_size=32),
)


def test_the_example_of_the_specification() -> None:
    checkpoint = parse(EXAMPLE)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.encode() == EXAMPLE


def test_an_empty_log_has_a_checkpoint() -> None:
    checkpoint = Checkpoint("a", 0, EMPTY_ROOT)
    assert checkpoint.encode() == b"a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert parse(checkpoint.encode()) == checkpoint


@given(checkpoints)
def test_checkpoints_round_trip(checkpoint: Checkpoint) -> None:
    assert parse(checkpoint.encode()) == checkpoint


@given(st.integers(0, len(EXAMPLE) - 1), st.binary(max_size=2), st.integers(0, 2))
def test_a_checkpoint_is_refused_or_canonical(at: int, inserted: bytes, removed: int) -> None:
    data = EXAMPLE[:at] + inserted + EXAMPLE[at + removed :]
    try:
        checkpoint = parse(data)
    except InvalidInput:
        return
    assert checkpoint.encode() == data


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"a\n1\n" + ROOT,
        b"a\n1\n" + ROOT + b"\n\n",
        b"a\n1\n" + ROOT + b"\nextension\n",
        b"\n1\n" + ROOT + b"\n",
        b"a\r\n1\n" + ROOT + b"\n",
        b"a\n01\n" + ROOT + b"\n",
        b"a\n+1\n" + ROOT + b"\n",
        b"a\n-1\n" + ROOT + b"\n",
        b"a\n1.0\n" + ROOT + b"\n",
        b"a\n0x1\n" + ROOT + b"\n",
        b"a\n 1\n" + ROOT + b"\n",
        "a\n１\n".encode() + ROOT + b"\n",
        b"a\n\n" + ROOT + b"\n",
        b"a\n9223372036854775808\n" + ROOT + b"\n",
        b"a\n" + b"9" * 5000 + b"\n" + ROOT + b"\n",
        b"a\n0\n" + ROOT + b"\n",
        b"a\n1\n" + base64.b64encode(EMPTY_ROOT) + b"\n",
        b"a\n1\n" + base64.b64encode(bytes(31)) + b"\n",
        b"a\n1\n" + base64.b64encode(bytes(33)) + b"\n",
        b"a\n1\n" + ROOT[:-2] + b"B=\n",
        b"a\n1\n" + bytes(32).hex().encode() + b"\n",
        b"\xff\n1\n" + ROOT + b"\n",
        b"a" * 256 + b"\n1\n" + ROOT + b"\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


@given(st.binary(max_size=120))
def test_hostile_bytes_raise_only_invalid_input(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse(data)


@pytest.mark.parametrize("origin", ["", "a\nb", "a\x7f", "\ud800", "稀" * 86])
def test_a_checkpoint_without_a_usable_origin_cannot_exist(origin: str) -> None:
    with pytest.raises(InvalidInput):
        Checkpoint(origin, 1, bytes(32))


def test_a_signed_checkpoint_verifies() -> None:
    checkpoint = parse(EXAMPLE)
    data = sign_checkpoint(checkpoint, [LOG])
    keys = [verifier(LOG.verifier_key())]
    assert verify_checkpoint(data, origin=checkpoint.origin, log_keys=keys) == checkpoint


def test_a_checkpoint_of_another_log_is_refused() -> None:
    data = sign_checkpoint(Checkpoint("example.com/other", 1, bytes(32)), [LOG])
    with pytest.raises(ProofInvalid):
        verify_checkpoint(data, origin=LOG.name, log_keys=[verifier(LOG.verifier_key())])


def test_a_checkpoint_that_only_a_witness_signed_is_refused() -> None:
    stranger = Ed25519Signer.from_seed(LOG.name, bytes([9]) * 32)
    note = parse_note(sign_checkpoint(parse(EXAMPLE), [stranger]))
    data = cosign(note, WITNESS, time_s=1).encode()
    with pytest.raises(ProofInvalid):
        verify_checkpoint(data, origin=LOG.name, log_keys=[verifier(LOG.verifier_key())])


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    data = sign_checkpoint(parse(EXAMPLE), [LOG]).replace(b"20852163", b"020852163")
    with pytest.raises((InvalidInput, ProofInvalid)):
        verify_checkpoint(data, origin=LOG.name, log_keys=[verifier(LOG.verifier_key())])
