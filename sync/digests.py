"""Digests of record sets by bucket, as both sides of the link compute them (pure).

A bucket is named by the first hex digits of SHA-256(identifier). Its digest is the XOR of
SHA-256(identifier ‖ 0x00 ‖ shared) over its records, so records may be added in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from sync.peer import Bucket

DIGEST_BYTES = 32


def record_digest(identifier: str, shared: bytes) -> bytes:
    """Return the digest of one record."""
    return sha256(identifier.encode() + b"\0" + shared).digest()


def bucket_name(identifier: str, digits: int) -> str:
    """Return the name of the bucket of an identifier; `digits` 0 … 6."""
    return sha256(identifier.encode()).hexdigest()[:digits]


class Buckets:
    """Counts and XORed digests by bucket."""

    def __init__(self, digits: int) -> None:
        self._digits = digits
        self._sums: dict[str, tuple[int, int]] = {}
        self.total = 0

    def add(self, identifier: str, digest: bytes) -> None:
        """Count one record."""
        name = bucket_name(identifier, self._digits)
        count, xored = self._sums.get(name, (0, 0))
        self._sums[name] = count + 1, xored ^ int.from_bytes(digest, "big")
        self.total += 1

    def all(self) -> list[Bucket]:
        """Return every bucket that holds a record, by name."""
        return [
            Bucket(name, count, xored.to_bytes(DIGEST_BYTES, "big"))
            for name, (count, xored) in sorted(self._sums.items())
        ]


def differences(
    ours: Iterable[tuple[str, bytes]], theirs: Iterable[tuple[str, bytes]]
) -> tuple[list[str], list[str], list[str]]:
    """Return (missing there, extra there, different) of two sets of (identifier, digest)."""
    here, there = dict(ours), dict(theirs)
    missing = sorted(here.keys() - there.keys())
    extra = sorted(there.keys() - here.keys())
    different = sorted(key for key in here.keys() & there.keys() if here[key] != there[key])
    return missing, extra, different
