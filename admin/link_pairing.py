"""Pairs a node with its secondary node: what `xibiao key` does about certificates of the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from admin import link_certificate_files
from admin.link_certificate_files import StoredPair
from admin.parts import utc_now


def create_authority(folder: Path, name: str) -> Mapping[str, str]:
    """Make an authority in `folder`; raise WrongState when there is one."""
    return _shown(link_certificate_files.create_authority(folder, name, utc_now()))


def issue(authority: Path, folder: Path, name: str, hosts: Sequence[str]) -> Mapping[str, str]:
    """Issue a certificate with a new key; raise WrongState when there is one of this name."""
    return _shown(link_certificate_files.issue_link(authority, folder, name, hosts, utc_now()))


def renew(authority: Path, folder: Path, name: str, hosts: Sequence[str]) -> Mapping[str, str]:
    """Certify the key of this name again; `hosts` empty: for the same names as before."""
    return _shown(link_certificate_files.renew_link(authority, folder, name, hosts, utc_now()))


def _shown(stored: StoredPair) -> Mapping[str, str]:
    return {
        "certificate": str(stored.certificate),
        "private_key": str(stored.private_key),
        "authority": str(stored.authority),
        "pin": stored.pin,
        "expires_at": f"{stored.expires_at:%Y-%m-%dT%H:%M:%SZ}",
    }
