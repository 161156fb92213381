"""The Merkle tree of RFC 6962 §2.1: hashes, roots, proofs and their verification.

Invariants: SHA-256 throughout; a leaf and an inner node can never have the same preimage (prefix
bytes 0x00 and 0x01); a verification that fails raises ProofInvalid and never returns a value that
could be ignored. Sizes and indexes count leaves from 0; every hash has 32 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NoReturn, Self

from node.errors import InvalidInput, ProofInvalid

HASH_BYTES = 32
EMPTY_ROOT: bytes = sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""(level, index) -> root of the perfect subtree over leaves [index·2^level, (index+1)·2^level)."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one log entry (RFC 6962 §2.1: SHA-256 of 0x00 and the entry)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962 §2.1: SHA-256 of 0x01, left and right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over `leaf_hashes` (RFC 6962 §2.1); EMPTY_ROOT for none."""
    tree = CompactRange()
    tree.extend(leaf_hashes)
    return tree.root()


class CompactRange:
    """The least that must be kept of a tree to append to it and know its root.

    For each set bit l of `size` it holds the root of one perfect subtree of 2^l leaves; these
    subtrees, largest first, tile the leaves from left to right.
    """

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []  # By level; b"" where the bit of `size` is clear.

    @classmethod
    def load(cls, size: int, node: NodeReader) -> Self:
        """Rebuild the range of a stored tree of `size` leaves, reading one node per set bit."""
        loaded = cls()
        loaded.size = size
        loaded._roots = [
            node(level, (size >> level) - 1) if size >> level & 1 else b""
            for level in range(size.bit_length())
        ]
        return loaded

    def copy(self) -> Self:
        """Return an independent range; its cost is the depth of the tree, not its size."""
        twin = type(self)()
        twin.size = self.size
        twin._roots = self._roots.copy()
        return twin

    def append(self, leaf_hash: bytes) -> None:
        """Append one leaf, given by its hash."""
        self.extend((leaf_hash,))

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[Sequence[bytes]]:
        """Append leaves; return the roots of the subtrees they completed, by level, left to right.

        Element 0 is `leaf_hashes` itself; element l holds the new roots of 2^l leaves.
        """
        self.size += len(leaf_hashes)
        completed: list[Sequence[bytes]] = []
        arriving: Sequence[bytes] = leaf_hashes
        level = 0
        while arriving:
            completed.append(arriving)
            arriving = self._pair_up(level, arriving)
            level += 1
        return completed

    def _pair_up(self, level: int, arriving: Sequence[bytes]) -> list[bytes]:
        """Join new roots of one level in pairs; keep the odd one; return the parents."""
        if level == len(self._roots):
            self._roots.append(b"")
        waiting = self._roots[level]
        nodes = [waiting, *arriving] if waiting else list(arriving)
        self._roots[level] = nodes.pop() if len(nodes) % 2 else b""
        each = iter(nodes)
        # Written out instead of calling node_hash: this line is the cost of growing the log.
        return [
            sha256(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=True)
        ]

    def root(self) -> bytes:
        """Return the root of the tree so far (RFC 6962 §2.1)."""
        root = b""
        for subtree in self._roots:
            if subtree:
                root = node_hash(subtree, root) if root else subtree
        return root or EMPTY_ROOT


def inclusion_path(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, leaf's sibling first.

    RFC 6962 §2.1.1. Raises InvalidInput unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise InvalidInput(
            f"叶序号 {index} 不在大小为 {size} 的日志内",
            f"leaf index {index} is outside a log of {size} leaves",
        )
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    path.reverse()
    return path


def consistency_path(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Return the proof that the first `old` leaves of the tree of `new` leaves are unchanged.

    RFC 6962 §2.1.2. Empty for old = 0 and old = new. Raises InvalidInput unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise InvalidInput(
            f"旧日志大小 {old} 与新日志大小 {new} 不成先后",
            f"a log of {new} leaves has no earlier state of {old} leaves",
        )
    if old == 0:
        return []
    path: list[bytes] = []
    start, end = 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, node))
            end = middle
        else:
            path.append(_range_root(start, middle, node))
            start = middle
    # The verifier knows the old root; only a part of the old tree has to be told to it.
    if start > 0:
        path.append(_range_root(start, end, node))
    path.reverse()
    return path


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count` (the k of RFC 6962 §2.1)."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(start: int, end: int, node: NodeReader) -> bytes:
    """Return the root over leaves [start, end), where `start` is a multiple of the split size."""
    subtrees: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append(node(level, start >> level))
        start += 1 << level
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash `leaf` stands at `index` in the tree of `size` leaves and `root`.

    The algorithm of RFC 9162 §2.1.3.2 (same tree). Raises ProofInvalid.
    """
    _check_lengths(leaf, root, *path)
    if not 0 <= index < size:
        _refuse("叶序号超出日志大小", "the leaf index is outside the tree")
    fn, sn, computed = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            _refuse("包含证明过长", "the inclusion proof is too long")
        if fn & 1 or fn == sn:
            computed = node_hash(sibling, computed)
            fn, sn = _skip_to_right_child(fn, sn)
        else:
            computed = node_hash(computed, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        _refuse("包含证明过短", "the inclusion proof is too short")
    if computed != root:
        _refuse("包含证明与根哈希不符", "the inclusion proof does not lead to the root")


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree (new_size, new_root) extends the tree (old_size, old_root).

    The algorithm of RFC 9162 §2.1.4.2; an empty old tree needs an empty proof and EMPTY_ROOT
    (C2SP tlog-witness). Raises ProofInvalid.
    """
    _check_lengths(old_root, new_root, *path)
    if not 0 <= old_size <= new_size:
        _refuse("日志大小减小", "the log shrank")
    if old_size in (0, new_size):
        _verify_trivial_consistency(old_size, old_root, new_size, new_root, path)
        return
    # A perfect old tree is itself the first node of the walk, so its proof leaves it out.
    nodes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not path:
        _refuse("缺少一致性证明", "the consistency proof is missing")
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old_computed = new_computed = nodes[0]
    for neighbour in nodes[1:]:
        if sn == 0:
            _refuse("一致性证明过长", "the consistency proof is too long")
        if fn & 1 or fn == sn:
            old_computed = node_hash(neighbour, old_computed)
            new_computed = node_hash(neighbour, new_computed)
            fn, sn = _skip_to_right_child(fn, sn)
        else:
            new_computed = node_hash(new_computed, neighbour)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        _refuse("一致性证明过短", "the consistency proof is too short")
    if (old_computed, new_computed) != (old_root, new_root):
        _refuse("一致性证明与根哈希不符", "the consistency proof does not lead to both roots")


def _verify_trivial_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check the two cases that need no proof: nothing before, and nothing added."""
    if path:
        _refuse("一致性证明应为空", "the consistency proof must be empty here")
    if old_size == 0 and old_root != EMPTY_ROOT:
        _refuse("空日志的根哈希有误", "the root of an empty log is wrong")
    if old_size == new_size and old_root != new_root:
        _refuse("同一大小出现两个根哈希", "two roots for one log size")


def _skip_to_right_child(fn: int, sn: int) -> tuple[int, int]:
    """Climb the levels at which the node is an only child and so has no entry in the path."""
    while fn & 1 == 0 and fn != 0:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _check_lengths(*hashes: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        _refuse("证明中有长度不为 32 字节的哈希", "a hash in the proof is not 32 bytes long")


def _refuse(zh: str, en: str) -> NoReturn:
    raise ProofInvalid(zh, en)
