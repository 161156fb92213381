"""Writing replies: which fields echo the request, what is signed, MAC'd and encrypted.

RFC 3652 §2.2 as deployed. A reply repeats OpCode, RequestId, RecursionCount and most flags, and is
written in the version negotiated. Inside a session a certified reply carries a MAC with our own
counter, outside of one a signature with the site's key. A session's reply is encrypted when the
request was, when encryption was asked for, and from version 2.8 whenever it holds what is not
public.

Invariants: every reply expires in the future; signing happens beside the event loop and within
what strangers may cost (`allowances`).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from node.errors import Overloaded, XibiaoError
from resolver.handle import message as messages
from resolver.handle.allowances import StrangersWork
from resolver.handle.bodies import ErrorReply
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.codes import (
    EXPIRATION_S,
    UNKNOWN_SITE_SERIAL,
    EnvelopeFlag,
    OpFlag,
    ResponseCode,
)
from resolver.handle.credentials import make_mac, make_signature
from resolver.handle.digests import Digest
from resolver.handle.envelope import Envelope
from resolver.handle.exchange import Exchange, Outcome, failed
from resolver.handle.message import Message
from resolver.handle.refusals import response_code, response_text
from resolver.handle.session_keys import IV_BYTES, encrypt
from resolver.handle.versions import (
    OWN,
    SESSION_COUNTERS,
    SIGNED_ENVELOPES,
    SIGNED_SUGGESTIONS,
    TAGGED_DIGESTS,
    UNKNOWN_PEER,
    Version,
    reply_envelope,
)

SIGNATURE_MS = 0.5
_ALWAYS = OpFlag.AUTHORITATIVE | OpFlag.RECURSIVE
_COPIED = (
    OpFlag.CERTIFIED
    | OpFlag.ENCRYPTED
    | OpFlag.CACHE_CERTIFIED
    | OpFlag.PUBLIC_ONLY
    | OpFlag.MINT_SUFFIX
    | OpFlag.DO_NOT_REFER
)
_UNDECODABLE_FLAGS = OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFIED | OpFlag.PUBLIC_ONLY
_UNKNOWN_REQUEST = 0xFFFF_FFFF
_REQUEST_ID = slice(8, 12)


class ReplyWriter:
    """Makes the bytes of replies. `clock` gives Unix time, `site_key` signs for the site."""

    def __init__(
        self,
        *,
        site_serial: int,
        site_key: RSAPrivateKey,
        work: BoundedWork,
        strangers: StrangersWork,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._site_serial = site_serial
        self._site_key = site_key
        self._work = work
        self._strangers = strangers
        self._clock = clock
        self._random_bytes = random_bytes

    async def write(self, exchange: Exchange, outcome: Outcome) -> bytes:
        """Return a whole reply; one that cannot be signed now says that the server is busy."""
        try:
            return await self._write(exchange, outcome)
        except Overloaded as error:
            busy = failed(ResponseCode.SERVER_BUSY, response_text(error))
            return messages.encode(self._message(exchange, busy, 0))

    def write_undecodable(self, data: bytes, error: XibiaoError) -> bytes:
        """Return the reply to bytes that are no message, with their RequestId if they have one."""
        request = int.from_bytes(data[_REQUEST_ID]) if len(data) >= 12 else _UNKNOWN_REQUEST
        return messages.encode(
            Message(
                Envelope(request, 0, 0, 0, *UNKNOWN_PEER, *OWN),
                opcode=0,
                body=ErrorReply(response_text(error)).encode(),
                response_code=response_code(error),
                flags=_UNDECODABLE_FLAGS,
                site_serial=UNKNOWN_SITE_SERIAL,
                expiration=self._expiration(),
            )
        )

    async def _write(self, exchange: Exchange, outcome: Outcome) -> bytes:
        session = exchange.session
        is_encrypted = session is not None and _is_encrypted(exchange, outcome)
        reply = self._message(exchange, outcome, EnvelopeFlag.ENCRYPTED if is_encrypted else 0)
        reply = await self._certified(exchange, reply)
        if session is None or not is_encrypted:
            return messages.encode(reply)
        iv = self._random_bytes(IV_BYTES)
        payload = encrypt(session.key, messages.encode_payload(reply), iv=iv)
        return messages.with_envelope(reply.envelope, payload)

    def _message(self, exchange: Exchange, outcome: Outcome, envelope_flags: int) -> Message:
        request, version = exchange.request, exchange.version
        session = request.envelope.session if outcome.session is None else outcome.session
        flags, body = request.flags & _COPIED | _ALWAYS | outcome.flags, outcome.body
        if (
            exchange.wants(OpFlag.REQUEST_DIGEST)
            and version >= TAGGED_DIGESTS
            and outcome.code != ResponseCode.AUTHENTICATION_NEEDED  # which has one already
        ):
            body = Digest.of(messages.signed_part(request), version).encode() + body
            flags |= OpFlag.REQUEST_DIGEST
        return Message(
            reply_envelope(exchange.asked_in, session=session, flags=envelope_flags),
            request.opcode,
            body,
            _code_for(outcome.code, version),
            flags,
            self._site_serial,
            request.recursion,
            self._expiration(),
        )

    async def _certified(self, exchange: Exchange, reply: Message) -> Message:
        if not exchange.wants(OpFlag.CERTIFIED):
            return reply
        signed, envelope, session = messages.signed_part(reply), reply.envelope, exchange.session
        version = exchange.version
        if version < SIGNED_ENVELOPES and (session is not None or version >= SESSION_COUNTERS):
            return reply  # Sessions are of 2.7 and later; what 2.5 and 2.6 sign is garbled.
        if session is not None:
            credential = make_mac(session.key, envelope, session.next_counter(), signed)
        else:
            self._strangers.spend(exchange.connection, SIGNATURE_MS)
            credential = await self._work.run(
                lambda: make_signature(self._site_key, envelope, signed)
            )
        return _with_credential(reply, credential.encode())

    def _expiration(self) -> int:
        return int(self._clock()) + EXPIRATION_S


def _is_encrypted(exchange: Exchange, outcome: Outcome) -> bool:
    return (
        exchange.asked_in.is_encrypted
        or exchange.wants(OpFlag.ENCRYPTED)
        or (outcome.is_confidential and exchange.version >= SIGNED_SUGGESTIONS)
    )


def _code_for(code: int, version: Version) -> int:
    """Return a code that a peer of that version knows."""
    if code == ResponseCode.INVALID_VALUE and version < SESSION_COUNTERS:
        return ResponseCode.VALUE_ALREADY_EXISTS
    return code


def _with_credential(reply: Message, credential: bytes) -> Message:
    return Message(
        reply.envelope,
        reply.opcode,
        reply.body,
        reply.response_code,
        reply.flags,
        reply.site_serial,
        reply.recursion,
        reply.expiration,
        credential,
    )
