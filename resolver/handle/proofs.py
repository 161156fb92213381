"""Answering a challenge and judging the answer: proofs with a secret and with a key pair.

What is proved is knowledge of a key over m = nonce ‖ digest of the challenged request. A proof
with a secret k (HS_SECKEY) is one octet for its form and a MAC; see `SecretForm`. A proof with a
key pair (HS_PUBKEY) is the name of a hash and a signature: RSA PKCS#1 v1.5 or DSA in DER.

The octets' high half says how the hash is used: 0 H(k ‖ m ‖ k), 1 HMAC, 2 HMAC under a key made
with PBKDF2-HMAC-SHA1. Deployed software feeds PBKDF2 the secret read as Latin-1 and encoded again
as UTF-8; both readings are accepted, and the deployed one is written.

Invariants: an answer that cannot be read raises InvalidInput, a wrong one NotAuthenticated, a right
one nothing. Comparisons take the same time wherever they differ. The work a PBKDF2 answer may ask
for is bounded before any of it is done.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from node.errors import NotAuthenticated
from resolver.handle.cursor import Cursor, data_field, malformed, name_field, u32_field
from resolver.handle.versions import DSA_SHA256, SIGNED_ENVELOPES, TAGGED_DIGESTS, Version

SECRET_KEY, PUBLIC_KEY = "HS_SECKEY", "HS_PUBKEY"

PBKDF2_ITERATIONS, PBKDF2_BITS, SALT_BYTES = 10_000, 160, 16
# Deployed clients use 10,000; this many take about 30 ms.
MAX_PBKDF2_ITERATIONS = 100_000
MAX_PBKDF2_BITS = 512
_SHA1_BITS = 160

PublicKey = rsa.RSAPublicKey | dsa.DSAPublicKey
PrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey


class SecretForm(IntEnum):
    """How a proof is made of a secret; the octet in front of the MAC."""

    BARE_MD5 = 0  # below version 2.1, no octet
    MD5 = 0x01
    SHA1 = 0x02
    SHA256 = 0x03
    HMAC_SHA1 = 0x12
    HMAC_SHA256 = 0x13
    PBKDF2 = 0x22


_HASHES = {
    SecretForm.BARE_MD5: "md5",
    SecretForm.MD5: "md5",
    SecretForm.SHA1: "sha1",
    SecretForm.SHA256: "sha256",
    SecretForm.HMAC_SHA1: "sha1",
    SecretForm.HMAC_SHA256: "sha256",
}
_SIGNATURE_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "MD5": hashes.MD5,
    "SHA1": hashes.SHA1,
    "SHA256": hashes.SHA256,
}


def usual_form(version: Version) -> SecretForm:
    """Return the form that deployed clients use with a server of that version."""
    if version >= SIGNED_ENVELOPES:
        return SecretForm.PBKDF2
    return SecretForm.SHA1 if version >= TAGGED_DIGESTS else SecretForm.BARE_MD5


def prove_secret(form: SecretForm, secret: bytes, challenged: bytes, *, salt: bytes = b"") -> bytes:
    """Return the proof of `secret` over `challenged` (nonce ‖ digest).

    `salt` is for PBKDF2 alone: SALT_BYTES random bytes.
    """
    if form is SecretForm.PBKDF2:
        key = _stretched(_as_deployed(secret), salt, PBKDF2_ITERATIONS, PBKDF2_BITS)
        parameters = data_field(salt) + u32_field(PBKDF2_ITERATIONS) + u32_field(PBKDF2_BITS)
        mac = hmac.digest(key, challenged, "sha1")
        return bytes((form,)) + parameters + data_field(mac)
    octet = b"" if form is SecretForm.BARE_MD5 else bytes((form,))
    return octet + _mac(form, secret, challenged)


def check_secret(proof: bytes, secret: bytes, challenged: bytes, *, version: Version) -> None:
    """Raise InvalidInput or NotAuthenticated unless `proof` is one of `secret`.

    `version` is the one the answer is written in. PBKDF2 takes up to MAX_PBKDF2_ITERATIONS rounds
    of some microseconds: call it where waiting hurts nobody.
    """
    if version < TAGGED_DIGESTS:
        _compare(proof, _mac(SecretForm.BARE_MD5, secret, challenged))
        return
    form = _form_of(proof)
    if form is SecretForm.PBKDF2:
        _check_stretched(Cursor(proof, 1), secret, challenged)
    else:
        _compare(proof[1:], _mac(form, secret, challenged))


def prove_key(key: PrivateKey, challenged: bytes, *, version: Version) -> bytes:
    """Return the proof of a private key over `challenged` (nonce ‖ digest)."""
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(challenged, padding.PKCS1v15(), hashes.SHA256())
        return name_field("SHA-256") + data_field(signature)
    name = "SHA-256" if version >= DSA_SHA256 else "SHA1"
    signature = key.sign(challenged, _SIGNATURE_HASHES[name.replace("-", "")]())
    return name_field(name) + data_field(signature)


def check_key(proof: bytes, key: PublicKey, challenged: bytes) -> None:
    """Raise InvalidInput or NotAuthenticated unless `proof` is one of the owner of `key`."""
    cursor = Cursor(proof)
    name, signature = cursor.name(), cursor.data()
    algorithm = _SIGNATURE_HASHES.get(name.upper().replace("-", ""))
    if algorithm is None:
        raise malformed("hash of a signature")
    verify_signature(signature, key, challenged, algorithm=algorithm())


def verify_signature(
    signature: bytes, key: PublicKey, content: bytes, *, algorithm: hashes.HashAlgorithm
) -> None:
    """Raise NotAuthenticated unless `signature` is one of the owner of `key` over `content`."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), algorithm)
        else:
            key.verify(signature, content, algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise wrong_proof() from error


def wrong_proof() -> NotAuthenticated:
    """Return the error for a proof that does not come from the key it names."""
    return NotAuthenticated("身份验证未通过", "Authentication failed", code="handle_proof")


def _form_of(proof: bytes) -> SecretForm:
    octet = Cursor(proof).u8()
    try:
        form = SecretForm(octet)
    except ValueError as error:
        raise malformed("form of a MAC") from error
    if form is SecretForm.BARE_MD5:
        raise malformed("form of a MAC")
    return form


def _mac(form: SecretForm, secret: bytes, challenged: bytes) -> bytes:
    name = _HASHES[form]
    if form in (SecretForm.HMAC_SHA1, SecretForm.HMAC_SHA256):
        return hmac.digest(secret, challenged, name)
    return hashlib.new(name, secret + challenged + secret, usedforsecurity=False).digest()


def _check_stretched(cursor: Cursor, secret: bytes, challenged: bytes) -> None:
    salt, iterations, bits, mac = cursor.data(), cursor.u32(), cursor.u32(), cursor.data()
    if not 8 <= bits <= MAX_PBKDF2_BITS or bits % 8:
        raise malformed("PBKDF2 key length")
    # Each further 160 bits of key repeat all the iterations (RFC 8018 §5.2).
    if not 1 <= iterations * -(-bits // _SHA1_BITS) <= MAX_PBKDF2_ITERATIONS:
        raise malformed("PBKDF2 iterations")
    readings = {_as_deployed(secret): None, secret: None}
    for reading in readings:
        key = _stretched(reading, salt, iterations, bits)
        if hmac.compare_digest(mac, hmac.digest(key, challenged, "sha1")):
            return
    raise wrong_proof()


def _stretched(secret: bytes, salt: bytes, iterations: int, bits: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha1", secret, salt, iterations, bits // 8)


def _as_deployed(secret: bytes) -> bytes:
    return secret.decode("latin-1").encode()


def _compare(given: bytes, right: bytes) -> None:
    if not hmac.compare_digest(given, right):
        raise wrong_proof()
