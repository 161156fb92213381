"""`openings.enc`: what the log only commits to, for the auditor's eyes alone (writer).

    XBOPEN1 newline ‖ u16 length ‖ HPKE( content key ) ‖ chunks of 64 KiB, each with its 16-byte tag

HPKE is RFC 9180, mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, with
`INFO`. Chunks are ChaCha20-Poly1305 under the content key; a nonce is 11 bytes of counter
(big-endian) and one that is 1 for the last chunk, so neither order nor end can be changed. Inside:
gzip of lines of JSON, first the keys of tags and pseudonyms, then one line a change.

Invariants: plaintext is never on disk; memory is bounded by a chunk, whatever the size of the log.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import BinaryIO

import msgspec
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

MAGIC = b"XBOPEN1\n"
INFO = b"xibiao acceptance openings v1"
CHUNK = 65_536
_GZIP = 31
_encoder = msgspec.json.Encoder()


class OpeningsFile:
    """Writes the file line by line; `close` ends it. Without `close` it cannot be opened."""

    def __init__(
        self, file: BinaryIO, auditor_key: bytes, randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        key = randomness(32)
        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
        sealed = suite.encrypt(key, X25519PublicKey.from_public_bytes(auditor_key), info=INFO)
        file.write(MAGIC + len(sealed).to_bytes(2, "big") + sealed)
        self._file = file
        self._cipher = ChaCha20Poly1305(key)
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._waiting = bytearray()
        self._chunks = 0

    def begin(
        self, *, origin: str, size: int, identifier_tag_key: bytes, window_key: bytes
    ) -> None:
        """Write the first line: whose log, how many leaves, and the two keys."""
        self._line(
            {
                "identifier_tag_key": identifier_tag_key.hex(),
                "origin": origin,
                "size": size,
                "v": 1,
                "window_key": window_key.hex(),
            }
        )

    def add(self, index: int, identifier: str, salt: bytes, content: bytes) -> None:
        """Write the opening of one change."""
        text = content.decode()
        self._line({"content": text, "i": index, "id": identifier, "salt": salt.hex()})

    def close(self) -> None:
        """Write the end."""
        self._waiting += self._gzip.flush()
        self._seal_full_chunks()
        self._seal(bytes(self._waiting), b"\x01")

    def _line(self, row: dict[str, object]) -> None:
        self._waiting += self._gzip.compress(_encoder.encode(row) + b"\n")
        self._seal_full_chunks()

    def _seal_full_chunks(self) -> None:
        # What is left may be the last chunk, so one is sealed only when more follows.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), b"\x00")
            del self._waiting[:CHUNK]

    def _seal(self, data: bytes, last: bytes) -> None:
        nonce = self._chunks.to_bytes(11, "big") + last
        self._file.write(self._cipher.encrypt(nonce, data, None))
        self._chunks += 1
