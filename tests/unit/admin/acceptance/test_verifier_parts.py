"""The verifier's own cryptography and arithmetic, against standards and second opinions."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from admin.acceptance.beijing import beijing_day, weekday_and_hour
from admin.acceptance.beijing import beijing_hour as hour_of_node
from admin.acceptance.shares import percent
from admin.acceptance.single_file import single_file
from admin.acceptance.verifier.ed25519 import verify_ed25519, verify_in_python
from admin.acceptance.verifier.log_tree import root_by_path, tile_names, tree_root
from admin.acceptance.verifier.registrations import beijing_hour, share, unix_ms, weekday
from admin.acceptance.verifier.sample_check import draw
from admin.acceptance.verifier.sm3 import sm3_hex, sm3_in_python
from node.domain.counting.moments import moment_text
from node.domain.merkle_tree import inclusion_path, leaf_hash, root_of
from node.domain.tiles import tile_path

MOMENTS = st.integers(0, 4_102_444_800_000)  # until the year 2100

# RFC 8032 §7.1: public key, message, signature.
RFC_8032 = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
)
# GB/T 32905-2016, appendix A.
SM3 = (
    (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
)


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_ed25519_in_python_agrees_with_rfc_8032(key: str, message: str, signature: str) -> None:
    parts = bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message)
    assert verify_in_python(*parts)
    assert verify_ed25519(*parts)
    assert not verify_in_python(parts[0], parts[1], parts[2] + b"x")


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 95))
def test_ed25519_in_python_refuses_a_changed_byte(seed: bytes, message: bytes, place: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    whole = bytearray(key.public_key().public_bytes_raw() + key.sign(message))
    assert verify_in_python(bytes(whole[:32]), bytes(whole[32:]), message)
    whole[place] ^= 0x04
    assert not verify_in_python(bytes(whole[:32]), bytes(whole[32:]), message)


@pytest.mark.parametrize(("message", "digest"), SM3)
def test_sm3_agrees_with_the_standard(message: bytes, digest: str) -> None:
    assert sm3_in_python(message) == sm3_hex(message) == digest


@given(st.integers(1, 700), st.data())
def test_tree_of_the_verifier_is_that_of_the_node(size: int, data: st.DataObject) -> None:
    hashes = [leaf_hash(str(n).encode()) for n in range(size)]
    root = root_of(hashes)
    assert tree_root(hashes) == root
    index = data.draw(st.integers(0, size - 1))

    def node(level: int, at: int) -> bytes:
        return root_of(hashes[at << level : (at + 1) << level])

    path = inclusion_path(index, size, node)
    assert root_by_path(hashes[index], index, size, path) == root
    if path:
        assert root_by_path(hashes[index], index, size, path[:-1]) != root


@pytest.mark.parametrize("count", [1, 256, 257, 300_000, 256 * 1_001])
def test_tiles_are_named_as_the_node_names_them(count: int) -> None:
    numbered = list(enumerate(tile_names("entries", count)))
    for number, (name, width) in (*numbered[:3], *numbered[-3:]):
        assert name == "log/" + tile_path("entries", number, width)


@given(MOMENTS)
def test_beijing_time_of_the_verifier_is_that_of_the_node(at_ms: int) -> None:
    text = moment_text(at_ms)
    assert unix_ms(text) == at_ms
    assert beijing_hour(at_ms) == hour_of_node(at_ms)
    assert beijing_hour(at_ms)[:10] == beijing_day(text)
    assert (weekday(at_ms), int(beijing_hour(at_ms)[11:])) == weekday_and_hour(at_ms)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_shares_of_the_verifier_are_those_of_the_node(part: int, whole: int) -> None:
    assert share(part, whole) == percent(part, whole)


@given(st.text(max_size=20), st.integers(1, 500), st.integers(1, 40))
def test_sample_holds_no_place_twice(nonce: str, population: int, count: int) -> None:
    root = hashlib.sha256(nonce.encode()).digest()
    drawn = draw(nonce, root, population, count)
    assert len(set(drawn)) == len(drawn) == min(count, population)
    assert set(drawn) <= set(range(population))
    assert draw(nonce, root, population, count) == drawn


def test_single_file_is_for_python_3_9_and_imports_nothing_of_the_node(tmp_path: Path) -> None:
    source = single_file()
    tree = ast.parse(source, feature_version=(3, 9))
    modules = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert modules <= sys.stdlib_module_names | {"cryptography"}
    place = tmp_path / "verify.py"
    place.write_text(source, "utf-8")
    shown = subprocess.run(
        [sys.executable, "-I", place, "--help"], capture_output=True, check=True, cwd=tmp_path
    )
    assert "--openings" in shown.stdout.decode()
