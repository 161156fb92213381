"""The log: checkpoint, entries, tiles, root (RFC 6962 §2.1, C2SP tlog-checkpoint, -tiles)."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from admin.acceptance.verifier.bundle_files import BundleFiles
from admin.acceptance.verifier.faults import Faults, require
from admin.acceptance.verifier.notes import (
    Policy,
    parse_signed,
    signers_of,
    strict_base64,
    strict_number,
)

CHECKPOINT = "log/checkpoint"
_WIDTH = 256


class TreeHead(NamedTuple):
    """What the checkpoint states, and which witnesses have cosigned it."""

    origin: str
    size: int
    root: bytes
    cosigners: tuple[str, ...]


class Log(NamedTuple):
    """The entries of the log, with their hashes."""

    head: TreeHead
    entries: list[bytes]
    hashes: list[bytes]


def read_head(data: bytes, policy: Policy, faults: Faults) -> TreeHead:
    """Check the checkpoint's signatures against the policy; raises Broken."""
    note = parse_signed(data, CHECKPOINT)
    signed = signers_of(note, (policy.log, *policy.witnesses), CHECKPOINT)
    require(policy.log.name in signed, CHECKPOINT, "日志未签名", "the log has not signed")
    lines = note.text.decode("utf-8", "replace").split("\n")
    require(len(lines) == 4 and lines[3] == "", CHECKPOINT, "格式有误", "is malformed")
    require(lines[0] == policy.log.name, CHECKPOINT, "不是此日志", "is of another log")
    names = tuple(sorted({key.name for key in policy.witnesses} & set(signed)))
    if len(names) < policy.quorum:
        faults.add(
            CHECKPOINT,
            f"见证联署不足:需 {policy.quorum},有 {len(names)}",
            f"too few witnesses have cosigned: {len(names)} of {policy.quorum}",
        )
    size = strict_number(lines[1], CHECKPOINT)
    return TreeHead(lines[0], size, strict_base64(lines[2], CHECKPOINT), names)


def read_log(files: BundleFiles, head: TreeHead, faults: Faults) -> Log:
    """Read all entries, recompute the root and compare every tile; raises Broken."""
    entries: list[bytes] = []
    for name, width in tile_names("entries", head.size):
        faults.reading = name
        entries += _split(files.read(name), width, name)
    hashes = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    require(
        tree_root(hashes) == head.root,
        CHECKPOINT,
        "由条目重算的根与检查点不符",
        "the entries do not hash to the root of the checkpoint",
    )
    level, nodes = 0, hashes
    expected = {name for name, _ in tile_names("entries", head.size)}
    while nodes:
        for at, (name, width) in enumerate(tile_names(str(level), len(nodes))):
            faults.reading = name
            expected.add(name)
            wanted = b"".join(nodes[at * _WIDTH : at * _WIDTH + width])
            if files.read(name) != wanted:
                faults.add(name, "分片与条目不符", "the tile does not hold the entries' hashes")
        full = len(nodes) // _WIDTH
        nodes = [tree_root(nodes[n * _WIDTH : (n + 1) * _WIDTH]) for n in range(full)]
        level += 1
    for name in files.names():
        if name.startswith("log/tile/") and name not in expected:
            faults.add(name, "此大小的日志没有此分片", "a log of this size has no such tile")
    return Log(head, entries, hashes)


def tile_names(level: str, count: int) -> list[tuple[str, int]]:
    """Return path and width of the tiles or bundles that hold `count` things of one level."""
    found = []
    for number in range((count + _WIDTH - 1) // _WIDTH):
        width = min(_WIDTH, count - number * _WIDTH)
        groups = re.findall("...", str(number).zfill(-(-len(str(number)) // 3) * 3))
        path = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
        partial = "" if width == _WIDTH else f".p/{width}"
        found.append((f"log/tile/{level}/{path}{partial}", width))
    return found


def tree_root(hashes: list[bytes]) -> bytes:
    """Return the root over leaf hashes, level by level; an odd node rises unchanged."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    nodes, digest = hashes, hashlib.sha256
    while len(nodes) > 1:
        pairs = iter(nodes)
        joined = [digest(b"\1" + left + right).digest() for left, right in zip(pairs, pairs)]
        nodes = joined + nodes[-1:] if len(nodes) % 2 else joined
    return nodes[0]


def root_by_path(leaf_hash: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Return the root that an inclusion path leads to (RFC 9162 §2.1.3.2), None if it cannot."""
    if not 0 <= index < size:
        return None
    place, last, node = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return node if last == 0 else None


def _split(data: bytes, width: int, name: str) -> list[bytes]:
    entries, position = [], 0
    for _ in range(width):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        require(position <= len(data), name, "条目包被截断", "the bundle of entries is cut short")
        entries.append(data[start:position])
    require(position == len(data), name, "条目包有多余内容", "the bundle has something left over")
    return entries
