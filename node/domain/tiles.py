"""The log as C2SP tlog-tiles: tile addresses, entry bundles and the growing right edge.

Invariants: a tile holds 1..256 hashes; a full tile never changes; a partial tile is never hashed
into the level above; at level l the tree of `size` leaves has floor(size / 256^l) hashes. Nothing
here does I/O: callers pass a function that reads a tile, or ask which tiles to read beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from node.domain.merkle_tree import (
    HASH_BYTES,
    CompactRange,
    NodeReader,
    consistency_path,
    inclusion_path,
    root_of,
)
from node.errors import IntegrityFailure, InvalidInput, LimitExceeded

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 5  # 256^6 leaves, some 10^14: no log of batches grows larger.
MAX_ENTRY_BYTES = 0xFFFF

Level = int | Literal["entries"]
TileReader = Callable[[int, int], bytes]
"""(level, number) -> the hashes of one tile, at least as wide as the size in question needs."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One hash tile: `hashes` is 1..256 hashes of 32 bytes, left to right."""

    level: int
    number: int
    hashes: bytes

    @property
    def width(self) -> int:
        """Number of hashes, 1..256."""
        return len(self.hashes) // HASH_BYTES


@dataclass(frozen=True, slots=True)
class TileAddress:
    """What a tile path names; `width` 256 stands for the full tile."""

    level: Level
    number: int
    width: int = TILE_WIDTH


