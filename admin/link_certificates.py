"""Makes the certificates of the link between a node and its secondary node: a private authority
(RFC 5280) and the certificates it issues to both sides.

Invariants: the clock is passed in and nothing is read or written here; keys are ECDSA on P-256,
which every TLS library takes; an issued certificate ends no later than its authority, and is good
for client and server alike because either side may dial.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node.errors import InvalidInput
from sync.link_identity import public_key_pin

AUTHORITY_LIFETIME = timedelta(days=3652)
LIFETIME = timedelta(days=90)
# Renewed this long before the end: both certificates are good meanwhile.
OVERLAP = timedelta(days=30)
_CLOCKS_MAY_DIFFER = timedelta(hours=1)
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")  # RFC 5280 ub-common-name


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and the private key it is for."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def pin(self) -> str:
        """Return the SHA-256 of the public key, by which the other side knows this one."""
        return public_key_pin(self.certificate)

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the private key as PEM, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_pair(certificate: bytes, key: bytes) -> KeyPair:
    """Return a pair from its PEM texts; raise InvalidInput when they are none."""
    try:
        secret = load_pem_private_key(key, None)
        pair = KeyPair(x509.load_pem_x509_certificate(certificate), _elliptic(secret))
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"证书或私钥无法读取:{error}", f"Certificate or key cannot be read: {error}"
        ) from error
    if pair.key.public_key() != pair.certificate.public_key():
        raise InvalidInput("证书与私钥不配套", "Certificate and key do not belong together")
    return pair


def _elliptic(key: object) -> EllipticCurvePrivateKey:
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("a key on an elliptic curve is needed")
    return key


def make_authority(name: str, now: datetime) -> KeyPair:
    """Return a new authority, valid for ten years; it issues to end points only."""
    key = generate_private_key(SECP256R1())
    subject = _named(name)
    unsigned = (
        _begun(subject, key, now, now + AUTHORITY_LIFETIME)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return KeyPair(unsigned.sign(key, hashes.SHA256()), key)


def issue(
    authority: KeyPair,
    name: str,
    hosts: Sequence[str],
    *,
    now: datetime,
    key: EllipticCurvePrivateKey | None = None,
) -> KeyPair:
    """Return a certificate for the host names and IP addresses of `hosts`, valid for 90 days.

    `key`: the key to certify again, so that its pin stays; None makes a new one. Raises
    InvalidInput for names that are none and for an authority that may not issue now.
    """
    issuer = authority.certificate
    _require_may_issue(issuer, now)
    if not hosts:
        raise InvalidInput(
            "至少需要一个主机名或地址", "At least one host name or address is needed"
        )
    own = key or generate_private_key(SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    names = [_general_name(host) for host in hosts]
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    unsigned = (
        _begun(_named(name), own, now, min(now + LIFETIME, issuer.not_valid_after_utc))
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(authority_key, critical=False)
    )
    return KeyPair(unsigned.sign(authority.key, hashes.SHA256()), own)


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Say whether a certificate is to be renewed: its last 30 days have begun."""
    return now >= certificate.not_valid_after_utc - OVERLAP


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses a certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def _begun(
    subject: x509.Name, key: EllipticCurvePrivateKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_MAY_DIFFER)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            "证书名称须为 1~64 个字符", "The name of a certificate has 1 to 64 characters"
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host.strip("[]")))
    except ValueError:
        if _HOST_NAME.fullmatch(host) is None or len(host) > 253:
            raise InvalidInput(
                f"“{host[:80]}” 不是主机名或 IP 地址",
                f"{host[:80]!r} is neither a host name nor an IP address",
            ) from None
        return x509.DNSName(host)


def _require_may_issue(issuer: x509.Certificate, now: datetime) -> None:
    constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or not (issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc):
        raise InvalidInput(
            "该机构证书此时不能签发证书(已过期、未生效或不是机构证书)",
            "This certificate may not issue others now: it is out of date or no authority",
        )
