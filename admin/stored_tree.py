"""Compare stored hash tiles and entry bundles with the entries they must be made of.

Entries are handed over in order, a page at a time; what remains in memory is one hash for each 256
entries. A tile that holds more than the audited log had is right only if the log has grown since:
such tiles are kept in `longer` for the caller to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.domain.merkle_tree import EMPTY_ROOT, HASH_BYTES, CompactRange, leaf_hash, root_of
from node.domain.tiles import MAX_LEVEL, TILE_WIDTH, encode_entry_bundle, tile_path
from node.errors import LimitExceeded
from node.storage import audit_queries, log_queries
from node.storage.engine import Database, ReadScope

READ_AT_ONCE = 20


class StoredTree:
    """The tree of a log of `size` leaves, checked while its entries go by."""

    def __init__(self, database: Database, size: int, report: Callable[[str], None]) -> None:
        self._database = database
        self._size = size
        self._report = report
        self._tree = CompactRange()
        self._full: list[bytes] = []
        self.longer: list[str] = []

    @property
    def size(self) -> int:
        """Number of entries seen."""
        return self._tree.size

    def root(self) -> bytes:
        """Return the root of the entries seen."""
        return self._tree.root() if self._tree.size else EMPTY_ROOT

    async def take(self, entries: Sequence[bytes]) -> None:
        """Compare the next entries, beginning at a multiple of 256, with what is stored of them."""
        first = self._tree.size // TILE_WIDTH
        hashes = [leaf_hash(entry) for entry in entries]
        self._tree.extend(hashes)
        self._full += await self._compare_level(0, first, hashes)
        async with self._database.read() as scope:
            for number in range(len(entries) // TILE_WIDTH):
                start = number * TILE_WIDTH
                bundle = await log_queries.read_bundle(scope, first + number)
                if bundle != _bundle(entries[start : start + TILE_WIDTH]):
                    self._report(f"条目包 {first + number} 与日志不符 / entry bundle differs")

    async def finish(self) -> None:
        """Compare the tiles above the lowest level, once every entry has been taken."""
        level, hashes = 1, self._full
        while hashes:
            hashes = await self._compare_level(level, 0, hashes)
            level += 1

    async def _compare_level(self, level: int, first: int, hashes: Sequence[bytes]) -> list[bytes]:
        """Compare tiles of one level from number `first` on; return the hashes of the full ones."""
        groups = [hashes[at : at + TILE_WIDTH] for at in range(0, len(hashes), TILE_WIDTH)]
        for start in range(0, len(groups), READ_AT_ONCE):
            some = groups[start : start + READ_AT_ONCE]
            addresses = [(level, first + start + n) for n in range(len(some))]
            async with self._database.read() as scope:
                stored = await log_queries.read_tiles(scope, addresses)
            for address, group in zip(addresses, some, strict=True):
                self._compare_tile(address, b"".join(group), stored.get(address, b""))
        return [root_of(group) for group in groups if len(group) == TILE_WIDTH]

    def _compare_tile(self, address: tuple[int, int], expected: bytes, stored: bytes) -> None:
        if stored == expected:
            return
        difference = f"分片 {tile_path(*address)} 与日志不符 / hash tile differs"
        if stored.startswith(expected) and len(stored) <= TILE_WIDTH * HASH_BYTES:
            self.longer.append(difference)
        else:
            self._report(difference)

    async def has_more_rows(self, scope: ReadScope) -> bool:
        """Say whether leaves, tiles or bundles are stored that a log of this size does not have."""
        tiles = sum(-(-(self._size >> 8 * level) // TILE_WIDTH) for level in range(MAX_LEVEL + 1))
        expected = (self._size, tiles, self._size // TILE_WIDTH)
        return await audit_queries.tree_totals(scope) != expected


def _bundle(entries: Sequence[bytes]) -> bytes | None:
    """Return the bundle of 256 entries, None when one of them is too long for any bundle."""
    try:
        return encode_entry_bundle(entries)
    except LimitExceeded:
        return None
