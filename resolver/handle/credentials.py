"""The credential behind a message: a MAC inside a session, a signature outside (RFC 3652 §2.2.4).

Layout: version 0, reserved 0, options 0; signer (an empty handle and, in the place of an index, the
session counter); type; length of the rest; algorithm; signature. What is covered depends on the
version of the message: from 2.8 the version bytes without flags, session, request and counter, then
header and body; 2.7 without the suggested version; below 2.5 header and body alone, hashed between
two copies of the key. 2.5 and 2.6 covered garbled bytes: they are refused.

Invariants: reading raises InvalidInput; a wrong MAC or signature raises NotAuthenticated.
Comparisons take the same time wherever they differ.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Self

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from resolver.handle.cursor import Cursor, data_field, malformed, name_field, u32_field
from resolver.handle.envelope import Envelope
from resolver.handle.proofs import PublicKey, verify_signature, wrong_proof
from resolver.handle.session_keys import SessionKey
from resolver.handle.versions import (
    SESSION_COUNTERS,
    SIGNED_ENVELOPES,
    SIGNED_SUGGESTIONS,
    spoken,
)

MAC, SIGNED = "HS_MAC", "HS_SIGNED"
_LEADING = struct.Struct(">BBHII")  # version, reserved, options, empty signer, counter
_COVERED = struct.Struct(">BBBBIII")
_COVERED_2_7 = struct.Struct(">BBIII")
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}


class Credential(msgspec.Struct, frozen=True):
    """A credential; `counter` is 0 outside sessions, `kind` HS_MAC or HS_SIGNED."""

    counter: int
    kind: str
    algorithm: str
    signature: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a message's credential, which is not b""; raise InvalidInput."""
        cursor = Cursor(data)
        if cursor.u32() != 0:
            raise malformed("version of a credential")
        cursor.name()  # Nobody fills the signer's handle in.
        counter, kind = cursor.u32(), cursor.name()
        signed_info = Cursor(cursor.data())
        return cls(counter, kind, signed_info.name(), signed_info.data())

    def encode(self) -> bytes:
        """Return the bytes of `message.credential`."""
        signed_info = name_field(self.algorithm) + data_field(self.signature)
        return (
            _LEADING.pack(0, 0, 0, 0, self.counter)
            + name_field(self.kind)
            + u32_field(len(signed_info))
            + signed_info
        )


def covered(envelope: Envelope, counter: int, signed_part: bytes) -> bytes:
    """Return the bytes that MAC and signature of a message cover; raise InvalidInput for 2.5, 2.6.

    `signed_part` is header and body in clear.
    """
    version = spoken(envelope)
    if version < SESSION_COUNTERS:
        return signed_part
    if version < SIGNED_ENVELOPES:
        raise malformed("no signatures in versions 2.5 and 2.6")
    whose = (envelope.session, envelope.request, counter)
    if version < SIGNED_SUGGESTIONS:
        return _COVERED_2_7.pack(*version, *whose) + signed_part
    suggested = (envelope.suggested_major, envelope.suggested_minor)
    return _COVERED.pack(*version, *suggested, *whose) + signed_part


def make_mac(key: SessionKey, envelope: Envelope, counter: int, signed_part: bytes) -> Credential:
    """Return the credential of a message inside a session."""
    content = covered(envelope, counter, signed_part)
    if spoken(envelope) < SESSION_COUNTERS:
        return Credential(counter, MAC, "SHA1", _keyed_hash("sha1", key, content))
    return Credential(counter, MAC, "HMAC-SHA256", hmac.digest(key.mac_key, content, "sha256"))


def check_mac(
    credential: Credential, key: SessionKey, envelope: Envelope, signed_part: bytes
) -> None:
    """Raise InvalidInput or NotAuthenticated unless the credential is the message's MAC."""
    if credential.kind != MAC:
        raise malformed("no MAC")
    content = covered(envelope, credential.counter, signed_part)
    if spoken(envelope) < SESSION_COUNTERS:
        right = _keyed_hash("sha1", key, content)
    elif credential.algorithm == "HMAC-SHA1":
        right = hmac.digest(key.mac_key, content, "sha1")
    elif credential.algorithm == "HMAC-SHA256":
        right = hmac.digest(key.mac_key, content, "sha256")
    else:
        raise malformed("algorithm of a MAC")
    if not hmac.compare_digest(credential.signature, right):
        raise wrong_proof()


def make_signature(key: rsa.RSAPrivateKey, envelope: Envelope, signed_part: bytes) -> Credential:
    """Return the credential of a reply signed with the site's key, outside sessions."""
    signature = key.sign(covered(envelope, 0, signed_part), padding.PKCS1v15(), hashes.SHA256())
    return Credential(0, SIGNED, "SHA-256", signature)


def check_signature(
    credential: Credential, key: PublicKey, envelope: Envelope, signed_part: bytes
) -> None:
    """Raise InvalidInput or NotAuthenticated unless the server with `key` signed the message."""
    algorithm = _HASHES.get(credential.algorithm.upper().replace("-", ""))
    if credential.kind != SIGNED or algorithm is None:
        raise malformed("no signature")
    content = covered(envelope, credential.counter, signed_part)
    verify_signature(credential.signature, key, content, algorithm=algorithm())


def _keyed_hash(name: str, key: SessionKey, content: bytes) -> bytes:
    secret = key.mac_key
    return hashlib.new(name, secret + content + secret, usedforsecurity=False).digest()
