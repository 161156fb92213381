"""Settings of the SNMS interface: what is refused before the first socket opens."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from admin.snms_parts import build_snms_peer, read_credentials, speaks_snms
from node.config import Config, Snms, Sync
from node.config.checks import problems_of
from node.errors import InvalidInput
from tests.link import utc_now

GOOD = Snms(user="plant", password_file="/run/password")
ADDRESS = "snms+https://snms.example.cn:8443/snmsapi"


def configured(secondary: str = ADDRESS, **snms: object) -> Config:
    return Config(sync=Sync(secondary=secondary, snms=msgspec.structs.replace(GOOD, **snms)))


def fields(config: Config) -> list[str]:
    return [problem.field for problem in problems_of(config)]


@pytest.mark.parametrize(
    "config",
    [
        configured(),
        configured("snms+http://127.0.0.1:8000"),
        configured("snms+http://[::1]:8000"),
        configured(route_ip="203.0.113.7", route_tcp_port=2641),
        configured(route_host=3),
        configured(peer_key="a" * 64),
    ],
)
def test_sound_settings_pass_and_build_a_peer(config: Config) -> None:
    assert problems_of(config) == []
    assert speaks_snms(config)
    assert build_snms_peer(config, utc_now).name == "secondary"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (configured("snms+http://snms.example.cn"), "sync.secondary"),
        (configured("snms+https://"), "sync.secondary"),
        (configured("snms+https://u:p@h"), "sync.secondary"),
        (configured("snms+ftp://h"), "sync.secondary"),
        (configured("snms+https://h:99999"), "sync.secondary"),
        (configured(user=""), "sync.snms.user"),
        (configured(password_file=""), "sync.snms.password_file"),
        (configured(certificate="c.pem"), "sync.snms.certificate"),
        (configured(peer_key="xyz"), "sync.snms.peer_key"),
        (configured(industry="C/32"), "sync.snms.industry"),
        (configured(route_ip="example.cn", route_tcp_port=1), "sync.snms.route_ip"),
        (configured(route_ip="203.0.113.7"), "sync.snms.route_ip"),
        (configured(route_tcp_port=2641), "sync.snms.route_ip"),
    ],
)
def test_settings_that_cannot_be_are_named(config: Config, field: str) -> None:
    assert fields(config) == [field]


def test_the_settings_of_snms_do_not_matter_without_it() -> None:
    assert fields(configured("grpc://127.0.0.1:50551", user="", industry="?")) == []


def test_the_password_is_read_without_its_newline_and_does_not_show(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b" se cret \r\n")
    read = read_credentials(Snms(user="plant", password_file=str(tmp_path / "p")))
    assert read.password == " se cret "
    assert "cret" not in repr(read)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 65])
def test_a_password_file_that_is_of_no_use_is_refused(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    with pytest.raises(InvalidInput):
        read_credentials(Snms(user="plant", password_file=str(tmp_path / "p")))
