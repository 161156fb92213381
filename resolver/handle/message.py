"""A whole Handle message: envelope, header, body, credential (RFC 3652 §2.2).

Header, 24 bytes: OpCode, ResponseCode, OpFlag, site serial, recursion count, a reserved byte,
expiration time (seconds since 1970), body length. After the body stand the credential's length and
the credential; a message may end right after its body. The body stays bytes here: what they mean
depends on the operation (`bodies`).

Invariants: `decode` takes whole, reassembled messages in clear; it accepts what deployed servers
accept (a missing credential length, bytes after the credential) and `encode` writes the full form.
`signed_part` gives header and body byte for byte as they were received: what digests, MACs and
signatures cover.
"""

from __future__ import annotations

import struct

import msgspec

from resolver.handle import envelope as envelopes
from resolver.handle.codes import MAX_MESSAGE_BYTES, UNKNOWN_SITE_SERIAL, ResponseCode
from resolver.handle.cursor import malformed
from resolver.handle.envelope import ENVELOPE_BYTES, Envelope

HEADER_BYTES = 24
_HEADER = struct.Struct(">IIIHBBII")
_U32 = struct.Struct(">I")


class Message(msgspec.Struct, frozen=True, gc=False):
    """One request or reply.

    `expiration` in seconds since 1970 (clients refuse replies whose time has passed); `credential`
    is b"" for none (`credentials` reads it). `envelope.length` is what was received; `encode`
    writes the true one.
    """

    envelope: Envelope
    opcode: int
    body: bytes
    response_code: int = ResponseCode.REQUEST
    flags: int = 0
    site_serial: int = UNKNOWN_SITE_SERIAL
    recursion: int = 0
    expiration: int = 0
    credential: bytes = b""
    reserved: int = 0


def check_length(length: int) -> None:
    """Refuse a message length (envelope.length) that no message can have; raise InvalidInput."""
    if not HEADER_BYTES <= length <= MAX_MESSAGE_BYTES:
        raise malformed("Invalid message length")


def decode(data: bytes) -> Message:
    """Read a whole message in clear; raise InvalidInput.

    `data` is exactly one message; an encrypted one is refused: decrypt what follows the envelope
    (`session_keys`) and use `decode_payload`.
    """
    envelope = envelopes.decode(data)
    if envelope.length != len(data) - ENVELOPE_BYTES:
        raise malformed(
            f"Expecting {envelope.length} bytes, only received {len(data) - ENVELOPE_BYTES}"
            if envelope.length > len(data) - ENVELOPE_BYTES
            else "bytes after the message"
        )
    if envelope.is_encrypted:
        raise malformed("encrypted")
    return _decode_at(data, ENVELOPE_BYTES, envelope)


def decode_payload(envelope: Envelope, payload: bytes) -> Message:
    """Read what follows the envelope (header, body, credential in clear); raise InvalidInput."""
    return _decode_at(payload, 0, envelope)


def encode(message: Message) -> bytes:
    """Return the bytes of a message, its envelope with the true length in front."""
    payload = encode_payload(message)
    return with_envelope(message.envelope, payload)


def with_envelope(envelope: Envelope, payload: bytes) -> bytes:
    """Return the payload behind the envelope, whose length is set to the payload's."""
    if envelope.length != len(payload):
        envelope = msgspec.structs.replace(envelope, length=len(payload))
    return envelopes.encode(envelope) + payload


def encode_payload(message: Message) -> bytes:
    """Return header, body and credential: what an encrypted message encrypts."""
    credential = message.credential
    return signed_part(message) + _U32.pack(len(credential)) + credential


def signed_part(message: Message) -> bytes:
    """Return header and body: what digests, MACs and signatures cover."""
    body = message.body
    return (
        _HEADER.pack(
            message.opcode,
            message.response_code,
            message.flags,
            message.site_serial,
            message.recursion,
            message.reserved,
            message.expiration,
            len(body),
        )
        + body
    )


def _decode_at(data: bytes, start: int, envelope: Envelope) -> Message:
    size = len(data) - start
    check_length(size)
    opcode, code, flags, serial, recursion, reserved, expiration, body_length = _HEADER.unpack_from(
        data, start
    )
    body_at = start + HEADER_BYTES
    body_end = body_at + body_length
    if body_end > len(data):
        raise malformed("body beyond the end")
    return Message(
        envelope,
        opcode,
        data[body_at:body_end],
        code,
        flags,
        serial,
        recursion,
        expiration,
        _credential_at(data, body_end),
        reserved,
    )


def _credential_at(data: bytes, at: int) -> bytes:
    if at == len(data):
        return b""
    if at + 4 > len(data):
        raise malformed("credential length")
    (length,) = _U32.unpack_from(data, at)
    end = at + 4 + length
    if end > len(data):
        raise malformed("credential beyond the end")
    return data[at + 4 : end]
