"""The answer to a look-up: the public bytes of one record version, and their form in Redis.

Invariants: a resolution is made from the public view alone, so whatever holds one (memory, Redis)
holds nothing that is not public. Each face's body is rendered once per record version and carried
ready made: rendering costs about 60 µs, more than all the rest of a look-up together, while the
bodies cost some 4 kB of memory.

An entry in Redis is `MAC(16) ‖ format(1) ‖ position(8, big endian) ‖ msgpack payload`, where the
MAC is keyed BLAKE2b (RFC 7693) over `len(key)(2) ‖ key ‖ everything after the MAC`. Who can write
to Redis can therefore delete entries and put back old ones, but neither alter one nor pass one off
for another identifier. The position is what makes old ones harmless: see `lookup`.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

import msgspec

from node.domain.disclosure import PublicView
from node.errors import IntegrityFailure
from resolver import handle_json, scan_json

# Two releases may share one Redis: each reads only its own format and takes the other's for a miss.
CACHE_FORMAT = 1
MAC_BYTES = 16
_HEADER = struct.Struct(">BQ")
_KEY_LENGTH = struct.Struct(">H")


class Resolution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The public face of one record version.

    `key` is the canonical identifier, `status` and `revision` say which version it is and
    `entity_tag`, 16 hex digits, differs between any two versions; `scan` is the JSON of a scanned
    code and `handle` the JSON of the Handle API with every public value.
    """

    key: str
    status: str
    revision: int
    entity_tag: str
    scan: bytes
    handle: bytes


class Answer:
    """What a look-up found; shared by all who asked for it while it is true.

    `resolution` is None when nothing is registered under the key. `alive` turns False, for ever,
    when the log shows a later change: whoever kept bytes made from this answer must look first.
    Only `memory_cache` writes `alive`.
    """

    __slots__ = ("alive", "key", "resolution")

    def __init__(self, key: str, resolution: Resolution | None) -> None:
        self.key = key
        self.resolution = resolution
        self.alive = True


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Resolution)


def resolution_of(view: PublicView, public_url: str = "") -> Resolution:
    """Render every face of a record's public view; links begin with `public_url`."""
    version = f"{CACHE_FORMAT}\n{view.identifier}\n{view.revision}\n{view.status}{public_url}"
    return Resolution(
        key=view.identifier,
        status=view.status,
        revision=view.revision,
        entity_tag=hashlib.blake2b(version.encode(), digest_size=8).hexdigest(),
        scan=scan_json.render(view, public_url),
        handle=handle_json.render(view),
    )


class CacheSeal:
    """Makes and opens sealed cache entries with one secret key of 16 to 64 bytes."""

    def __init__(self, secret: bytes) -> None:
        if not 16 <= len(secret) <= 64:
            raise ValueError("the cache key must have 16 to 64 bytes")
        self._keyed = hashlib.blake2b(key=secret, digest_size=MAC_BYTES)

    def seal(self, resolution: Resolution, position: int) -> bytes:
        """Return the entry that vouches for `resolution` as of log position `position`."""
        rest = _HEADER.pack(CACHE_FORMAT, position) + _encoder.encode(resolution)
        return self._mac(resolution.key, rest) + rest

    def open(self, key: str, entry: bytes) -> tuple[int, Resolution]:
        """Return (position, resolution) of a genuine entry for `key`; raise IntegrityFailure."""
        if len(entry) <= MAC_BYTES + _HEADER.size or entry[MAC_BYTES] != CACHE_FORMAT:
            raise IntegrityFailure(code="cache_format")
        rest = entry[MAC_BYTES:]
        if not hmac.compare_digest(entry[:MAC_BYTES], self._mac(key, rest)):
            raise IntegrityFailure(code="cache_mac")
        try:
            resolution = _decoder.decode(memoryview(rest)[_HEADER.size :])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise IntegrityFailure(code="cache_payload") from error
        return _HEADER.unpack_from(rest)[1], resolution

    def _mac(self, key: str, rest: bytes) -> bytes:
        mac = self._keyed.copy()
        name = key.encode()
        mac.update(_KEY_LENGTH.pack(len(name)) + name + rest)
        return mac.digest()
