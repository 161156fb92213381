"""The node's secrets are made once, kept to their owner, and never silently made anew."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from node.errors import Unavailable
from node.registration.keys_on_disk import create_keys


def test_keys_are_made_once_and_read_again(tmp_path: Path) -> None:
    first = create_keys(tmp_path / "keys")
    assert create_keys(tmp_path / "keys") == first
    secrets = {first.log_seed, first.identifier_tag, first.cache, first.serial}
    assert [len(secret) for secret in secrets] == [32] * 4


def test_nobody_but_the_owner_may_read_them(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()}
    assert modes == {0o600}


def test_a_missing_key_is_never_replaced(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    (tmp_path / "keys" / "log.ed25519").unlink()
    with pytest.raises(Unavailable, match=r"log\.ed25519"):
        create_keys(tmp_path / "keys")
    assert not (tmp_path / "keys" / "log.ed25519").exists()


@pytest.mark.parametrize("damage", [b"", b"x" * 31, b"x" * 33])
def test_a_damaged_key_is_refused(tmp_path: Path, damage: bytes) -> None:
    create_keys(tmp_path / "keys")
    (tmp_path / "keys" / "serial.key").write_bytes(damage)
    with pytest.raises(Unavailable):
        create_keys(tmp_path / "keys")


def test_a_first_start_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "keys.new").mkdir(mode=0o700)
    (tmp_path / "keys.new" / "log.ed25519").write_bytes(b"half")
    keys = create_keys(tmp_path / "keys")
    assert len(keys.log_seed) == 32
    assert not (tmp_path / "keys.new").exists()


def test_printing_the_keys_shows_none(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys")
    assert repr(keys) == "NodeKeys(…)"
