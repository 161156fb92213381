"""What a client makes of a reply: is it the answer to the request, and what does it say?

`check` lets nothing pass but the answer to what was asked: same RequestId and operation, not
expired, with the request's digest where one was asked for, and with the site's signature where one
was asked for and the site's key is known. `outcome_of` reads what it says about a resolution.

Invariants: a reply that is not to be trusted raises IntegrityFailure, whatever is wrong with it;
a failure that the server reports is an outcome, never an exception.
"""

from __future__ import annotations

import msgspec

from node.domain.handle_value import HandleValue
from node.errors import IntegrityFailure, InvalidInput, NotAuthenticated
from resolver.handle import credentials, digests, message
from resolver.handle.bodies import ErrorReply, Referral, ResolutionReply
from resolver.handle.codes import (
    MAX_HANDLE_BYTES,
    MAX_VALUES,
    OpFlag,
    ResponseCode,
)
from resolver.handle.credentials import Credential
from resolver.handle.cursor import encode_name
from resolver.handle.message import Message
from resolver.handle.proofs import PublicKey

REFERRALS = frozenset({ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL})
ABSENT = frozenset({ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND})


class Found(msgspec.Struct, frozen=True):
    """The values of a handle; `handle` is written as it was asked for."""

    handle: str
    values: tuple[HandleValue, ...]
    is_authoritative: bool


class Absent(msgspec.Struct, frozen=True):
    """No such handle (code 100), or no such value of it that may be read (200)."""

    code: int


class Referred(msgspec.Struct, frozen=True):
    """Other servers answer for this: those in `handle` or in `values` (codes 302, 303)."""

    code: int
    handle: str
    values: tuple[HandleValue, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """The server did not answer, and says why in `code` and for people in `message`."""

    code: int
    message: str


Outcome = Found | Absent | Referred | Refused


def check(request: Message, reply: Message, *, now: float, site_key: PublicKey | None) -> bytes:
    """Return the reply's body without its digest; raise IntegrityFailure.

    `now` in seconds since 1970. Without `site_key` signatures are not looked at. Challenges are
    returned whole, digest included, for `digests.Challenge` to read.
    """
    if reply.envelope.request != request.envelope.request:
        raise _distrusted("the RequestId is another")
    if reply.response_code == ResponseCode.REQUEST:
        raise _distrusted("it is a request")
    if reply.opcode not in _operations(request, reply):
        raise _distrusted("the operation is another")
    if reply.expiration <= now:
        raise _distrusted("it has expired")
    body = _without_digest(request, reply)
    if request.flags & OpFlag.CERTIFIED and site_key is not None:
        _check_signature(reply, site_key)
    return body


def outcome_of(handle: str, reply: Message, body: bytes) -> Outcome:
    """Return what a checked reply says about the resolution of `handle`.

    Raises IntegrityFailure for a body that cannot be read, or about another handle.
    """
    code = reply.response_code
    try:
        if code == ResponseCode.SUCCESS:
            return _found(handle, ResolutionReply.decode(body), reply.flags)
        if code in REFERRALS:
            referral = Referral.decode(body)
            return Referred(code, referral.handle, referral.values or ())
        if code in ABSENT:
            return Absent(code)
        return Refused(code, _text_of(body))
    except InvalidInput as error:
        raise _distrusted(error.en) from error


def _operations(request: Message, reply: Message) -> tuple[int, ...]:
    """Return the operations that a reply may bear; a server that read nothing writes 0."""
    if reply.response_code == ResponseCode.PROTOCOL_ERROR:
        return (request.opcode, 0)
    return (request.opcode,)


def _without_digest(request: Message, reply: Message) -> bytes:
    if not reply.flags & OpFlag.REQUEST_DIGEST:
        is_promised = reply.response_code == ResponseCode.SUCCESS
        if request.flags & OpFlag.REQUEST_DIGEST and is_promised:
            raise _distrusted("the request's digest is missing")
        return reply.body
    if reply.response_code == ResponseCode.AUTHENTICATION_NEEDED:
        return reply.body  # A challenge is read as a whole (`digests.Challenge`).
    try:
        digest, body = digests.split(reply.body)
    except InvalidInput as error:
        raise _distrusted(error.en) from error
    digest.check(message.signed_part(request))
    return body


def _check_signature(reply: Message, site_key: PublicKey) -> None:
    try:
        credential = Credential.decode(reply.credential)
        signed = message.signed_part(reply)
        credentials.check_signature(credential, site_key, reply.envelope, signed)
    except (InvalidInput, NotAuthenticated) as error:
        raise _distrusted("the site's signature is missing or wrong") from error


def _found(handle: str, read: ResolutionReply, flags: int) -> Found:
    name = encode_name(read.handle)
    if name.upper() != encode_name(handle).upper() or len(name) > MAX_HANDLE_BYTES:
        raise _distrusted("it is about another handle")
    if len(read.values) > MAX_VALUES:
        raise _distrusted("too many values")
    return Found(read.handle, read.values, bool(flags & OpFlag.AUTHORITATIVE))


def _text_of(body: bytes) -> str:
    return encode_name(ErrorReply.decode(body).message).decode("utf-8", "replace")


def _distrusted(why: str) -> IntegrityFailure:
    return IntegrityFailure(
        f"Handle 服务器的应答不可信:{why}",
        f"The Handle server's reply cannot be trusted: {why}",
        code="handle_reply",
    )
