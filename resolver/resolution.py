"""The answer to a look-up: the public bytes of one record version, and their form in Redis.

Invariants: a resolution is made from the public view alone (`rendering`), so whatever holds one
(memory, Redis) holds nothing that is not public. Each face's body is rendered once per record
version and carried ready made; together they take some 6 kB of memory.

An entry in Redis is `format(1) ‖ nonce(16) ‖ tag(16) ‖ position(8, big endian) ‖ msgpack payload`.
The tag is AES-256-GMAC (NIST SP 800-38D) over `len(key)(2) ‖ key ‖ format ‖ position ‖ payload`
under a random nonce: a sixth of the time that keyed BLAKE2b takes for an entry of this size. Nonces
of 16 bytes keep a repetition, which would betray the key, out of reach of any number of entries.
Who can write to Redis can therefore delete entries and put back old ones, but neither alter one nor
pass one off for another identifier. The position is what makes old ones harmless: see `lookup`.
"""

from __future__ import annotations

import hashlib
import secrets
import struct

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.domain.record import Status
from node.domain.resolution_event import Outcome, subject_part
from node.errors import IntegrityFailure

# Two releases may share one Redis: each reads only its own format and takes the other's for a miss.
CACHE_FORMAT = 2
NONCE_BYTES, TAG_BYTES = 16, 16
_FORMAT = bytes([CACHE_FORMAT])
_SEAL_BYTES = len(_FORMAT) + NONCE_BYTES + TAG_BYTES
_POSITION = struct.Struct(">Q")
_KEY_LENGTH = struct.Struct(">H")
_STATES_ALONE = frozenset((Status.SUSPENDED, Status.REVOKED))


class Resolution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The public face of one record version.

    `key` is the canonical identifier, `status` and `revision` say which version it is and
    `entity_tag`, 16 hex digits, differs between any two versions; `scan` is the JSON of a scanned
    code and `handle` the JSON of the Handle API with every public value. `wire` has the same values
    as the Handle protocol does: a count and the values, the tail of a resolution reply. `withheld`
    tells (index, type, permissions) of the values that are there and not public. `is_forwarding`:
    the record's own values name another place to go to (an address or an alias).
    """

    key: str
    status: str
    revision: int
    entity_tag: str
    scan: bytes
    handle: bytes
    wire: bytes
    withheld: tuple[tuple[int, str, int], ...] = ()
    is_forwarding: bool = False


class Answer:
    """What a look-up found; shared by all who asked for it while it is true.

    `resolution` is None when the public is told of nothing under the key. `alive` turns False, for
    ever, when the log shows a later change: whoever kept bytes made from this answer must look
    first. Only `memory_cache` writes `alive`. `subject` is what is noted of a look-up that was told
    all of it (`node.domain.resolution_event.subject_part`).
    """

    __slots__ = ("alive", "key", "resolution", "subject")

    def __init__(self, key: str, resolution: Resolution | None) -> None:
        self.key = key
        self.resolution = resolution
        self.alive = True
        self.subject = subject_part(_told(resolution), key)


def _told(resolution: Resolution | None) -> Outcome:
    if resolution is None:
        return Outcome.ABSENT
    return Outcome.STATUS if resolution.status in _STATES_ALONE else Outcome.FOUND


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Resolution)


class CacheSeal:
    """Makes and opens sealed cache entries with one secret key of 16 to 64 bytes."""

    def __init__(self, secret: bytes) -> None:
        if not 16 <= len(secret) <= 64:
            raise ValueError("the cache key must have 16 to 64 bytes")
        derived = hashlib.blake2b(key=secret, digest_size=32, person=b"redis entry seal")
        self._gcm = AESGCM(derived.digest())

    def seal(self, resolution: Resolution, position: int) -> bytes:
        """Return the entry that vouches for `resolution` as of log position `position`."""
        rest = _POSITION.pack(position) + _encoder.encode(resolution)
        nonce = secrets.token_bytes(NONCE_BYTES)
        tag = self._gcm.encrypt(nonce, b"", _sealed(resolution.key, rest))
        return _FORMAT + nonce + tag + rest

    def open(self, key: str, entry: bytes) -> tuple[int, Resolution]:
        """Return (position, resolution) of a genuine entry for `key`; raise IntegrityFailure."""
        if len(entry) <= _SEAL_BYTES + _POSITION.size or entry[0] != CACHE_FORMAT:
            raise IntegrityFailure(code="cache_format")
        nonce, tag = entry[1 : 1 + NONCE_BYTES], entry[1 + NONCE_BYTES : _SEAL_BYTES]
        rest = entry[_SEAL_BYTES:]
        try:
            self._gcm.decrypt(nonce, tag, _sealed(key, rest))
            resolution = _decoder.decode(memoryview(rest)[_POSITION.size :])
        except InvalidTag as error:
            raise IntegrityFailure(code="cache_mac") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise IntegrityFailure(code="cache_payload") from error
        return _POSITION.unpack_from(rest)[0], resolution


def _sealed(key: str, rest: bytes) -> bytes:
    """Return what the tag of an entry is over."""
    name = key.encode()
    return _KEY_LENGTH.pack(len(name)) + name + _FORMAT + rest
