"""Where the link's certificates lie: `<name>.pem` and `<name>.key` in a directory, mode 0600.

Invariants: a file appears whole or not at all; none is overwritten except a certificate by its own
renewal, which keeps the key and with it the pin the other side knows. The authority's two files are
needed to issue and to renew alone, so they may be kept elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from admin.link_certificates import KeyPair, hosts_of, is_due, issue, make_authority, read_pair
from node.errors import InvalidInput, WrongState
from sync.link_identity import LinkFiles, public_key_pin

AUTHORITY, NODE, SECONDARY = "authority", "node", "secondary"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class StoredPair:
    """What was written: paths, the pin of the public key and the last moment of validity."""

    certificate: Path
    private_key: Path
    authority: Path
    pin: str
    expires_at: datetime


def link_files(folder: Path, name: str) -> LinkFiles:
    """Return where the identity `name` lies below `folder`."""
    return LinkFiles(folder / f"{name}.pem", folder / f"{name}.key", folder / f"{AUTHORITY}.pem")


def create_authority(folder: Path, common_name: str, now: datetime) -> StoredPair:
    """Make an authority in `folder`; raise WrongState when there is one."""
    pair = make_authority(common_name, now)
    _store_new(folder, AUTHORITY, pair)
    return _stored(folder, AUTHORITY, pair)


def issue_link(
    authority_folder: Path, folder: Path, name: str, hosts: Sequence[str], now: datetime
) -> StoredPair:
    """Issue a certificate with a new key as `name` in `folder`; raise WrongState when there is one.

    The authority's certificate is put beside it, where the owner of the certificate needs it.
    """
    authority = _load(authority_folder, AUTHORITY)
    pair = issue(authority, name, hosts, now=now)
    beside = folder / f"{AUTHORITY}.pem"
    if beside.exists() and beside.read_bytes() != authority.certificate_pem():
        raise WrongState(
            f"{beside} 是另一机构的证书", f"{beside} is another authority's", code="other_authority"
        )
    _store_new(folder, name, pair)
    if not beside.exists():
        _write(beside, authority.certificate_pem())
    return _stored(folder, name, pair)


def renew_link(
    authority_folder: Path, folder: Path, name: str, hosts: Sequence[str], now: datetime
) -> StoredPair:
    """Certify the key of `name` again; `hosts` empty: for the same names as before."""
    authority, old = _load(authority_folder, AUTHORITY), _load(folder, name)
    pair = issue(authority, name, hosts or hosts_of(old.certificate), now=now, key=old.key)
    _replace(folder / f"{name}.pem", pair.certificate_pem())
    return _stored(folder, name, pair)


def keep_local_pair(folder: Path, now: datetime) -> None:
    """Make and renew all that a node and a secondary node on one machine need to be paired."""
    if not (folder / f"{AUTHORITY}.pem").exists():
        create_authority(folder, "稀标 Xibiao local link", now)
    for name in (NODE, SECONDARY):
        files = link_files(folder, name)
        if not files.certificate.exists():
            issue_link(folder, folder, name, LOOPBACK, now)
        elif is_due(x509.load_pem_x509_certificate(files.certificate.read_bytes()), now):
            renew_link(folder, folder, name, (), now)
    _replace(clients_list(folder), f"{pin_of_file(folder / f'{NODE}.pem')}\n".encode())


def clients_list(folder: Path) -> Path:
    """Return where the list of those lies whom a local secondary node lets in."""
    return folder / f"{SECONDARY}.clients"


def pin_of_file(certificate: Path) -> str:
    """Return the pin of the first certificate of a PEM file; raise InvalidInput without one."""
    try:
        return public_key_pin(x509.load_pem_x509_certificate(certificate.read_bytes()))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"无法读取证书 {certificate}:{error}", f"Cannot read {certificate}: {error}"
        ) from error


def _load(folder: Path, name: str) -> KeyPair:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    try:
        return read_pair(certificate.read_bytes(), key.read_bytes())
    except OSError as error:
        raise InvalidInput(
            f"无法读取 {error.filename}:{error.strerror}",
            f"Cannot read {error.filename}: {error.strerror}",
        ) from error


def _store_new(folder: Path, name: str, pair: KeyPair) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    for path in (certificate, key):
        if path.exists():
            raise WrongState(
                f"{path} 已存在,不会被覆盖", f"{path} exists and is not overwritten", code="exists"
            )
    _write(key, pair.key_pem())
    _write(certificate, pair.certificate_pem())


def _write(path: Path, content: bytes) -> None:
    """Write a file that must not exist: a link, unlike a rename, never replaces one."""
    draft = _draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise WrongState(
            f"{path} 已存在,不会被覆盖", f"{path} exists and is not overwritten", code="exists"
        ) from error
    finally:
        draft.unlink()


def _replace(path: Path, content: bytes) -> None:
    _draft(path, content).rename(path)


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_suffix(f"{path.suffix}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _stored(folder: Path, name: str, pair: KeyPair) -> StoredPair:
    files = link_files(folder, name)
    return StoredPair(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
        pin=pair.pin,
        expires_at=pair.certificate.not_valid_after_utc,
    )
