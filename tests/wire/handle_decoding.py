"""Read everything there is in a Handle message, as a curious server or client would.

`read_all` is what fuzzing calls: it decodes each part by what the message says it is and returns
the names of what it could read. It raises InvalidInput when nothing could be read; any other
exception is a fault of the decoders.
"""

from __future__ import annotations

from collections.abc import Callable

from node.domain.handle_value import HandleValue
from node.errors import InvalidInput, NotAuthenticated
from resolver.handle import bodies, digests, keys, message, predefined, proofs, session_keys, values
from resolver.handle import envelope as envelopes
from resolver.handle.codes import OpCode, OpFlag, ResponseCode
from resolver.handle.credentials import Credential, check_mac
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.message import Message
from resolver.handle.signed_tokens import read_certificate, read_signature
from resolver.handle.site import Site
from resolver.handle.versions import negotiated
from tests.wire.handle_vectors import VECTORS

SESSION = session_keys.derive(VECTORS["shared_secret"])

REQUESTS: dict[int, Callable[[bytes], object]] = {
    OpCode.RESOLUTION: bodies.ResolutionRequest.decode,
    OpCode.CREATE_HANDLE: bodies.ValuesRequest.decode,
    OpCode.ADD_VALUE: bodies.ValuesRequest.decode,
    OpCode.MODIFY_VALUE: bodies.ValuesRequest.decode,
    OpCode.REMOVE_VALUE: bodies.IndexesRequest.decode,
    OpCode.RESPONSE_TO_CHALLENGE: bodies.ChallengeAnswer.decode,
    OpCode.VERIFY_CHALLENGE: bodies.VerifyRequest.decode,
    OpCode.SESSION_SETUP: bodies.SessionSetup.decode,
    OpCode.SESSION_EXCHANGE_KEY: bodies.SessionKeyRequest.decode,
    OpCode.IDIS_LOGIN: bodies.LoginRequest.decode,
}
REPLIES: dict[int, Callable[[bytes], object]] = {
    OpCode.RESOLUTION: bodies.ResolutionReply.decode,
    OpCode.GET_SITE_INFO: Site.decode,
    OpCode.CREATE_HANDLE: bodies.CreateReply.decode,
    OpCode.LIST_HANDLES: bodies.NamesReply.decode,
    OpCode.VERIFY_CHALLENGE: bodies.VerifyReply.decode,
    OpCode.SESSION_SETUP: bodies.SessionSetupReply.decode,
}
STRUCTURES: dict[str, Callable[[bytes], object]] = {
    "HS_ADMIN": predefined.Admin.decode,
    "HS_VLIST": predefined.decode_value_list,
    "HS_SITE": Site.decode,
    "HS_PUBKEY": keys.decode_public,
    "HS_SIGNATURE": read_signature,
    "HS_CERT": read_certificate,
    "HS_ALIAS": predefined.decode_handle,
}


def read_all(data: bytes) -> Message:
    """Read a message to its last field; raise InvalidInput."""
    envelope = envelopes.decode(data)
    if envelope.is_encrypted:
        clear = session_keys.decrypt(SESSION, data[ENVELOPE_BYTES:])
        whole = message.decode_payload(envelope, clear)
    else:
        whole = message.decode(data)
    _read_credential(whole)
    body = whole.body
    if whole.response_code == ResponseCode.REQUEST:
        _read_request(whole, body)
    else:
        _read_reply(whole, body)
    return whole


def _read_request(whole: Message, body: bytes) -> None:
    read = REQUESTS.get(whole.opcode, bodies.HandleRequest.decode)(body)
    if isinstance(read, bodies.ValuesRequest):
        _read_values(read.values)
    elif isinstance(read, bodies.ChallengeAnswer) and b"\x22" not in read.proof[:1]:
        _judge(
            lambda: proofs.check_secret(read.proof, b"k", b"m", version=negotiated(whole.envelope))
        )
    elif isinstance(read, bodies.SessionSetup):
        session_keys.decode_public(read.key)


def _read_reply(whole: Message, body: bytes) -> None:
    code = whole.response_code
    if code == ResponseCode.AUTHENTICATION_NEEDED:
        digests.Challenge.decode(body, negotiated(whole.envelope))
        return
    if whole.flags & OpFlag.REQUEST_DIGEST:
        _, body = digests.split(body)
    if code == ResponseCode.SUCCESS:
        read = REPLIES.get(whole.opcode, bodies.ErrorReply.decode)(body)
        if isinstance(read, bodies.ResolutionReply):
            _read_values(read.values)
        elif isinstance(read, bodies.SessionSetupReply):
            session_keys.decode_reply(read.data)
    elif code in (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL):
        bodies.Referral.decode(body)
    else:
        bodies.ErrorReply.decode(body)


def _read_values(read: tuple[HandleValue, ...]) -> None:
    assert values.decode_values(values.encode_values(read)) == read
    for value in read:
        if value.type in STRUCTURES:
            STRUCTURES[value.type](value.data)


def _read_credential(whole: Message) -> None:
    if whole.credential:
        credential = Credential.decode(whole.credential)
        _judge(lambda: check_mac(credential, SESSION, whole.envelope, message.signed_part(whole)))


def _judge(check: Callable[[], None]) -> None:
    """Run a check whose outcome does not matter here."""
    try:
        check()
    except (NotAuthenticated, InvalidInput):
        return
