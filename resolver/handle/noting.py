"""What listeners are told of the look-ups that the server of the native protocol answers.

A look-up that was answered by a challenge is noted when the proof that follows has been judged, so
it counts once; one whose asker never proves himself has been told nothing and counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from node.domain.resolution_event import Outcome, subject_part
from node.errors import InvalidInput, XibiaoError
from resolver.handle.bodies import ResolutionRequest
from resolver.handle.codes import OpCode, ResponseCode
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.exchange import Exchange
from resolver.handle.message import Message
from resolver.tally.outcomes import NotedLookUp, failed_subject, handle_key

Note = Callable[[NotedLookUp], None]

_OPCODE = slice(ENVELOPE_BYTES, ENVELOPE_BYTES + 4)
_RESPONSE_CODE = slice(ENVELOPE_BYTES + 4, ENVELOPE_BYTES + 8)
_RESOLUTION = OpCode.RESOLUTION.to_bytes(4)
_BUSY = ResponseCode.SERVER_BUSY.to_bytes(4)
_REFERRALS = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)


def note_nothing(_noted: NotedLookUp) -> None:
    """Note nothing: for those who do not count."""


def note_answered(exchange: Exchange, reply: bytes, note: Note) -> None:
    """Note what was carried out, if it was a look-up."""
    asked = exchange.look_up
    if asked is None:
        return
    subject = exchange.subject
    if not subject or reply[_RESPONSE_CODE] == _BUSY:  # because it could not be signed now
        subject = subject_part(Outcome.FAILED, _key(asked))
    note(NotedLookUp(subject, _actor(exchange)))


def note_refused(exchange: Exchange, error: XibiaoError, code: int, note: Note) -> None:
    """Note what ended in an error and was replied to with `code`, if it was a look-up."""
    asked = exchange.look_up
    if asked is None or code == ResponseCode.AUTHENTICATION_NEEDED:
        return
    key = _key(asked)
    is_referral = code in _REFERRALS
    subject = subject_part(Outcome.REFERRED, key) if is_referral else failed_subject(error, key)
    note(NotedLookUp(subject, _actor(exchange)))


def note_undecodable(message: bytes, error: XibiaoError, note: Note) -> None:
    """Note bytes that could not be read, or not answered, if they say that they are a look-up."""
    if message[_OPCODE] == _RESOLUTION:
        note(NotedLookUp(failed_subject(error, ""), ""))


def _key(asked: Message) -> str:
    try:
        return handle_key(ResolutionRequest.decode(asked.body).handle)
    except InvalidInput:
        return ""


def _actor(exchange: Exchange) -> str:
    return "" if exchange.asker is None else f"handle:{exchange.asker.name}"
