"""The published log verified as it grows, by code that is not the product's (I2, I3, I4).

What is kept of the leaves read so far is their compact range: the roots of the full subtrees that
make up the tree (RFC 6962 §2.1), and the hashes of the last bundle. A root computed from it and the
new leaves, equal to the signed one, shows at once that the new tree holds all of the old one.

Invariants: each step verifies the signature, the bundles, the level-0 tiles and the root, or raises
VerificationFailed and takes nothing in; it raises OSError when the log cannot be read just now.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from loadtest.reconcile.log_copy import CHANGES, NodeFace
from tests.wire.independent_verifier import (
    TreeHead,
    VerificationFailed,
    hash_children,
    hash_leaf,
    read_checkpoint,
    require,
    resources,
)

WIDTH = 256
Subtree = tuple[int, bytes]


class CompactRange:
    """The roots of the full subtrees of a tree that only grows, the largest first."""

    def __init__(self, subtrees: tuple[Subtree, ...] = ()) -> None:
        self._subtrees = list(subtrees)

    def copy(self) -> CompactRange:
        """Return one that grows by itself."""
        return CompactRange(tuple(self._subtrees))

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash and join equal subtrees."""
        subtrees = self._subtrees
        subtrees.append((1, leaf))
        while len(subtrees) > 1 and subtrees[-2][0] == subtrees[-1][0]:
            (width, left), (_, right) = subtrees[-2:]
            subtrees[-2:] = [(2 * width, hash_children(left, right))]

    def root(self) -> bytes:
        """Return the root of the whole tree, which must have a leaf."""
        *others, (_, root) = self._subtrees
        for _, left in reversed(others):
            root = hash_children(left, root)
        return root


@dataclass(slots=True)
class FollowedLog:
    """One log; `tags`: what identifiers were registered; `kinds`: changes by their kind."""

    size: int = 0
    root: bytes = b""
    kinds: Counter[str] = field(default_factory=Counter)
    doubles: list[str] = field(default_factory=list)
    noted_root: tuple[int, bytes] = (0, b"")
    _verifier_key: str = ""
    _range: CompactRange = field(default_factory=CompactRange)
    _tail: list[bytes] = field(default_factory=list)
    _tags: set[bytes] = field(default_factory=set)

    def follow(self, face: NodeFace, *, noting: int = 0) -> TreeHead:
        """Read what is new up to the published checkpoint and verify it.

        When the size `noting` is passed on the way, its root becomes `noted_root`.
        """
        key = face.get("/log/vkey").decode().strip()
        require(key == (self._verifier_key or key), "the log has another key now")
        head = read_checkpoint(face.get("/log/checkpoint"), key)
        require(head.size >= self.size, f"the log shrank from {self.size} to {head.size}")
        if self.size and self.size == noting:
            self.noted_root = self.size, self.root
        if head.size > self.size:
            self._take(face, head, noting)
        require(head.root == self.root, f"another root of size {head.size}")
        self._verifier_key = key
        return head

    def _take(self, face: NodeFace, head: TreeHead, noting: int) -> None:
        grown, hashes, entries = self._range.copy(), list[bytes](), list[bytes]()
        first = self.size // WIDTH
        paths = list(resources("entries", head.size))[first:]
        tiles = list(resources("0", head.size))[first:]
        for (path, width), (tile, _) in zip(paths, tiles, strict=True):
            bundle = _entries(face.get(f"/log/{path}"), width, path)
            of_bundle = [hash_leaf(entry) for entry in bundle]
            require(face.get(f"/log/{tile}") == b"".join(of_bundle), f"{tile} has other hashes")
            entries += bundle
            hashes += of_bundle
        known = len(self._tail)
        require(hashes[:known] == self._tail, f"leaves before {self.size} have changed")
        for size, leaf in enumerate(hashes[known:], self.size + 1):
            grown.add(leaf)
            if size == noting:
                self.noted_root = size, grown.root()
        require(grown.root() == head.root, f"the entries do not hash to the root of {head.size}")
        self._range, self.size, self.root = grown, head.size, head.root
        rest = head.size % WIDTH
        self._tail = hashes[len(hashes) - rest :]
        for entry in entries[known:]:
            self._note(entry)

    def _note(self, entry: bytes) -> None:
        leaf = json.loads(entry)
        kind = str(leaf["kind"])
        if kind not in CHANGES:
            return
        self.kinds[kind] += 1
        if kind == "register":
            tag = str(leaf["id_tag"])
            compact = tag.encode()[:32]
            if compact in self._tags:
                self.doubles.append(tag)
            self._tags.add(compact)


def _entries(bundle: bytes, width: int, path: str) -> list[bytes]:
    """Cut a bundle into its entries (C2SP tlog-tiles)."""
    entries, position = [], 0
    for _ in range(width):
        length = int.from_bytes(bundle[position : position + 2], "big")
        entry = bundle[position + 2 : position + 2 + length]
        if len(entry) != length:
            raise VerificationFailed(f"{path} is cut short")
        entries.append(entry)
        position += 2 + length
    require(position == len(bundle), f"{path} has something left over")
    return entries
