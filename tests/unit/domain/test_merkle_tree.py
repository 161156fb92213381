"""RFC 6962 §2.1: published vectors, proofs of every small tree, and proofs that must be refused.

Vectors: leaf inputs, leaf hashes, roots and paths of transparency-dev/merkle (testonly/constants.go
and the reference proofs of its tests), recomputed independently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.merkle_tree import (
    EMPTY_ROOT,
    CompactRange,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from node.errors import InvalidInput, ProofInvalid

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
        "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
N2_4 = bytes.fromhex("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e")
N4_6 = bytes.fromhex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a")
N6_8 = bytes.fromhex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0")
N4_8 = bytes.fromhex("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")

# Enough leaves for every proof test; the values mean nothing.
MANY = [sha256(b"leaf %d" % index).digest() for index in range(300)]


def mth(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 §2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def reader(leaves: list[bytes]) -> Callable[[int, int], bytes]:
    def node(level: int, index: int) -> bytes:
        subtree = leaves[index << level : (index + 1) << level]
        assert len(subtree) == 1 << level, "proofs read perfect subtrees only"
        return mth(subtree)

    return node


def test_published_leaf_hashes() -> None:
    assert [leaf_hash(data) for data in INPUTS] == LEAVES
    assert leaf_hash(b"L123456").hex() == (
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    )


def test_published_node_hash() -> None:
    assert node_hash(b"N123", b"N456").hex() == (
        "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert root_of(LEAVES[:size]) == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [LEAVES[1], N2_4, N4_8]),
        (5, 8, [LEAVES[4], N6_8, ROOTS[4]]),
        (2, 3, [ROOTS[2]]),
        (1, 5, [LEAVES[0], N2_4, LEAVES[4]]),
    ],
)
def test_published_inclusion_paths(index: int, size: int, path: list[bytes]) -> None:
    assert inclusion_path(index, size, reader(LEAVES)) == path


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (1, 1, []),
        (1, 8, [LEAVES[1], N2_4, N4_8]),
        (6, 8, [N4_6, N6_8, ROOTS[4]]),
        (2, 5, [N2_4, LEAVES[4]]),
        (6, 7, [N4_6, LEAVES[6], ROOTS[4]]),
    ],
)
def test_published_consistency_paths(old: int, new: int, path: list[bytes]) -> None:
    assert consistency_path(old, new, reader(LEAVES)) == path


@given(st.lists(st.integers(0, 90), max_size=6))
def test_appending_in_any_batches_gives_the_root_of_the_definition(batches: list[int]) -> None:
    tree = CompactRange()
    for count in batches:
        start = tree.size % len(MANY)
        tree.extend(MANY[start : start + count])
    leaves = [leaf for count, start in replay(batches) for leaf in MANY[start : start + count]]
    assert tree.size == len(leaves)
    assert tree.root() == mth(leaves)


def replay(batches: list[int]) -> Iterator[tuple[int, int]]:
    size = 0
    for count in batches:
        start = size % len(MANY)
        yield count, start
        size += min(count, len(MANY) - start)


def test_a_copy_does_not_grow_with_its_original() -> None:
    tree = CompactRange()
    tree.append(MANY[0])
    twin = tree.copy()
    tree.append(MANY[1])
    assert (twin.size, twin.root()) == (1, MANY[0])
    twin.append(MANY[1])
    assert twin.root() == tree.root()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 70, 255, 256, 257])
def test_a_loaded_range_goes_on_where_the_stored_one_stopped(size: int) -> None:
    tree = CompactRange.load(size, reader(MANY[:size]))
    assert tree.root() == mth(MANY[:size])
    tree.append(MANY[size])
    assert tree.root() == mth(MANY[: size + 1])


@pytest.mark.parametrize("size", [*range(1, 71), 255, 256, 257])
def test_every_leaf_is_proved_included(size: int) -> None:
    root, node = mth(MANY[:size]), reader(MANY[:size])
    for index in range(0, size, 1 if size <= 70 else 17):
        path = inclusion_path(index, size, node)
        verify_inclusion(MANY[index], index=index, size=size, path=path, root=root)


@pytest.mark.parametrize("new", [*range(71), 255, 256, 257])
def test_every_earlier_state_is_proved_consistent(new: int) -> None:
    node = reader(MANY[:new])
    for old in range(0, new + 1, 1 if new <= 70 else 16):
        verify_consistency(
            old_size=old,
            old_root=mth(MANY[:old]),
            new_size=new,
            new_root=mth(MANY[:new]),
            path=consistency_path(old, new, node),
        )


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (1, -1)])
def test_no_inclusion_path_for_a_leaf_outside_the_log(index: int, size: int) -> None:
    with pytest.raises(InvalidInput):
        inclusion_path(index, size, reader(MANY))


@pytest.mark.parametrize(("old", "new"), [(4, 3), (-1, 3), (0, -1)])
def test_no_consistency_path_from_a_later_state(old: int, new: int) -> None:
    with pytest.raises(InvalidInput):
        consistency_path(old, new, reader(MANY))


def wrong_paths(path: list[bytes]) -> Iterator[list[bytes]]:
    """Yield damaged copies of a path, each different from it."""
    garbage = bytes(32)
    for position, element in enumerate(path):
        for byte, bit in ((0, 1), (15, 8), (31, 128)):
            flipped = bytearray(element)
            flipped[byte] ^= bit
            yield [*path[:position], bytes(flipped), *path[position + 1 :]]
        yield path[:position] + path[position + 1 :]
        yield [*path[:position], b"", *path[position + 1 :]]
        yield [*path[:position], element[:-1], *path[position + 1 :]]
        yield [*path[:position], element + b"\x00", *path[position + 1 :]]
        yield [*path[:position], garbage, *path[position:]]
    yield [*path, garbage]
    yield [*path, b""]
    yield [garbage, *path]
    if len(path) > 1 and path != path[::-1]:
        yield path[::-1]
    if path:
        yield []


@pytest.mark.parametrize(
    ("index", "size"), [(0, 1), (0, 2), (1, 2), (2, 3), (1, 5), (4, 5), (5, 8), (6, 7), (69, 70)]
)
def test_every_wrong_inclusion_proof_is_refused(index: int, size: int) -> None:
    leaf, root = MANY[index], mth(MANY[:size])
    path = inclusion_path(index, size, reader(MANY[:size]))

    def refused(
        leaf: bytes = leaf,
        index: int = index,
        size: int = size,
        path: list[bytes] = path,
        root: bytes = root,
    ) -> None:
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf, index=index, size=size, path=path, root=root)

    for wrong in wrong_paths(path):
        refused(path=wrong)
    for wrong_index in (index - 1, index + 1, index ^ 2, -1, size, index + (1 << 64)):
        refused(index=wrong_index)
    # A proof does not fix the size of every tree it fits, but never one of another shape.
    for wrong_size in (0, -1, index, size * 2, size + (1 << 40)):
        refused(size=wrong_size)
    for wrong_hash in (b"", bytes(32), EMPTY_ROOT, root[:-1], root + b"\x00"):
        refused(root=wrong_hash)
    for wrong_hash in (b"", bytes(32), leaf[:-1], leaf + b"\x00"):
        refused(leaf=wrong_hash)
    if size > 1:
        refused(leaf=root, root=leaf)


@pytest.mark.parametrize(
    ("old", "new"), [(1, 2), (1, 8), (2, 5), (3, 4), (6, 7), (6, 8), (4, 8), (69, 70), (64, 70)]
)
def test_every_wrong_consistency_proof_is_refused(old: int, new: int) -> None:
    old_root, new_root = mth(MANY[:old]), mth(MANY[:new])
    path = consistency_path(old, new, reader(MANY[:new]))

    def refused(
        old_size: int = old,
        old_root: bytes = old_root,
        new_size: int = new,
        new_root: bytes = new_root,
        path: list[bytes] = path,
    ) -> None:
        with pytest.raises(ProofInvalid):
            verify_consistency(
                old_size=old_size,
                old_root=old_root,
                new_size=new_size,
                new_root=new_root,
                path=path,
            )

    for wrong in wrong_paths(path):
        refused(path=wrong)
    for wrong_old in (0, -1, old - 1, new, new + 1, old * 2 if old * 2 != new else 3 * old):
        refused(old_size=wrong_old)
    for wrong_new in (0, -1, old, old - 1, new * 2, new + (1 << 40)):
        refused(new_size=wrong_new)
    for wrong_root in (b"", bytes(32), EMPTY_ROOT, old_root[:-1], new_root + b"\x00"):
        refused(old_root=wrong_root)
        refused(new_root=wrong_root)
    refused(old_root=new_root, new_root=old_root)
    refused(old_root=new_root)
    refused(new_root=old_root)


def test_an_inclusion_path_beyond_the_root_is_refused_though_it_hashes_right() -> None:
    above = node_hash(MANY[1], MANY[0])
    with pytest.raises(ProofInvalid):
        verify_inclusion(MANY[0], index=0, size=1, path=[MANY[1]], root=above)


def test_hashes_of_other_lengths_are_refused_though_their_concatenation_fits() -> None:
    left, right = MANY[0], MANY[1]
    longer, shorter = left + right[:1], right[1:]
    assert node_hash(longer, shorter) == node_hash(left, right)
    with pytest.raises(ProofInvalid):
        verify_inclusion(longer, index=0, size=2, path=[shorter], root=node_hash(left, right))
    with pytest.raises(ProofInvalid):
        verify_consistency(
            old_size=1,
            old_root=longer,
            new_size=2,
            new_root=node_hash(left, right),
            path=[shorter],
        )


def test_two_roots_for_one_size_are_refused() -> None:
    with pytest.raises(ProofInvalid):
        verify_consistency(old_size=8, old_root=ROOTS[8], new_size=8, new_root=ROOTS[7], path=[])


def test_an_unneeded_consistency_proof_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        verify_consistency(
            old_size=8, old_root=ROOTS[8], new_size=8, new_root=ROOTS[8], path=[LEAVES[0]]
        )
    with pytest.raises(ProofInvalid):
        verify_consistency(
            old_size=0, old_root=EMPTY_ROOT, new_size=8, new_root=ROOTS[8], path=[LEAVES[0]]
        )


def test_an_empty_log_with_another_root_is_refused() -> None:
    with pytest.raises(ProofInvalid):
        verify_consistency(old_size=0, old_root=ROOTS[1], new_size=8, new_root=ROOTS[8], path=[])
