"""Logs and receipts that the product writes, read by a verifier that shares no code with it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from node.domain import log_entry, tlog_proof
from node.domain.checkpoint import Checkpoint, sign_checkpoint
from node.domain.log_entry import LogEntry
from node.domain.merkle_tree import EMPTY_ROOT, inclusion_path, leaf_hash
from node.domain.signed_note import (
    Ed25519Cosigner,
    Ed25519Signer,
    SignatureLine,
    cosign,
    parse_note,
)
from node.domain.tiles import GrowingTree, encode_entry_bundle, node_reader, tile_path
from tests.wire import independent_verifier
from tests.wire.independent_verifier import VerificationFailed, verify_log, verify_proof_file

ORIGIN = "log.example/rare-earth"
LOG = Ed25519Signer.from_seed(ORIGIN, bytes(32))
KEY = LOG.verifier_key()

Resources = dict[str, bytes]


@cache
def leaf(index: int) -> bytes:
    number = index.to_bytes(32, "big")
    entry = LogEntry(
        "register", "2026-11-21T09:00:00.123Z", "batch", "api", 1, False, number, number
    )
    return log_entry.encode(entry)


@cache
def published(size: int) -> Resources:
    """A log as any auditor may download it, grown in batches of 2,000."""
    leaves = [leaf(index) for index in range(size)]
    tree, resources = GrowingTree(), {}
    newest: dict[tuple[int, int], bytes] = {}
    for start in range(0, size, 2000):
        hashes = [leaf_hash(data) for data in leaves[start : start + 2000]]
        newest |= {(tile.level, tile.number): tile.hashes for tile in tree.append(hashes)}
    for (level, number), content in newest.items():
        resources[tile_path(level, number, len(content) // 32)] = content
    for number in range((size + 255) // 256):
        bundle = leaves[number * 256 : (number + 1) * 256]
        path = tile_path("entries", number, len(bundle))
        resources[path] = encode_entry_bundle(bundle)
    checkpoint = Checkpoint(ORIGIN, size, tree.root())
    resources["checkpoint"] = sign_checkpoint(checkpoint, [LOG])
    return resources


def receipt(index: int, size: int) -> bytes:
    resources = published(size)

    def read_tile(level: int, number: int) -> bytes:
        width = min(256, (size >> 8 * level) - 256 * number)
        return resources[tile_path(level, number, width)]

    path = inclusion_path(index, size, node_reader(size, read_tile))
    return tlog_proof.encode(index, path, checkpoint_note=resources["checkpoint"])


def refuse_log(resources: Resources) -> None:
    with pytest.raises((VerificationFailed, KeyError)):
        verify_log(resources.__getitem__, KEY)


def test_the_verifier_imports_nothing_of_the_product() -> None:
    tree = ast.parse(Path(independent_verifier.__file__).read_text("utf-8"))
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names | {
        "cryptography"
    }


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000, 65_537, 70_000])
def test_a_published_log_verifies(size: int) -> None:
    resources = published(size)
    fetched: set[str] = set()

    def fetch(path: str) -> bytes:
        fetched.add(path)
        return resources[path]

    verify_log(fetch, KEY)
    assert fetched == resources.keys(), "every resource is one that the specification names"


def test_an_empty_log_verifies() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), [LOG])
    verify_log({"checkpoint": note}.__getitem__, KEY)


def test_a_cosigned_checkpoint_verifies() -> None:
    resources = dict(published(257))
    witness = Ed25519Cosigner.from_seed("witness.example/w", bytes([1]) * 32)
    note = cosign(parse_note(resources["checkpoint"]), witness, time_s=1_795_251_600)
    resources["checkpoint"] = note.encode()
    verify_log(resources.__getitem__, KEY)


@pytest.mark.parametrize("size", [1, 257, 1000])
def test_one_flipped_bit_anywhere_is_found(size: int) -> None:
    for path, content in published(size).items():
        for at in {0, len(content) // 2, len(content) - 1}:
            flipped = bytearray(content)
            flipped[at] ^= 1
            with pytest.raises(VerificationFailed):
                verify_log({**published(size), path: bytes(flipped)}.__getitem__, KEY)


@pytest.mark.parametrize("size", [1, 257, 1000])
def test_a_missing_cut_or_lengthened_resource_is_found(size: int) -> None:
    for path, content in published(size).items():
        refuse_log({other: data for other, data in published(size).items() if other != path})
        if path != "checkpoint":
            refuse_log({**published(size), path: content[:-1]})
            refuse_log({**published(size), path: content + b"\x00"})


def test_a_rewritten_entry_is_found_though_the_tiles_fit_it() -> None:
    resources = dict(published(257))
    rewritten = [leaf(index) for index in range(256)]
    rewritten[100] = leaf(100).replace(b'"api"', b'"csv"')
    resources[tile_path("entries", 0)] = encode_entry_bundle(rewritten)
    hashes = [leaf_hash(data) for data in rewritten]
    resources[tile_path(0, 0)] = b"".join(hashes)
    tree = GrowingTree()
    tree.append(hashes)
    resources[tile_path(1, 0, 1)] = tree.root()
    refuse_log(resources)


def test_two_swapped_entries_are_found() -> None:
    resources = dict(published(256))
    entries = [leaf(index) for index in range(256)]
    entries[3], entries[4] = entries[4], entries[3]
    resources[tile_path("entries", 0)] = encode_entry_bundle(entries)
    refuse_log(resources)


def test_a_log_signed_by_another_key_is_refused() -> None:
    stranger = Ed25519Signer.from_seed(ORIGIN, bytes([9]) * 32)
    resources = dict(published(256))
    text = parse_note(resources["checkpoint"]).text
    for lines in (b"", sign_with(text, stranger)):
        refuse_log({**resources, "checkpoint": text + b"\n" + lines})
    # A stranger's line beside the log's own changes nothing.
    resources["checkpoint"] += sign_with(text, stranger)
    verify_log(resources.__getitem__, KEY)


def sign_with(text: bytes, signer: Ed25519Signer) -> bytes:
    return SignatureLine(signer.name, signer.key_id, signer.sign(text)).encode()


@pytest.mark.parametrize(
    ("index", "size"),
    [(0, 1), (0, 2), (1, 2), (254, 255), (255, 256), (256, 257), (3, 1000), (69_999, 70_000)],
)
def test_a_receipt_verifies(index: int, size: int) -> None:
    verify_proof_file(receipt(index, size), leaf(index), KEY)


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"index 3\n", b"index 2\n"),
        lambda text: text.replace(b"index 3\n", b"index 03\n"),
        lambda text: text.replace(b"index 3\n", b"index 1003\n"),
        lambda text: text.replace(b"index 3\n", b""),
        lambda text: text.replace(b"@v1", b"@v2"),
        lambda text: text.replace(b"\n1000\n", b"\n1001\n"),
        lambda text: text.replace(ORIGIN.encode() + b"\n1000", b"log.example/other\n1000"),
        lambda text: text.replace(b"\n\n", b"\n", 1),
        lambda text: text.partition(b"\n\n")[0] + b"\n\n" + published(257)["checkpoint"],
        lambda text: b"\n".join(text.split(b"\n")[:2] + text.split(b"\n")[3:]),
        lambda text: text.replace(b"index 3\n", b"index 3\n" + b"A" * 43 + b"=\n"),
        lambda text: text.replace(b"index 3\n", b"index 3\nAAAA\n"),
    ],
)
def test_a_damaged_receipt_is_refused(damage: Damage) -> None:
    text = receipt(3, 1000)
    damaged = damage(text)
    assert damaged != text
    with pytest.raises(VerificationFailed):
        verify_proof_file(damaged, leaf(3), KEY)


def test_a_receipt_does_not_prove_another_entry() -> None:
    with pytest.raises(VerificationFailed):
        verify_proof_file(receipt(3, 1000), leaf(4), KEY)
