"""C2SP tlog-tiles: paths, bundles, and tiles that always agree with the plain tree."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.domain.merkle_tree import (
    consistency_path,
    inclusion_path,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from node.domain.tiles import (
    GrowingTree,
    Tile,
    TileAddress,
    decode_entry_bundle,
    encode_entry_bundle,
    node_reader,
    parse_tile_path,
    tile_path,
    tile_width,
    tiles_for_consistency,
    tiles_for_inclusion,
)
from node.errors import IntegrityFailure, InvalidInput, LimitExceeded

LEAVES = [sha256(b"leaf %d" % index).digest() for index in range(70_001)]
EDGE_SIZES = [*range(71), 254, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000]


class TileStore(dict[tuple[int, int], bytes]):
    """Tiles as a sequencer stores them: one content for each (level, number)."""

    def put(self, tiles: Iterable[Tile]) -> None:
        self.update({(tile.level, tile.number): tile.hashes for tile in tiles})

    def read(self, level: int, number: int) -> bytes:
        return self[level, number]


def stored_tree(size: int, batch: int = 1000) -> tuple[GrowingTree, TileStore]:
    tree, store = GrowingTree(), TileStore()
    for start in range(0, size, batch):
        store.put(tree.append(LEAVES[start : min(start + batch, size)]))
    return tree, store


# Examples of C2SP tlog-tiles "Merkle Tree" and the numbers around the group boundaries.
@pytest.mark.parametrize(
    ("address", "path"),
    [
        (TileAddress(0, 0), "tile/0/000"),
        (TileAddress(0, 67, 112), "tile/0/067.p/112"),
        (TileAddress(0, 999), "tile/0/999"),
        (TileAddress(0, 1000), "tile/0/x001/000"),
        (TileAddress(1, 1171, 1), "tile/1/x001/171.p/1"),
        (TileAddress(2, 1_234_067), "tile/2/x001/x234/067"),
        (TileAddress(5, 10**15 - 1, 255), "tile/5/x999/x999/x999/x999/999.p/255"),
        (TileAddress("entries", 1_234_067, 9), "tile/entries/x001/x234/067.p/9"),
    ],
)
def test_tile_paths_of_the_specification(address: TileAddress, path: str) -> None:
    assert tile_path(address.level, address.number, address.width) == path
    assert parse_tile_path(path) == address


@given(
    st.integers(0, 5) | st.just("entries"),
    st.integers(0, 10**15 - 1),
    st.integers(1, 256),
)
def test_tile_paths_round_trip(level: int | str, number: int, width: int) -> None:
    address = parse_tile_path(tile_path(level, number, width))
    assert (address.level, address.number, address.width) == (level, number, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/067",
        "tile/0/x001/x234",
        "tile/0/001/067",
        "tile/0/x001/67",
        "tile/0/X001/067",
        "tile/00/000",
        "tile/6/000",
        "tile/63/000",
        "tile/-1/000",
        "tile/entry/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/1000",
        "tile/0/000.p/-1",
        "tile/0/000.p/1\n",
        "tile/0/٠٠٠",
        "tile/0/x001/x001/x001/x001/x001/001",
        "tile/0/../0/000",
        "tile/0/000.p/1?x",
    ],
)
def test_other_spellings_of_a_tile_path_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        parse_tile_path(path)


@given(st.text(alphabet="tile/entris0123456789x.p", max_size=40) | st.text(max_size=40))
def test_a_tile_path_is_refused_or_canonical(path: str) -> None:
    try:
        address = parse_tile_path(path)
    except InvalidInput:
        return
    assert tile_path(address.level, address.number, address.width) == path


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_entry_bundles_round_trip(entries: list[bytes]) -> None:
    assert decode_entry_bundle(encode_entry_bundle(entries)) == entries


@given(st.binary(max_size=64))
def test_an_entry_bundle_is_refused_or_canonical(data: bytes) -> None:
    try:
        entries = decode_entry_bundle(data)
    except InvalidInput:
        return
    assert encode_entry_bundle(entries) == data


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01ab", b"\xff\xff" + bytes(65_534)],
)
def test_a_bundle_that_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_entry_bundle(data)


def test_a_bundle_of_more_than_256_entries_is_refused() -> None:
    with pytest.raises(InvalidInput):
        decode_entry_bundle(bytes(2) * 257)
    with pytest.raises(LimitExceeded):
        encode_entry_bundle([b""] * 257)


def test_no_bundle_is_written_without_entries_or_with_an_entry_too_long() -> None:
    with pytest.raises(LimitExceeded):
        encode_entry_bundle([])
    with pytest.raises(LimitExceeded):
        encode_entry_bundle([bytes(65_536)])
    assert decode_entry_bundle(encode_entry_bundle([bytes(65_535)])) == [bytes(65_535)]


@pytest.mark.parametrize(
    ("size", "level", "number", "width"),
    [
        # The example of C2SP tlog-tiles "Partial Tiles": 70,000 leaves, and 256 leaves.
        (70_000, 0, 272, 256),
        (70_000, 0, 273, 112),
        (70_000, 0, 274, 0),
        (70_000, 1, 0, 256),
        (70_000, 1, 1, 17),
        (70_000, 2, 0, 1),
        (70_000, 3, 0, 0),
        (256, 0, 0, 256),
        (256, 1, 0, 1),
        (255, 1, 0, 0),
    ],
)
def test_tile_widths_of_the_specification(size: int, level: int, number: int, width: int) -> None:
    assert tile_width(size, level, number) == width


def test_a_log_of_70000_leaves_has_the_tiles_of_the_specification() -> None:
    _, store = stored_tree(70_000)
    widths = {place: len(hashes) // 32 for place, hashes in store.items()}
    expected = {(0, number): 256 for number in range(273)}
    expected |= {(0, 273): 112, (1, 0): 256, (1, 1): 17, (2, 0): 1}
    assert widths == expected


@pytest.mark.parametrize("size", EDGE_SIZES)
def test_tree_grown_in_batches_has_the_plain_root(size: int) -> None:
    tree, _ = stored_tree(size, batch=997)
    assert tree.size == size
    assert tree.root() == root_of(LEAVES[:size])


@pytest.mark.parametrize("size", EDGE_SIZES)
def test_a_tree_loaded_from_its_tiles_goes_on_like_the_original(size: int) -> None:
    original, store = stored_tree(size)
    loaded = GrowingTree.load(size, store.read)
    assert (loaded.size, loaded.root()) == (size, root_of(LEAVES[:size]))
    assert loaded.append(LEAVES[size : size + 300]) == original.append(LEAVES[size : size + 300])
    assert loaded.root() == original.root()


@settings(deadline=None)
@given(st.lists(st.integers(0, 700), max_size=5))
def test_changed_tiles_come_once_and_hold_the_plain_hashes(batches: list[int]) -> None:
    tree, store = GrowingTree(), TileStore()
    for count in batches:
        start = tree.size
        tiles = tree.append(LEAVES[start : start + count])
        places = [(tile.level, tile.number) for tile in tiles]
        assert len(set(places)) == len(places)
        store.put(tiles)
    for (level, number), hashes in store.items():
        assert len(hashes) == 32 * tile_width(tree.size, level, number)
        step = 256**level
        first = number * 256 * step
        starts = range(first, first + len(hashes) // 32 * step, step)
        assert hashes == b"".join(root_of(LEAVES[at : at + step]) for at in starts)


def test_only_the_right_edge_changes() -> None:
    tree, _ = stored_tree(300)
    changed = tree.append(LEAVES[300:520])
    assert [(tile.level, tile.number, tile.width) for tile in changed] == [
        (0, 1, 256),
        (0, 2, 8),
        (1, 0, 2),
    ]


def test_nothing_changes_without_leaves() -> None:
    tree, _ = stored_tree(300)
    assert tree.append([]) == []
    assert tree.size == 300


def test_a_discarded_batch_leaves_no_trace() -> None:
    tree, _ = stored_tree(1000)
    attempt = tree.copy()
    attempt.append(LEAVES[5000:6000])
    assert (tree.size, tree.root()) == (1000, root_of(LEAVES[:1000]))
    again = tree.copy()
    again.append(LEAVES[1000:2000])
    assert again.root() == root_of(LEAVES[:2000])


def test_a_leaf_hash_of_another_length_is_refused_before_anything_changes() -> None:
    tree, _ = stored_tree(10)
    with pytest.raises(IntegrityFailure):
        tree.append([LEAVES[10], b"short"])
    assert (tree.size, tree.root()) == (10, root_of(LEAVES[:10]))


@pytest.mark.parametrize("size", [1, 2, 70, 255, 256, 257, 1000, 65_537, 70_000])
def test_prefetched_tiles_suffice_for_inclusion(size: int) -> None:
    tree, store = stored_tree(size)
    for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
        tiles = TileStore({place: store[place] for place in tiles_for_inclusion(index, size)})
        node = node_reader(size, tiles.read)
        path = inclusion_path(index, size, node)
        verify_inclusion(LEAVES[index], index=index, size=size, path=path, root=tree.root())


@pytest.mark.parametrize("size", [2, 70, 256, 257, 1000, 65_537, 70_000])
def test_prefetched_tiles_suffice_for_consistency(size: int) -> None:
    tree, store = stored_tree(size)
    for old in {0, 1, 255, 256, 257, size // 2, size - 1, size} & set(range(size + 1)):
        tiles = TileStore({place: store[place] for place in tiles_for_consistency(old, size)})
        node = node_reader(size, tiles.read)
        verify_consistency(
            old_size=old,
            old_root=root_of(LEAVES[:old]),
            new_size=size,
            new_root=tree.root(),
            path=consistency_path(old, size, node),
        )


def test_wider_tiles_of_a_later_tree_serve_an_earlier_size() -> None:
    _, store = stored_tree(1000)
    path = inclusion_path(100, 700, node_reader(700, store.read))
    verify_inclusion(LEAVES[100], index=100, size=700, path=path, root=root_of(LEAVES[:700]))


def test_a_tile_narrower_than_the_log_is_an_integrity_failure() -> None:
    _, store = stored_tree(1000)
    store[0, 3] = store[0, 3][:-32]
    with pytest.raises(IntegrityFailure):
        inclusion_path(999, 1000, node_reader(1000, store.read))
    with pytest.raises(IntegrityFailure):
        GrowingTree.load(1000, store.read)


def test_an_edge_tile_wider_than_the_log_is_an_integrity_failure() -> None:
    _, store = stored_tree(1000)
    with pytest.raises(IntegrityFailure):
        GrowingTree.load(999, store.read)
