"""Keys of the Handle faces are made when missing, once, and the site's serial number only grows."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from node.errors import Unavailable
from node.registration.handle_keys import LAST_SERIAL, open_handle_keys, site_serial
from node.registration.keys_on_disk import create_keys, load_keys


def public_number(key: RSAPrivateKey) -> int:
    return key.public_key().public_numbers().n


def test_a_node_of_an_earlier_release_gets_the_missing_keys_and_keeps_its_own(
    tmp_path: Path,
) -> None:
    own = create_keys(tmp_path / "keys")
    made = open_handle_keys(tmp_path / "keys")
    again = open_handle_keys(tmp_path / "keys")
    assert again.secrets == made.secrets
    assert public_number(again.site) == public_number(made.site)
    assert (len(made.secrets), made.site.key_size) == (64, 2_048)
    assert load_keys(tmp_path / "keys") == own
    files = list((tmp_path / "keys").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert not [file for file in files if file.suffix == ".new"]
    assert repr(made) == "HandleKeys(…)"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("handle_secrets.key", b"short"),
        ("handle_site.pem", b"no key"),
        ("handle_site.pem", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
    ],
)
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, name: str, damage: bytes) -> None:
    (tmp_path / name).write_bytes(damage)
    with pytest.raises(Unavailable, match=name):
        open_handle_keys(tmp_path)
    assert (tmp_path / name).read_bytes() == damage


def test_keys_that_can_be_neither_read_nor_made_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        open_handle_keys(tmp_path / "absent")


def test_the_serial_number_grows_with_each_change_of_the_site(tmp_path: Path) -> None:
    given = [site_serial(tmp_path, d) for d in (b"a", b"a", b"b", b"b", b"a")]
    assert given == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("content", ["", "x y", f"{LAST_SERIAL} abc"])
def test_a_serial_number_that_is_lost_or_used_up_begins_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "handle_site.serial").write_text(content)
    assert site_serial(tmp_path, b"a") == 1
    assert site_serial(tmp_path, b"a") == 1
