"""The list of clients a server lets in, and identities read from files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.link_certificate_files import NODE, keep_local_pair, link_files, renew_link
from admin.link_certificates import LIFETIME
from node.errors import AccessDenied, InvalidInput
from sync.link_identity import LinkIdentity, replacement
from sync.security_files import SecurityFiles, parse_clients
from sync.transport_security import TransportGuard

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PIN, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4


def test_clients_are_pins_with_or_without_a_node_id() -> None:
    listed = f"# plant A\n{PIN} example/log  # until 2027\n\n{OTHER}\n"
    assert parse_clients(listed) == {PIN: "example/log", OTHER: ""}


@pytest.mark.parametrize("line", ["x", PIN[:-1], PIN.upper(), f"{PIN} a b", f"{PIN},{OTHER}"])
def test_a_line_that_is_no_client_is_named(line: str) -> None:
    with pytest.raises(InvalidInput, match="Line 2"):
        parse_clients(f"{PIN}\n{line}")


@given(st.text())
def test_any_text_is_a_list_or_refused(text: str) -> None:
    try:
        pins = parse_clients(text)
    except InvalidInput:
        return
    assert all(len(pin) == 64 for pin in pins)


def test_an_identity_is_read_whole_or_refused(tmp_path: Path) -> None:
    keep_local_pair(tmp_path, NOW)
    files = link_files(tmp_path, NODE)
    identity = files.read()
    assert identity.expires_at == NOW + LIFETIME
    assert b"PRIVATE" not in repr(identity).encode()
    for path in (files.certificate, files.private_key, files.authority):
        kept = path.read_bytes()
        for spoilt in (b"", b"\x00garbage", b"-----BEGIN CERTIFICATE-----\nAA==\n"):
            path.write_bytes(spoilt)
            with pytest.raises(InvalidInput):
                files.read()
        path.write_bytes(kept)
    files.private_key.write_bytes(link_files(tmp_path, "secondary").private_key.read_bytes())
    with pytest.raises(InvalidInput, match="belong together"):
        files.read()


def test_an_identity_out_of_date_says_so(tmp_path: Path) -> None:
    keep_local_pair(tmp_path, NOW)
    identity = link_files(tmp_path, NODE).read()
    identity.require_in_force(NOW)
    for moment, code in ((LIFETIME, "own_expired"), (-timedelta(days=1), "own_not_yet_valid")):
        with pytest.raises(InvalidInput) as refused:
            identity.require_in_force(NOW + moment)
        assert refused.value.code == f"link_certificate_{code}"


async def test_half_of_a_replacement_is_waited_for(tmp_path: Path) -> None:
    keep_local_pair(tmp_path, NOW)
    files = link_files(tmp_path, NODE)
    known, key = files.read(), files.private_key.read_bytes()
    files.private_key.write_bytes(b"half a key")
    looks = 0

    def read_and_mend() -> LinkIdentity:
        nonlocal looks
        looks += 1
        if looks == 3:
            files.private_key.write_bytes(key)
        if looks == 5:
            renew_link(tmp_path, tmp_path, NODE, (), NOW + timedelta(days=1))
        return files.read()

    found = await replacement(read_and_mend, known, 0)
    assert (looks, found) == (5, files.read())


def test_a_server_without_a_readable_list_does_not_start(tmp_path: Path) -> None:
    keep_local_pair(tmp_path, NOW)
    files = SecurityFiles(link_files(tmp_path, "secondary"), tmp_path / "absent")
    with pytest.raises(InvalidInput):
        files.read()


def test_an_empty_list_lets_nobody_in_and_an_expired_certificate_ends_a_connection(
    tmp_path: Path,
) -> None:
    keep_local_pair(tmp_path, NOW)
    clients = tmp_path / "clients"
    files = SecurityFiles(link_files(tmp_path, "secondary"), clients)
    shown = link_files(tmp_path, NODE).read()
    clients.write_text("")
    now = [NOW]
    guard = TransportGuard(files.read(), lambda: int(now[0].timestamp() * 1000))
    for certificate in (shown.certificate_chain, b"garbage", None):
        with pytest.raises(AccessDenied):
            guard.check(certificate)
    clients.write_text(f"{shown.pin} a-node\n")
    guard.replace(files.read())
    assert guard.check(shown.certificate_chain) == "a-node"
    now[0] += LIFETIME
    with pytest.raises(AccessDenied, match="expired"):
        guard.check(shown.certificate_chain)
