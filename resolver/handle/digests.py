"""The digest of a request that its reply carries, and challenges, which always carry one.

A digest covers header and body of the request as sent, before encryption, without envelope and
credential; one octet in front names the algorithm. It stands before the body of every reply with
the flag REQUEST_DIGEST. Below version 2.1 only challenges have one, in an order of their own.

Invariant: comparing digests takes the same time wherever they differ.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Self

import msgspec

from node.errors import IntegrityFailure
from resolver.handle.cursor import Cursor, data_field, malformed
from resolver.handle.versions import SIGNED_ENVELOPES, TAGGED_DIGESTS, Version

NONCE_BYTES = 16
MD5, SHA1, SHA256 = 1, 2, 3
_NAMES = {MD5: "md5", SHA1: "sha1", SHA256: "sha256"}
_SIZES = {MD5: 16, SHA1: 20, SHA256: 32}


class Digest(msgspec.Struct, frozen=True):
    """The bare digest `value` of a request and the number of its algorithm."""

    algorithm: int
    value: bytes

    @classmethod
    def of(cls, signed_part: bytes, version: Version) -> Self:
        """Digest header and body of a request for a peer of the negotiated `version`."""
        if version >= SIGNED_ENVELOPES:
            algorithm = SHA256
        elif version >= TAGGED_DIGESTS:
            algorithm = SHA1
        else:
            algorithm = MD5
        return cls(algorithm, compute(algorithm, signed_part))

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        """Read octet and digest; raise InvalidInput."""
        algorithm = cursor.u8()
        size = _SIZES.get(algorithm)
        if size is None:
            raise malformed("digest algorithm")
        return cls(algorithm, cursor.take(size))

    def encode(self) -> bytes:
        """Return octet and digest."""
        return bytes((self.algorithm,)) + self.value

    def check(self, signed_part: bytes) -> None:
        """Raise IntegrityFailure (`handle_digest`) unless this is the digest of that request."""
        if not hmac.compare_digest(self.value, compute(self.algorithm, signed_part)):
            raise IntegrityFailure(
                "应答不属于本请求(请求摘要不符)",
                "The reply belongs to another request: the request digest differs",
                code="handle_digest",
            )


class Challenge(msgspec.Struct, frozen=True):
    """The body of a reply AUTHENTICATION_NEEDED: prove a key over `nonce` and `digest.value`."""

    digest: Digest
    nonce: bytes

    @classmethod
    def decode(cls, body: bytes, version: Version) -> Self:
        """Read a challenge written in `version`; raise InvalidInput."""
        cursor = Cursor(body)
        if version >= TAGGED_DIGESTS:
            return cls(Digest.read(cursor), cursor.data())
        nonce, value = cursor.data(), cursor.data()
        if len(value) != _SIZES[MD5]:
            raise malformed("digest")
        return cls(Digest(MD5, value), nonce)

    def encode(self, version: Version) -> bytes:
        """Return the body in the form of `version`."""
        if version >= TAGGED_DIGESTS:
            return self.digest.encode() + data_field(self.nonce)
        return data_field(self.nonce) + data_field(self.digest.value)


def compute(algorithm: int, data: bytes) -> bytes:
    """Return a digest by the number of its algorithm, which must be known."""
    return hashlib.new(_NAMES[algorithm], data, usedforsecurity=False).digest()


def split(body: bytes) -> tuple[Digest, bytes]:
    """Split a reply's body that begins with a digest; raise InvalidInput."""
    cursor = Cursor(body)
    digest = Digest.read(cursor)
    return digest, cursor.rest()