# At most five groups of three digits, so at most 10^15 tiles.
_PATH = re.compile(
    r"tile/(?P<level>[0-5]|entries)/(?P<number>(?:x[0-9]{3}/){0,4}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile or (level "entries") bundle, as in `tile/0/x001/067.p/112`.

    C2SP tlog-tiles "Merkle Tree": groups of three digits, all but the last with an `x`.
    """
    *leading, last = (group.zfill(3) for group in f"{number:,}".split(","))
    folders = "".join(f"x{group}/" for group in leading)
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{folders}{last}{partial}"


def parse_tile_path(path: str) -> TileAddress:
    """Read a tile path; accept only the one spelling that `tile_path` writes.

    Raises InvalidInput, also for levels above 5 and widths outside 1..255 after `.p/`.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise InvalidInput("日志分片路径有误", "this is no tile path")
    name = match["level"]
    level: Level = "entries" if name == "entries" else int(name)
    number = int(match["number"].replace("x", "").replace("/", ""))
    width = int(match["width"] or TILE_WIDTH)
    # Rewriting finds needless leading groups, and `.p/256` and above.
    if width > TILE_WIDTH or tile_path(level, number, width) != path:
        raise InvalidInput("日志分片路径不是规范写法", "the tile path is not in canonical form")
    return TileAddress(level, number, width)


def tile_width(size: int, level: int, number: int) -> int:
    """Return how many hashes tile (level, number) has in a tree of `size` leaves: 0..256."""
    hashes = size >> TILE_HEIGHT * level
    return max(0, min(TILE_WIDTH, hashes - number * TILE_WIDTH))


def encode_entry_bundle(entries: Iterable[bytes]) -> bytes:
    """Return 1..256 entries as a bundle: each with its length as big-endian uint16 before it.

    C2SP tlog-tiles "Log entries". Raises LimitExceeded for an entry over 65,535 bytes or a wrong
    number of entries.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise LimitExceeded("日志条目超过 65535 字节", "a log entry exceeds 65,535 bytes")
        parts += (len(entry).to_bytes(2, "big"), entry)
    if not 0 < len(parts) <= 2 * TILE_WIDTH:
        raise LimitExceeded("条目包应含 1 至 256 个条目", "a bundle holds 1 to 256 entries")
    return b"".join(parts)


def decode_entry_bundle(data: bytes) -> list[bytes]:
    """Split a bundle into its 1..256 entries; raises InvalidInput on anything left over or cut."""
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if position > len(data):
            raise InvalidInput("条目包被截断", "the entry bundle is cut short")
        entries.append(data[start:position])
        if len(entries) > TILE_WIDTH:
            raise InvalidInput("条目包超过 256 个条目", "the entry bundle exceeds 256 entries")
    if not entries:
        raise InvalidInput("条目包为空", "the entry bundle is empty")
    return entries


def node_reader(size: int, read_tile: TileReader) -> NodeReader:
    """Return a reader of the perfect subtrees of a tree of `size` leaves, computed from tiles.

    The reader raises IntegrityFailure when a tile is narrower than `size` requires; a wider one
    (of a later, larger tree) serves as well, because tiles only grow.
    """

    def node(level: int, index: int) -> bytes:
        tile_level, number = _tile_of(level, index)
        first = (index << level % TILE_HEIGHT) % TILE_WIDTH
        end = first + (1 << level % TILE_HEIGHT)
        hashes = read_tile(tile_level, number)
        if len(hashes) < max(end, tile_width(size, tile_level, number)) * HASH_BYTES:
            raise _damaged(tile_level, number)
        return root_of(
            [hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(first, end)]
        )

    return node


def tiles_for_inclusion(index: int, size: int) -> list[tuple[int, int]]:
    """Name the tiles (level, number) that `inclusion_path(index, size, …)` reads, sorted."""
    touched: set[tuple[int, int]] = set()
    inclusion_path(index, size, _recorder(touched))
    return sorted(touched)


def tiles_for_root(size: int) -> list[tuple[int, int]]:
    """Name the tiles (level, number) that `CompactRange.load(size, …)` reads, sorted."""
    touched: set[tuple[int, int]] = set()
    CompactRange.load(size, _recorder(touched))
    return sorted(touched)


def tiles_for_consistency(old: int, new: int) -> list[tuple[int, int]]:
    """Name the tiles (level, number) that `consistency_path(old, new, …)` reads, sorted."""
    touched: set[tuple[int, int]] = set()
    consistency_path(old, new, _recorder(touched))
    return sorted(touched)


def _recorder(touched: set[tuple[int, int]]) -> NodeReader:
    # The proof code itself says what it reads, so the list can never drift from it.
    def node(level: int, index: int) -> bytes:
        touched.add(_tile_of(level, index))
        return bytes(HASH_BYTES)

    return node


def _tile_of(level: int, index: int) -> tuple[int, int]:
    """Return (level, number) of the tile that spans the perfect subtree (level, index)."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    return tile_level, index >> TILE_HEIGHT - height


def _damaged(level: int, number: int) -> IntegrityFailure:
    path = tile_path(level, number)
    return IntegrityFailure(
        f"日志分片 {path} 的宽度与日志大小不符",
        f"the width of {path} contradicts the size of the log",
    )


class GrowingTree:
    """The right edge of the log's tree, owned by the sequencer; it only ever grows.

    Kept per level: the hashes of the tile that is not yet full. To be able to discard a batch
    whose commit failed, append to a `copy()` and keep it once the commit is known to have held.
    """

    __slots__ = ("_edges", "_range")

    def __init__(self) -> None:
        self._range = CompactRange()
        self._edges: list[bytes] = []

    @classmethod
    def load(cls, size: int, read_tile: TileReader) -> Self:
        """Rebuild the edge of a stored tree of `size` leaves from its partial tiles alone.

        Raises IntegrityFailure when a stored tile has not exactly the width that `size` implies.
        The caller compares `root()` with its last signed checkpoint.
        """
        loaded = cls()
        for level in range((size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT):
            number, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
            edge = read_tile(level, number) if width else b""
            if len(edge) != width * HASH_BYTES:
                raise _damaged(level, number)
            loaded._edges.append(edge)
        # Every subtree that the root is made of lies in a partial tile of this edge.
        node = node_reader(size, lambda level, _number: loaded._edges[level])
        loaded._range = CompactRange.load(size, node)
        return loaded

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._range.size

    def copy(self) -> Self:
        """Return an independent tree; its cost is the depth of the tree, not its size."""
        twin = type(self)()
        twin._range = self._range.copy()
        twin._edges = self._edges.copy()
        return twin

    def append(self, leaf_hashes: Sequence[bytes]) -> list[Tile]:
        """Append leaves; return every tile that changed, once each, with its new content.

        Full tiles first within a level, then the partial tile at the edge if it is not empty.
        Raises IntegrityFailure, before anything changed, for a hash that is not 32 bytes long:
        once signed, it could never be taken out of the log again.
        """
        if any(len(leaf_hash) != HASH_BYTES for leaf_hash in leaf_hashes):
            raise IntegrityFailure("叶哈希长度有误", "a leaf hash is not 32 bytes long")
        size_before = self.size
        completed = self._range.extend(leaf_hashes)
        return [
            tile
            for level, nodes in enumerate(completed[::TILE_HEIGHT])
            for tile in self._extend_edge(level, nodes, size_before)
        ]

    def _extend_edge(self, level: int, nodes: Sequence[bytes], size_before: int) -> list[Tile]:
        if level == len(self._edges):
            self._edges.append(b"")
        hashes = self._edges[level] + b"".join(nodes)
        first = size_before >> TILE_HEIGHT * (level + 1)
        full_bytes = TILE_WIDTH * HASH_BYTES
        tiles = [
            Tile(level, first + offset, hashes[offset * full_bytes : (offset + 1) * full_bytes])
            for offset in range(-(-len(hashes) // full_bytes))
        ]
        self._edges[level] = hashes[len(hashes) // full_bytes * full_bytes :]
        return tiles

    def root(self) -> bytes:
        """Return the root of the whole tree (RFC 6962 §2.1)."""
        return self._range.root()
