"""Taking a message in: decoding, decrypting, and finding out whether it comes from whom it says.

RFC 3652 §2.2, §4.3 as deployed. Order: envelope and lengths; the session, if the message is
encrypted; header and body; the interface; the session, its MAC and its counter; a login of the
connection.

Invariants: `open` raises InvalidInput or NotAuthenticated before there is an exchange to reply to,
`admit` after. An encrypted message has a MAC and nothing behind it, and whatever is wrong with one
is refused alike: else the refusals would tell what its padding is (an oracle, as against CBC in
TLS). Deployed clients leave the MAC out of answers to challenges, which prove themselves: they may.
"""

from __future__ import annotations

from node.errors import InvalidInput, NotAuthenticated
from resolver.handle import envelope as envelopes
from resolver.handle import message as messages
from resolver.handle.authentication import Authentication
from resolver.handle.codes import OpCode, ResponseCode
from resolver.handle.credentials import Credential, check_mac
from resolver.handle.cursor import malformed
from resolver.handle.envelope import ENVELOPE_BYTES, Envelope
from resolver.handle.exchange import Exchange
from resolver.handle.identity import Connection
from resolver.handle.idis import accepts_number
from resolver.handle.message import Message
from resolver.handle.refusals import (
    missing_mac,
    replayed,
    setup_failed,
    unknown_session,
    wrong_mac,
)
from resolver.handle.session_keys import decrypt
from resolver.handle.sessions import Session, Sessions
from resolver.handle.versions import SIGNED_ENVELOPES, spoken

_ADMINISTRATIVE = frozenset(
    {
        OpCode.CREATE_HANDLE,
        OpCode.DELETE_HANDLE,
        OpCode.ADD_VALUE,
        OpCode.REMOVE_VALUE,
        OpCode.MODIFY_VALUE,
        OpCode.LIST_HANDLES,
        OpCode.LIST_DERIVED_PREFIXES,
        OpCode.HOME_PREFIX,
        OpCode.UNHOME_PREFIX,
        OpCode.LIST_HOMED_PREFIXES,
        OpCode.GET_NEXT_TRANSACTION_ID,
        OpCode.RETRIEVE_TRANSACTION_LOG,
        OpCode.DUMP_HANDLES,
        OpCode.BACKUP_SERVER,
    }
)


class Admission:
    """Admits messages to the sessions of this process."""

    def __init__(self, sessions: Sessions, authentication: Authentication) -> None:
        self._sessions = sessions
        self._authentication = authentication

    def open(self, data: bytes, connection: Connection) -> Exchange:
        """Decode a whole message, encrypted or not, and find its session."""
        envelope = envelopes.decode(data)
        if not envelope.is_encrypted:
            message = messages.decode(data)
            if message.opcode == 0:
                raise _unknown_opcode()
            session = self._sessions.find(envelope.session)
            return Exchange(message, envelope, connection, session)
        return self._open_encrypted(data, envelope, connection)

    async def admit(self, exchange: Exchange) -> None:
        """Check where a request comes from and note who asks it."""
        request, session = exchange.request, exchange.session
        if request.response_code != ResponseCode.REQUEST:
            raise malformed("a reply where a request is expected")
        if request.opcode in _ADMINISTRATIVE and not exchange.connection.allows_administration:
            raise _wrong_interface()
        if session is not None:
            await self._admit_to_session(exchange, session)
            return
        is_answer = request.opcode == OpCode.RESPONSE_TO_CHALLENGE
        if request.envelope.session and not is_answer and not accepts_number(exchange):
            raise unknown_session()
        await self._recognise_login(exchange)

    def _open_encrypted(self, data: bytes, envelope: Envelope, connection: Connection) -> Exchange:
        if not envelope.session:
            raise setup_failed("没有会话却加密", "An encrypted message needs a session")
        session = self._sessions.find(envelope.session)
        if session is None:
            raise unknown_session()
        if envelope.length != len(data) - ENVELOPE_BYTES:
            raise malformed("length of an encrypted message")
        try:
            payload = decrypt(session.key, data[ENVELOPE_BYTES:])
            message = messages.decode_payload(envelope, payload)
            _check_end(message, payload)
            has_mac = message.opcode != OpCode.RESPONSE_TO_CHALLENGE or bool(message.credential)
            if has_mac:
                self._check_mac(message, session)
        except (InvalidInput, NotAuthenticated) as error:
            raise wrong_mac() from error
        return Exchange(message, envelope, connection, session, has_mac=has_mac)

    async def _admit_to_session(self, exchange: Exchange, session: Session) -> None:
        if exchange.request.credential and not exchange.has_mac:
            self._check_mac(exchange.request, session)
            exchange.has_mac = True
        if exchange.has_mac and session.asker is not None:
            session.asker = await self._authentication.confirm(session.asker)
            if session.asker is None:
                self._sessions.close(session)
                raise unknown_session()
            exchange.asker = session.asker

    def _check_mac(self, message: Message, session: Session) -> None:
        """Raise NotAuthenticated unless a message comes from the session's peer and is new."""
        if not message.credential:
            raise missing_mac()
        if spoken(message.envelope) < SIGNED_ENVELOPES:
            raise wrong_mac()
        try:
            credential = Credential.decode(message.credential)
        except InvalidInput as error:
            raise missing_mac() from error
        try:
            check_mac(credential, session.key, message.envelope, messages.signed_part(message))
        except (InvalidInput, NotAuthenticated) as error:
            raise wrong_mac() from error
        if not session.counters.take(credential.counter):
            raise replayed()

    async def _recognise_login(self, exchange: Exchange) -> None:
        connection = exchange.connection
        if connection.login is not None:
            connection.login = await self._authentication.confirm(connection.login)
            exchange.asker = connection.login


def _check_end(message: Message, payload: bytes) -> None:
    """Refuse bytes that stand behind a message."""
    if payload not in (messages.encode_payload(message), messages.signed_part(message)):
        raise malformed("bytes after the message")


def _unknown_opcode() -> InvalidInput:
    return InvalidInput("未知的操作码 0", "Unknown opCode in message: 0", code="handle_message")


def _wrong_interface() -> InvalidInput:
    return InvalidInput(
        "此接口不接受管理请求",
        "Received admin request on non-admin interface",
        code="handle_interface",
    )
