"""The independent verifier takes a log that is what it says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.verify_log import Wrong, verify
from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.merkle_tree import CompactRange, leaf_hash
from node.domain.signed_note import Ed25519Cosigner, Ed25519Signer, SignatureLine, parse_note
from node.domain.tiles import TILE_WIDTH, encode_entry_bundle, tile_path

LOG = Ed25519Signer.from_seed("log.example/verified", bytes(32))
WITNESS = Ed25519Cosigner.from_seed("witness.example/one", bytes(32))
STRANGER = Ed25519Cosigner.from_seed("witness.example/one", bytes([1]) * 32)
KEYS = (LOG.verifier_key(), WITNESS.verifier_key())
TIME_S = 1_795_255_200
# One partial bundle; full ones alone; full ones and a partial one.
SIZES = (1, 5, 256, 600)


def publish(place: Path, size: int, *, changed: int = -1) -> str:
    """Write a log's files as a node serves them, entry `changed` altered; give the address."""
    entries = [f"entry {number}".encode() for number in range(size)]
    tree = CompactRange()
    for entry in entries:
        tree.append(leaf_hash(entry))
    if changed >= 0:
        entries[changed] = b"another entry"
    note = sign_checkpoint(Checkpoint(LOG.name, size, tree.root()), [LOG])
    text = parse_note(note).text
    line = SignatureLine(WITNESS.name, WITNESS.key_id, WITNESS.cosign(text, TIME_S))
    files = {"checkpoint": note + line.encode()}
    for number in range(-(-size // TILE_WIDTH)):
        part = entries[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
        files[tile_path("entries", number, len(part))] = encode_entry_bundle(part)
    for name, data in files.items():
        path = place / "log" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place.as_uri()


@pytest.mark.parametrize("size", SIZES)
def test_a_log_with_both_signatures_and_its_root_is_verified(tmp_path: Path, size: int) -> None:
    assert verify(publish(tmp_path, size), KEYS)[0] == size


@pytest.mark.parametrize("size", SIZES)
def test_an_altered_entry_is_found(tmp_path: Path, size: int) -> None:
    with pytest.raises(Wrong, match="root"):
        verify(publish(tmp_path, size, changed=size // 2), KEYS)


def test_a_cosignature_of_another_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="has not signed"):
        verify(publish(tmp_path, 5), (KEYS[0], STRANGER.verifier_key()))


@pytest.mark.parametrize("place", range(2))
def test_a_bad_signature_of_a_key_named_is_refused(tmp_path: Path, place: int) -> None:
    address = publish(tmp_path, 5)
    path = tmp_path / "log" / "checkpoint"
    # Another size under the same signatures.
    path.write_bytes(path.read_bytes().replace(b"\n5\n", b"\n6\n"))
    with pytest.raises(Wrong, match="is bad"):
        verify(address, (KEYS[place],))


def test_a_checkpoint_of_another_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="another log"):
        verify(publish(tmp_path, 5), (KEYS[1],))
