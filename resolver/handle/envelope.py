"""The 20 bytes in front of every Handle message or packet (RFC 3652 §2.2.1, as deployed).

Layout: version major, minor; flags and suggested major; suggested minor; session; request;
sequence; length. The third byte carries three flags and, in its low five bits, the highest major
version the sender speaks (zero from a sender that follows the RFC's text: see `versions`).
`length` counts the bytes after the envelope of the whole message, also in each of its packets.

Invariant: `encode(decode(x)) == x` for any 20 bytes.
"""

from __future__ import annotations

import struct

import msgspec

from resolver.handle.codes import EnvelopeFlag
from resolver.handle.cursor import malformed

ENVELOPE_BYTES = 20
_LAYOUT = struct.Struct(">BBBBIIII")
_MAJOR_BITS = 0x1F


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Where a message belongs.

    `flags` are bits of EnvelopeFlag; `session` is 0 outside sessions and also carries the number of
    a challenge; `request` is chosen by the client and echoed; `sequence` numbers the packets of one
    message from 0. All are unsigned.
    """

    request: int
    length: int
    session: int = 0
    sequence: int = 0
    major: int = 2
    minor: int = 11
    suggested_major: int = 2
    suggested_minor: int = 11
    flags: int = 0

    @property
    def is_encrypted(self) -> bool:
        """Say whether everything after the envelope is cipher text."""
        return bool(self.flags & EnvelopeFlag.ENCRYPTED)

    @property
    def is_truncated(self) -> bool:
        """Say whether the sender marked this as one packet of several."""
        return bool(self.flags & EnvelopeFlag.TRUNCATED)


def decode(data: bytes) -> Envelope:
    """Read the envelope at the beginning of `data`; raise InvalidInput below 20 bytes."""
    if len(data) < ENVELOPE_BYTES:
        raise malformed("shorter than an envelope")
    major, minor, mixed, suggested_minor, session, request, sequence, length = _LAYOUT.unpack_from(
        data
    )
    return Envelope(
        request,
        length,
        session,
        sequence,
        major,
        minor,
        mixed & _MAJOR_BITS,
        suggested_minor,
        mixed & ~_MAJOR_BITS,
    )


def encode(envelope: Envelope) -> bytes:
    """Return the 20 bytes of an envelope."""
    return _LAYOUT.pack(
        envelope.major,
        envelope.minor,
        envelope.flags | envelope.suggested_major,
        envelope.suggested_minor,
        envelope.session,
        envelope.request,
        envelope.sequence,
        envelope.length,
    )
