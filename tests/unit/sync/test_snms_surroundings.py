"""What stands around the requests: addresses, pins, batch sizes and the exchange book."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from node.errors import InvalidInput, Unavailable
from sync.snms.batch_size import MOST, START, BatchSize
from sync.snms.exchange_book import Exchange, ExchangeBook
from sync.snms.transport import TlsFiles, base_url, tls_context


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("snms+https://snms.example.cn", "https://snms.example.cn"),
        ("snms+https://snms.example.cn:8443/snmsapi/", "https://snms.example.cn:8443/snmsapi"),
        ("snms+http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("snms+http://[::1]:8000", "http://[::1]:8000"),
        ("snms+http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_an_address_becomes_a_web_address(address: str, url: str) -> None:
    assert base_url(address) == url


@pytest.mark.parametrize(
    "address",
    [
        "https://snms.example.cn",
        "snms+ftp://snms.example.cn",
        "snms+https://",
        "snms+https://h:99999",
        "snms+https://user:secret@snms.example.cn",
        "snms+https://snms.example.cn/?a=b",
        "snms+http://snms.example.cn",
        "snms+http://192.0.2.1:8000",
        "",
    ],
)
def test_an_address_that_is_none_or_would_go_in_the_clear_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        base_url(address)
    assert "secret" not in str(refused.value)


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        tls_context(TlsFiles(authority=str(tmp_path / "absent.pem")))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(InvalidInput):
        tls_context(TlsFiles(authority=str(tmp_path / "bad.pem")))


def test_the_batch_grows_by_success_and_shrinks_by_silence() -> None:
    size = BatchSize()
    assert size.now == START
    for _ in range(8):
        size.went_well()
    assert size.now == START * 3 // 2
    for _ in range(100):
        size.went_well()
    assert size.now == MOST
    for _ in range(20):
        size.halve()
    assert size.now == 1


def test_a_stated_limit_is_never_passed() -> None:
    size = BatchSize()
    size.limit_to(7)
    for _ in range(50):
        size.went_well()
    assert size.now == 7
    size.limit_to(0)
    assert size.now == 1


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 23, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def exchange(at: str) -> Exchange:
    return Exchange(at=at, method="GET", path="/x", outcome="1", ms=3, answer_sha256="ab")


def test_lines_are_kept_by_month_and_for_half_a_year_at_least(tmp_path: Path) -> None:
    book = ExchangeBook(tmp_path / "snms", Clock())
    for month in range(1, 13):
        book.write(exchange(f"2026-{month:02d}-28T10:00:00.000Z"))
    names = sorted(path.name for path in (tmp_path / "snms").iterdir())
    assert names == [f"snms-2026-{month:02d}.jsonl" for month in range(5, 13)]
    lines = (tmp_path / "snms" / names[0]).read_bytes().splitlines()
    assert msgspec.json.decode(lines[0], type=Exchange).path == "/x"
    assert book.last_answer == "ab"


def test_other_files_are_left_alone_and_lines_are_for_the_owner(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    book = ExchangeBook(tmp_path, Clock())
    book.write(exchange("2026-11-01T10:00:00.000Z"))
    assert (tmp_path / "notes.txt").exists()
    mode = (tmp_path / "snms-2026-11.jsonl").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_what_cannot_be_kept_stops_the_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        ExchangeBook(tmp_path / "file", Clock()).write(exchange("2026-11-01T10:00:00.000Z"))
