"""HS_SIGNATURE and HS_CERT: compact JSON Web Signatures about a record and about a key.

The data is `header.claims.signature` in base64url (RFC 7515 §7.1), signed RS256. HS_SIGNATURE
lists digests of values, each over the value's wire form without index and timestamp; its issuer and
that of HS_CERT is a key value, `index:handle`. Times are seconds since 1970; they are passed in.

Invariants: reading raises InvalidInput alone and proves nothing; `check_signature` and
`check_values` raise unless what they check is so. No other algorithm than RS256 is accepted,
whatever the header asks for (RFC 8725 §3.1).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from node.domain.handle_value import HandleValue
from node.errors import IntegrityFailure
from resolver.handle.cursor import malformed
from resolver.handle.proofs import verify_signature
from resolver.handle.values import value_digest

MAX_TOKEN_BYTES = 65_536
_ALGORITHM = "RS256"
_DIGESTS = {"SHA-256": "sha256", "SHA-1": "sha1", "SHA-512": "sha512"}
_T = TypeVar("_T")


class ValueDigest(msgspec.Struct, frozen=True):
    """The digest of the value at `index`, in base64."""

    index: int
    digest: str


class Digests(msgspec.Struct, frozen=True):
    """Digests of values by one algorithm, e.g. SHA-256."""

    alg: str
    digests: tuple[ValueDigest, ...]


class SignatureClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an HS_SIGNATURE says: key `iss` vouches for these values of handle `sub`."""

    iss: str
    sub: str
    digests: Digests
    exp: int = 0
    nbf: int = 0
    iat: int = 0
    chain: tuple[str, ...] = ()


class KeyPermission(msgspec.Struct, frozen=True):
    """What a certified key may vouch for: everything, thisHandle, derivedPrefixes, …"""

    handle: str
    perm: str


class CertificateClaims(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What an HS_CERT says: `iss` vouches that `public_key`, a JWK, is that of `sub`."""

    iss: str
    sub: str
    public_key: dict[str, str]
    perms: tuple[KeyPermission, ...] = ()
    exp: int = 0
    nbf: int = 0
    iat: int = 0
    chain: tuple[str, ...] = ()


class _Header(msgspec.Struct, frozen=True):
    alg: str


def digests_of(values: Sequence[HandleValue]) -> Digests:
    """Return what an HS_SIGNATURE says of values."""
    return Digests(
        "SHA-256",
        tuple([ValueDigest(v.index, base64.b64encode(value_digest(v)).decode()) for v in values]),
    )


def sign(claims: SignatureClaims | CertificateClaims, key: rsa.RSAPrivateKey) -> bytes:
    """Return the data of the value: claims signed with the issuer's key."""
    header = _base64url(msgspec.json.encode(_Header(_ALGORITHM)))
    signed = header + b"." + _base64url(msgspec.json.encode(claims))
    return signed + b"." + _base64url(key.sign(signed, padding.PKCS1v15(), hashes.SHA256()))


def read_signature(data: bytes) -> SignatureClaims:
    """Read the claims of an HS_SIGNATURE without proof; raise InvalidInput."""
    return _claims(data, SignatureClaims)


def read_certificate(data: bytes) -> CertificateClaims:
    """Read the claims of an HS_CERT without proof; raise InvalidInput."""
    return _claims(data, CertificateClaims)


def check_signature(data: bytes, key: rsa.RSAPublicKey) -> None:
    """Raise InvalidInput or NotAuthenticated unless the owner of `key` signed the token."""
    header, _, signature = _parts(data)
    if _decoded(header, _Header).alg != _ALGORITHM:
        raise malformed("algorithm of a token")
    signed = data.rpartition(b".")[0]
    verify_signature(_bytes(signature), key, signed, algorithm=hashes.SHA256())


def check_values(claims: SignatureClaims, values: Sequence[HandleValue], *, now: int) -> None:
    """Raise IntegrityFailure (`handle_signature`) unless claims are in force and hold for all.

    Every value of `values` must be among the digests and equal what was signed; `now` must lie
    between `nbf` and `exp` where they are given.
    """
    name = _DIGESTS.get(claims.digests.alg.upper())
    if name is None:
        raise malformed("digest algorithm of a token")
    if now < claims.nbf or (claims.exp and now >= claims.exp):
        raise _broken("签名不在有效期内", "The signature is not in force")
    signed = {entry.index: entry.digest for entry in claims.digests.digests}
    for value in values:
        right = base64.b64encode(value_digest(value, name))
        if not hmac.compare_digest(right, signed.get(value.index, "").encode()):
            raise _broken(
                f"索引 {value.index} 的值与签名不符",
                f"The value at index {value.index} is not what was signed",
            )


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    parts = data.split(b".") if len(data) <= MAX_TOKEN_BYTES else []
    if len(parts) != 3:
        raise malformed("no token")
    return parts[0], parts[1], parts[2]


def _claims(data: bytes, kind: type[_T]) -> _T:
    return _decoded(_parts(data)[1], kind)


def _decoded(part: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(_bytes(part), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("claims of a token") from error


def _bytes(part: bytes) -> bytes:
    try:
        return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed("base64url of a token") from error


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _broken(zh: str, en: str) -> IntegrityFailure:
    return IntegrityFailure(zh, en, code="handle_signature")
