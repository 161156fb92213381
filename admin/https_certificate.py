"""The certificate this node shows over HTTPS: the operator's, or one it signs itself.

A self-signed certificate lies with its private key in one file, so that both change at once. It
encrypts; whether a client believes it is between the two of them.

Invariants: the file is mode 0600 and appears whole or not at all; an operator's files are only
read. Everything here blocks for milliseconds: not for an event loop under load.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from node.config import Config
from node.errors import InvalidInput
from resolver.tls_context import ServerKey, server_context

LIFETIME = timedelta(days=825)  # the longest that clients of all makers accept
RENEW_BEFORE_END = timedelta(days=30)
_CLOCKS_MAY_DIFFER = timedelta(hours=1)
_SUBJECT = "稀标 Xibiao"


class CertificateFiles:
    """Where certificate and key lie, and since when they are as they were read last."""

    def __init__(self, config: Config) -> None:
        settings = config.https
        self._is_own = not settings.certificate
        own = config.data_dir / "https.pem"
        self._certificate = own if self._is_own else Path(settings.certificate)
        self._key = own if self._is_own else Path(settings.private_key)
        self._names = _host_names(config)
        self._read_at: tuple[int, ...] = ()

    def renew(self, now: datetime) -> None:
        """Make a self-signed certificate if there is none yet or it ends soon."""
        if self._is_own and not self._is_good(now):
            write_self_signed(self._certificate, self._names, now)

    @property
    def have_changed(self) -> bool:
        """Say whether the files are other ones than `context` read last."""
        return self._read_at != self._state()

    def context(self) -> SSL.Context:
        """Read the files and return the TLS context of a server for them.

        Raises InvalidInput when they cannot be read or do not belong together.
        """
        self._read_at = self._state()
        try:
            return server_context(*_read(self._certificate, self._key))
        except (OSError, ValueError, TypeError, SSL.Error) as error:
            raise InvalidInput(
                f"无法使用 HTTPS 证书 {self._certificate} 和私钥 {self._key}:{error}",
                f"Cannot use HTTPS certificate {self._certificate} and key {self._key}: {error}",
                code="https_certificate",
            ) from error

    def _state(self) -> tuple[int, ...]:
        paths = (self._certificate, self._key)
        return tuple(path.stat().st_mtime_ns for path in paths if path.exists())

    def _is_good(self, now: datetime) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(self._certificate.read_bytes())
        except (OSError, ValueError):
            return False
        return now < certificate.not_valid_after_utc - RENEW_BEFORE_END


def write_self_signed(path: Path, names: Sequence[str], now: datetime) -> None:
    """Write a new key and a certificate of it for these host names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, names, now)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem + certificate.public_bytes(Encoding.PEM))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _sign(key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _SUBJECT)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_MAY_DIFFER)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _host_names(config: Config) -> list[str]:
    listen = config.https.listen.rpartition(":")[0].strip("[]")
    named = (listen, socket.gethostname(), urlsplit(config.http.public_url).hostname or "")
    return list(dict.fromkeys(("localhost", "127.0.0.1", "::1", *filter(_is_name, named))))


def _is_name(text: str) -> bool:
    """Say whether a client may call this node so: not "", not the address for all addresses."""
    try:
        return not ip_address(text).is_unspecified
    except ValueError:
        return bool(text) and text.isascii()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _read(certificate: Path, key: Path) -> tuple[list[x509.Certificate], ServerKey]:
    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    secret = load_pem_private_key(key.read_bytes(), None)
    if not isinstance(
        secret, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise TypeError("a key of RSA, an elliptic curve or Ed25519 is needed")
    return chain, secret
