"""Which version of the protocol two peers speak, and what changed in which version.

A sender writes the version of the message and the highest version it knows; a reply is written in
the lower of that and our own. A sender that follows the RFC's text leaves the suggestion's major
number at zero: then the version it uses is the one it suggests.

Invariant: every version from 2.1 to 2.11 has the same bodies; what differs is named here.
"""

from __future__ import annotations

from typing import NamedTuple

from resolver.handle.envelope import Envelope


class Version(NamedTuple):
    """A version of the protocol; versions compare in order."""

    major: int
    minor: int


OWN = Version(2, 11)
UNKNOWN_PEER = Version(2, 3)  # what a client writes to a server it knows nothing of

# The first version that has the thing.
TAGGED_DIGESTS = Version(2, 1)  # sessions too; octets in front of digests and MACs
CIPHER_NUMBERS = Version(2, 4)  # CBC with its IV; number of the cipher before the DH key
SESSION_COUNTERS = Version(2, 5)  # also response codes 7, 202 and 303
SIGNED_ENVELOPES = Version(2, 7)  # also SHA-256; 2.5 and 2.6 signed garbled bytes
SIGNED_SUGGESTIONS = Version(2, 8)  # also encryption without being asked
ADMINISTRATION_REFERRALS = Version(2, 10)
DSA_SHA256 = Version(2, 11)


def spoken(envelope: Envelope) -> Version:
    """Return the version a message is written in."""
    return Version(envelope.major, envelope.minor)


def negotiated(envelope: Envelope) -> Version:
    """Return the version to answer a message in: the best both peers know."""
    if envelope.suggested_major == 0:
        return min(spoken(envelope), OWN)
    return min(Version(envelope.suggested_major, envelope.suggested_minor), OWN)


def reply_envelope(request: Envelope, *, session: int = 0, flags: int = 0) -> Envelope:
    """Return the envelope of a reply to `request`, in the negotiated version, its length 0."""
    major, minor = negotiated(request)
    return Envelope(
        request.request,
        0,
        session,
        0,
        major,
        minor,
        OWN.major,
        OWN.minor,
        flags,
    )
