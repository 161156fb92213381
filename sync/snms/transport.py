"""Where an SNMS interface is, and the TLS that leads to it.

Invariants: plain HTTP reaches loopback addresses only; a pinned public key is compared inside the
handshake, so a peer with another key is told nothing, not even a token.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from cryptography import x509

from node.errors import InvalidInput
from sync.link_identity import public_key_pin

SCHEME = "snms+"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files and pins; "" for none. Without `authority` those of the machine are trusted."""

    authority: str = ""
    certificate: str = ""
    private_key: str = ""
    pins: frozenset[str] = frozenset()


def base_url(address: str) -> str:
    """Return the web address in `snms+https://host[:port][/path]`; raises InvalidInput.

    `snms+http` is for loopback addresses. User names in the address are refused: they would show
    in logs.
    """
    parts = urlsplit(address.removeprefix(SCHEME))
    try:
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _bad_address() from error
    is_whole = address.startswith(SCHEME) and host and not (parts.query or parts.fragment)
    if not is_whole or "@" in parts.netloc or parts.scheme not in ("http", "https"):
        raise _bad_address()
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidInput(
            f"{host} 不是本机地址,必须使用 snms+https",
            f"{host} is not a loopback address: snms+https is needed",
            code="snms_address",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context that checks chain, dates, name and pins; raises InvalidInput."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if files.authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_verify_locations(cafile=files.authority)
        if files.certificate:
            context.load_cert_chain(files.certificate, files.private_key)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"无法使用同步证书:{error}",
            f"Cannot use the link certificate: {error}",
            code="link_certificate_own_unusable",
        ) from error
    if files.pins:
        context.sslobject_class = _pinned(files.pins)
    return context


def _pinned(pins: Collection[str]) -> type[ssl.SSLObject]:
    """Return an SSLObject whose handshake fails for every other public key (RFC 7469 §2.4)."""

    class PinnedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            shown = self.getpeercert(binary_form=True) or b""
            if public_key_pin(x509.load_der_x509_certificate(shown)) not in pins:
                raise ssl.SSLCertVerificationError("the public key is not the one of sync.peer_key")

    return PinnedObject


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad_address() -> InvalidInput:
    return InvalidInput(
        "须为 snms+https://主机[:端口][/路径]",
        "must be snms+https://host[:port][/path]",
        code="snms_address",
    )
