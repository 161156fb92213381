"""A second opinion on the log: a verifier written from the public specifications alone.

It imports nothing of the product, so a fault shared by the product's writer and reader cannot hide
from it. Sources: RFC 6962 §2.1 and §2.1.1 (tree and audit paths, in their recursive form), C2SP
signed-note, tlog-checkpoint, tlog-tiles and tlog-proof. Every check that fails raises
VerificationFailed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], bytes]


class VerificationFailed(Exception):
    """The log or the proof is not what its signature says."""


class TreeHead(NamedTuple):
    """What a checkpoint states."""

    origin: str
    size: int
    root: bytes


def verify_log(fetch: Fetch, verifier_key: str) -> None:
    """Read a whole log and check that entries, tiles and signed checkpoint agree.

    `fetch` returns the resource at a path below the log's prefix (`checkpoint`, `tile/0/000` …)
    and may raise anything when there is none.
    """
    head = read_checkpoint(fetch("checkpoint"), verifier_key)
    hashes = [hash_leaf(entry) for entry in read_entries(fetch, head.size)]
    require(merkle_tree_hash(hashes) == head.root, "the entries do not hash to the signed root")
    level = 0
    while hashes:
        compare_tiles(fetch, level, hashes)
        # Each hash one level up is the tree hash of one full tile.
        full = len(hashes) // 256
        hashes = [merkle_tree_hash(hashes[256 * n : 256 * n + 256]) for n in range(full)]
        level += 1


def verify_proof_file(text: bytes, leaf: bytes, verifier_key: str) -> None:
    """Check that a `.tlog-proof` file proves the entry `leaf` to be in the key's log."""
    head_part, blank, checkpoint = text.partition(b"\n\n")
    lines = head_part.decode("ascii", errors="replace").split("\n")
    require(bool(blank) and lines.pop(0) == "c2sp.org/tlog-proof@v1", "this is no tlog-proof v1")
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    require(bool(lines) and lines[0].startswith("index "), "the index line is missing")
    index = decimal(lines.pop(0).removeprefix("index "))
    path = [from_base64(line) for line in lines]
    require(all(len(node) == 32 for node in path), "a hash of the path has not 32 bytes")
    head = read_checkpoint(checkpoint, verifier_key)
    require(index < head.size, "the index is beyond the tree")
    root = root_from_path(hash_leaf(leaf), index, head.size, path)
    require(root == head.root, "the path does not lead to the signed root")


def read_checkpoint(note: bytes, verifier_key: str) -> TreeHead:
    """Return the tree head in a note after checking the signature of the one key."""
    body, _, signatures = note.rpartition(b"\n\n")
    body += b"\n"
    require(signatures.endswith(b"\n"), "the note does not end in a signature line")
    name, key_id, key = read_verifier_key(verifier_key)
    signed = False
    for line in utf_8(signatures).split("\n")[:-1]:
        parts = line.split(" ")
        require(len(parts) == 3 and parts[0] == "\u2014", "a signature line is malformed")
        blob = from_base64(parts[2])
        if (parts[1], blob[:4]) == (name, key_id):
            check_signature(key, blob[4:], body)
            signed = True
    require(signed, "the log's key has not signed")
    lines = utf_8(body).split("\n")
    require(len(lines) >= 4 and "" not in lines[:-1], "the checkpoint has a line too few or empty")
    require(lines[0] == name, "origin and key name differ")
    return TreeHead(lines[0], decimal(lines[1]), from_base64(lines[2]))


def read_verifier_key(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    """Return name, key id and public key of an Ed25519 (type 0x01) verifier key."""
    name, hex_id, encoded = text.split("+", 2)
    material = from_base64(encoded)
    require(len(material) == 33 and material[0] == 1, "this is no Ed25519 verifier key")
    expected = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    require(expected.hex() == hex_id, "the key id does not fit the key")
    return name, expected, Ed25519PublicKey.from_public_bytes(material[1:])


def check_signature(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    """Check an Ed25519 signature."""
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise VerificationFailed("the signature is wrong") from error


def read_entries(fetch: Fetch, size: int) -> Iterator[bytes]:
    """Yield all entries of a log of `size` from its bundles."""
    for path, width in resources("entries", size):
        bundle = fetch(path)
        position = 0
        for _ in range(width):
            length = int.from_bytes(bundle[position : position + 2], "big")
            entry = bundle[position + 2 : position + 2 + length]
            require(position + 2 + length <= len(bundle), f"{path} is cut short")
            position += 2 + length
            yield entry
        require(position == len(bundle), f"{path} has something left over")


def compare_tiles(fetch: Fetch, level: int, hashes: list[bytes]) -> None:
    """Check that the tiles of one level hold exactly `hashes`."""
    start = 0
    for path, width in resources(str(level), len(hashes)):
        expected = b"".join(hashes[start : start + width])
        require(fetch(path) == expected, f"{path} does not hold the hashes of the entries")
        start += width


def resources(level: str, count: int) -> Iterator[tuple[str, int]]:
    """Yield path and width of the tiles or bundles that hold `count` things of one level."""
    for number in range((count + 255) // 256):
        width = min(256, count - 256 * number)
        digits = str(number)
        while len(digits) % 3:
            digits = "0" + digits
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        path = "/".join(["tile", level, *("x" + group for group in groups[:-1]), groups[-1]])
        yield (path if width == 256 else f"{path}.p/{width}"), width


def hash_leaf(entry: bytes) -> bytes:
    """RFC 6962 §2.1: MTH({d(0)})."""
    return hashlib.sha256(bytes([0]) + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1: the hash of an inner node."""
    return hashlib.sha256(bytes([1]) + left + right).digest()


def merkle_tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1: MTH(D[n]), over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_of_two_below(len(leaves))
    return hash_children(merkle_tree_hash(leaves[:k]), merkle_tree_hash(leaves[k:]))


def root_from_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962 §2.1.1 read backwards: the root that PATH(index, D[size]) leads to."""
    if size == 1:
        require(not path, "the path is too long")
        return leaf
    require(bool(path), "the path is too short")
    k = largest_power_of_two_below(size)
    if index < k:
        return hash_children(root_from_path(leaf, index, k, path[:-1]), path[-1])
    return hash_children(path[-1], root_from_path(leaf, index - k, size - k, path[:-1]))


def largest_power_of_two_below(n: int) -> int:
    """RFC 6962 §2.1: the k with k < n <= 2k."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def decimal(text: str) -> int:
    """Read ASCII decimal without leading zeros."""
    require(text.isascii() and text.isdigit() and len(text) < 20, "this is no decimal number")
    require(text == "0" or text[0] != "0", "a number has leading zeros")
    return int(text)


def utf_8(data: bytes) -> str:
    """Read UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise VerificationFailed("this is no UTF-8") from error


def from_base64(text: str) -> bytes:
    """Read standard base64 (RFC 4648 §4)."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationFailed("this is no base64") from error


def require(condition: bool, otherwise: str) -> None:
    """Raise VerificationFailed unless the condition holds."""
    if not condition:
        raise VerificationFailed(otherwise)
