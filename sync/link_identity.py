"""How one side of the link shows itself: its certificate, its key and the authority of both sides.

A pin is the SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469 §2.4), in lower-case hex: a
renewed certificate of the same key needs no new one.

Invariant: an identity is read whole and belongs together, or `InvalidInput` says why not; half of a
replacement is never used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from node.errors import InvalidInput

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """Certificate chain (own one first), its private key and the trusted authorities, all PEM."""

    certificate_chain: bytes
    private_key: bytes = field(repr=False)
    authority: bytes
    pin: str
    begins_at: datetime
    expires_at: datetime

    def require_in_force(self, now: datetime) -> None:
        """Raise InvalidInput when this certificate is not valid at `now`."""
        if now >= self.expires_at:
            raise InvalidInput(
                f"本节点的同步证书已于 {self.expires_at:%Y-%m-%d %H:%M} UTC 过期,请更换",
                f"This node's link certificate expired at {self.expires_at:%Y-%m-%d %H:%M} UTC;"
                " replace it",
                code="link_certificate_own_expired",
            )
        if now < self.begins_at:
            raise InvalidInput(
                f"本节点的同步证书自 {self.begins_at:%Y-%m-%d %H:%M} UTC 起才有效,请检查系统时间",
                f"This node's link certificate is valid from {self.begins_at:%Y-%m-%d %H:%M} UTC"
                " on only; check the clock",
                code="link_certificate_own_not_yet_valid",
            )


@dataclass(frozen=True, slots=True)
class LinkFiles:
    """Where an identity lies. The files may be replaced at any time, in any order."""

    certificate: Path
    private_key: Path
    authority: Path

    def read(self) -> LinkIdentity:
        """Return what lies there; raise InvalidInput when it cannot be used."""
        try:
            chain, key = self.certificate.read_bytes(), self.private_key.read_bytes()
            authority = self.authority.read_bytes()
            own = x509.load_pem_x509_certificates(chain)[0]
            x509.load_pem_x509_certificates(authority)
            secret = load_pem_private_key(key, None).public_key()
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise self._refused(str(error)) from error
        encoding = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        if secret.public_bytes(*encoding) != own.public_key().public_bytes(*encoding):
            raise self._refused("certificate and private key do not belong together")
        return LinkIdentity(
            certificate_chain=chain,
            private_key=key,
            authority=authority,
            pin=public_key_pin(own),
            begins_at=own.not_valid_before_utc,
            expires_at=own.not_valid_after_utc,
        )

    def _refused(self, reason: str) -> InvalidInput:
        return InvalidInput(
            f"无法使用同步证书 {self.certificate}(私钥 {self.private_key},"
            f"根证书 {self.authority}):{reason}",
            f"Cannot use the link certificate {self.certificate} (key {self.private_key},"
            f" authority {self.authority}): {reason}",
            code="link_certificate_own_unusable",
        )


def public_key_pin(certificate: x509.Certificate) -> str:
    """Return the pin of a certificate's public key, 64 lower-case hex digits."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(key).hexdigest()


async def replacement(read: Callable[[], _T], known: _T, look_every_s: float) -> _T:
    """Wait until `read` returns something else than `known`; return it.

    What InvalidInput says of it in between, such as half of a replacement, is logged once.
    """
    complaint = ""
    while True:
        await asyncio.sleep(look_every_s)
        try:
            found = await asyncio.to_thread(read)
        except InvalidInput as error:
            if str(error) != complaint:
                complaint = str(error)
                _log.warning("link_certificate_not_replaced", reason=complaint)
            continue
        if found != known:
            return found
