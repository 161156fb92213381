"""The certificate shown over HTTPS: made once, renewed in time, replaced when files change."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from admin.https_certificate import LIFETIME, CertificateFiles, write_self_signed
from node.config import HTTP, HTTPS, Config
from node.errors import InvalidInput

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def config(data_dir: Path, *, certificate: Path | str = "", private_key: Path | str = "") -> Config:
    https = HTTPS(listen="0.0.0.0:8443", certificate=str(certificate), private_key=str(private_key))
    return Config(data_dir=data_dir, https=https)


def certificate_in(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_first_start_makes_a_certificate_that_only_the_node_may_read(tmp_path: Path) -> None:
    files = CertificateFiles(config(tmp_path))
    files.renew(NOW)
    files.context()
    own = tmp_path / "https.pem"
    assert own.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["https.pem"]
    assert certificate_in(own).not_valid_after_utc == NOW + LIFETIME


def test_certificate_names_this_machine_and_its_public_address(tmp_path: Path) -> None:
    named = Config(
        data_dir=tmp_path,
        http=HTTP(public_url="https://id.example.cn"),
        https=HTTPS(listen="192.0.2.7:8443"),
    )
    CertificateFiles(named).renew(NOW)
    extensions = certificate_in(tmp_path / "https.pem").extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "id.example.cn"} <= {*names.get_values_for_type(x509.DNSName)}
    addresses = {ip_address(text) for text in ("127.0.0.1", "::1", "192.0.2.7")}
    assert {*names.get_values_for_type(x509.IPAddress)} == addresses


def test_address_for_all_addresses_is_no_name(tmp_path: Path) -> None:
    CertificateFiles(config(tmp_path)).renew(NOW)
    extensions = certificate_in(tmp_path / "https.pem").extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ip_address("0.0.0.0") not in names.get_values_for_type(x509.IPAddress)  # noqa: S104


def test_client_that_trusts_the_certificate_accepts_it(tmp_path: Path) -> None:
    write_self_signed(tmp_path / "own.pem", ["localhost"], datetime.now(UTC))
    context = ssl.create_default_context(cafile=tmp_path / "own.pem")
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "own.pem")
    ends = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    client_end = context.wrap_bio(ends[0], ends[1], server_hostname="localhost")
    server_end = server.wrap_bio(ends[1], ends[0], server_side=True)
    for end in (client_end, server_end, client_end, server_end):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client_end.getpeercert()


def test_certificate_far_from_its_end_is_kept(tmp_path: Path) -> None:
    files = CertificateFiles(config(tmp_path))
    files.renew(NOW)
    files.context()
    files.renew(NOW + timedelta(days=700))
    assert not files.have_changed


def test_certificate_near_its_end_is_renewed_while_the_node_runs(tmp_path: Path) -> None:
    files = CertificateFiles(config(tmp_path))
    files.renew(NOW)
    first = files.context()
    files.renew(NOW + timedelta(days=800))
    assert files.have_changed
    assert files.context() is not first
    assert not files.have_changed


def test_damaged_own_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "https.pem").write_text("damaged")
    files = CertificateFiles(config(tmp_path))
    files.renew(NOW)
    files.context()


def test_files_of_the_operator_are_read_and_never_written(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.pem"
    write_self_signed(theirs, ["id.example.cn"], NOW - timedelta(days=800))
    before = theirs.read_bytes()
    files = CertificateFiles(config(tmp_path, certificate=theirs, private_key=theirs))
    files.renew(NOW)
    files.context()
    assert theirs.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pem"]
    os.utime(theirs, ns=(1, 1))
    assert files.have_changed


@pytest.mark.parametrize("fault", ["missing", "no PEM", "other key", "no key"])
def test_unusable_files_are_refused_by_name(tmp_path: Path, fault: str) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_self_signed(certificate, ["localhost"], NOW)
    write_self_signed(key, ["localhost"], NOW)
    if fault == "missing":
        key.unlink()
    elif fault == "no PEM":
        certificate.write_text("no PEM")
    elif fault == "no key":
        key.write_text("no key")
    files = CertificateFiles(config(tmp_path, certificate=certificate, private_key=key))
    with pytest.raises(InvalidInput, match=r"certificate\.pem") as refused:
        files.context()
    assert refused.value.code == "https_certificate"
