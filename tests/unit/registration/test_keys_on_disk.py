"""The node's secrets are made once, kept to their owner, and never silently made anew."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from node.errors import Unavailable
from node.registration.keys_on_disk import NodeKeys, create_keys


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


def test_what_a_first_start_cut_short_left_behind_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "keys.0123.new").mkdir(mode=0o700)
    (tmp_path / "keys.0123.new" / "log.ed25519").write_bytes(b"half")
    keys = create_keys(tmp_path / "keys")
    assert len(keys.log_seed) == 32


def test_processes_started_together_for_the_first_time_have_the_same_keys(tmp_path: Path) -> None:
    starters = 8
    together = Barrier(starters)

    def start(_: int) -> NodeKeys:
        together.wait()
        return create_keys(tmp_path / "keys")

    with ThreadPoolExecutor(starters) as pool:
        keys = list(pool.map(start, range(starters)))
    assert keys == [keys[0]] * starters
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_printing_the_keys_shows_none(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys")
    assert repr(keys) == "NodeKeys(…)"
