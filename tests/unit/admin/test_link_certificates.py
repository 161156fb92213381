"""Certificates of the link: whom they name, how long they last, and that none is overwritten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from admin.link_certificate_files import (
    NODE,
    SECONDARY,
    clients_list,
    create_authority,
    issue_link,
    keep_local_pair,
    link_files,
    pin_of_file,
    renew_link,
)
from admin.link_certificates import (
    AUTHORITY_LIFETIME,
    LIFETIME,
    OVERLAP,
    hosts_of,
    is_due,
    issue,
    make_authority,
    read_pair,
)
from node.errors import InvalidInput, WrongState

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTS = ("node.example.cn", "192.0.2.7", "2001:db8::7")


def test_an_authority_lasts_ten_years_and_issues_to_end_points_only() -> None:
    made = make_authority("plant", NOW).certificate
    assert made.not_valid_after_utc == NOW + AUTHORITY_LIFETIME
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_an_issued_certificate_serves_client_and_server_for_ninety_days() -> None:
    authority = make_authority("plant", NOW)
    issued = issue(authority, "node", HOSTS, now=NOW)
    issued.certificate.verify_directly_issued_by(authority.certificate)
    assert issued.certificate.not_valid_after_utc == NOW + LIFETIME
    extensions = issued.certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node.example.cn"]
    assert names.get_values_for_type(x509.IPAddress) == [*map(ip_address, HOSTS[1:])]
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {*usage} == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_certificate_never_outlives_its_authority() -> None:
    authority = make_authority("plant", NOW - AUTHORITY_LIFETIME + DAY)
    issued = issue(authority, "node", HOSTS, now=NOW)
    assert issued.certificate.not_valid_after_utc == NOW + DAY


@pytest.mark.parametrize("age", [AUTHORITY_LIFETIME, -DAY])
def test_an_authority_out_of_date_issues_nothing(age: timedelta) -> None:
    with pytest.raises(InvalidInput):
        issue(make_authority("plant", NOW - age), "node", HOSTS, now=NOW)


def test_an_end_point_issues_nothing() -> None:
    issued = issue(make_authority("plant", NOW), "node", HOSTS, now=NOW)
    with pytest.raises(InvalidInput):
        issue(issued, "other", HOSTS, now=NOW)


@pytest.mark.parametrize("host", ["", "a b", "-a", "*.example.cn", "节点", "a" * 64, "a..b", "1/2"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput):
        issue(make_authority("plant", NOW), "node", (host,), now=NOW)


def test_a_certificate_without_hosts_is_refused() -> None:
    with pytest.raises(InvalidInput):
        issue(make_authority("plant", NOW), "node", (), now=NOW)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
def test_what_is_no_common_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        make_authority(name, NOW)


def test_a_certificate_is_due_in_its_last_thirty_days() -> None:
    made = issue(make_authority("plant", NOW), "node", HOSTS, now=NOW).certificate
    assert not is_due(made, NOW + LIFETIME - OVERLAP - timedelta(seconds=1))
    assert is_due(made, NOW + LIFETIME - OVERLAP)


def test_pem_that_does_not_belong_together_is_refused() -> None:
    one, other = make_authority("a", NOW), make_authority("b", NOW)
    with pytest.raises(InvalidInput):
        read_pair(one.certificate_pem(), other.key_pem())
    with pytest.raises(InvalidInput):
        read_pair(b"garbage", one.key_pem())
    assert read_pair(one.certificate_pem(), one.key_pem()).pin == one.pin


def test_files_are_private_and_a_second_issue_overwrites_nothing(tmp_path: Path) -> None:
    create_authority(tmp_path, "plant", NOW)
    issue_link(tmp_path, tmp_path, NODE, HOSTS, NOW)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in before)
    with pytest.raises(WrongState):
        create_authority(tmp_path, "plant", NOW)
    with pytest.raises(WrongState):
        issue_link(tmp_path, tmp_path, NODE, HOSTS, NOW)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_authority_may_be_kept_elsewhere(tmp_path: Path) -> None:
    safe, other, own = tmp_path / "safe", tmp_path / "other", tmp_path / "own"
    create_authority(safe, "plant", NOW)
    create_authority(other, "another", NOW)
    issue_link(safe, own, NODE, HOSTS, NOW)
    assert sorted(path.name for path in own.iterdir()) == ["authority.pem", "node.key", "node.pem"]
    with pytest.raises(WrongState):
        issue_link(other, own, SECONDARY, HOSTS, NOW)
    with pytest.raises(InvalidInput):
        renew_link(own, own, NODE, (), NOW)


def test_a_renewal_keeps_key_pin_and_names(tmp_path: Path) -> None:
    create_authority(tmp_path, "plant", NOW)
    issued = issue_link(tmp_path, tmp_path, NODE, HOSTS, NOW)
    key = issued.private_key.read_bytes()
    renewed = renew_link(tmp_path, tmp_path, NODE, (), NOW + 60 * DAY)
    assert renewed.pin == issued.pin == pin_of_file(issued.certificate)
    assert renewed.expires_at == NOW + 60 * DAY + LIFETIME
    assert issued.private_key.read_bytes() == key
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    assert sorted(hosts_of(certificate)) == sorted(HOSTS)


def test_a_local_pair_is_made_once_and_renewed_in_time(tmp_path: Path) -> None:
    keep_local_pair(tmp_path, NOW)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    keep_local_pair(tmp_path, NOW + DAY)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == made
    keep_local_pair(tmp_path, NOW + LIFETIME - OVERLAP)
    changed = {path.name for path in tmp_path.iterdir() if path.read_bytes() != made[path.name]}
    assert changed == {"node.pem", "secondary.pem"}
    assert clients_list(tmp_path).read_text().split() == [pin_of_file(tmp_path / "node.pem")]
    for name in (NODE, SECONDARY):
        identity = link_files(tmp_path, name).read()
        assert identity.expires_at == NOW + LIFETIME - OVERLAP + LIFETIME


def test_a_file_that_is_no_certificate_has_no_pin(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"\xff garbage")
    for name in ("a.pem", "absent.pem"):
        with pytest.raises(InvalidInput):
            pin_of_file(tmp_path / name)
