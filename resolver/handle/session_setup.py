"""Setting up and ending sessions (RFC 3652 §4.2 as deployed).

Deployed peers complete one exchange: Diffie-Hellman. The IDIS dialect adds one by RSA, in which the
server chooses the key and encrypts it to the public key of the user named. The other modes are
refused as deployed servers refuse them.

Invariants: what a setup costs is charged to its source before it is computed, beside the event
loop; nobody gets a session in a version whose MACs cover no counter.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import padding

from node.domain.handle_value import HandleReference
from node.errors import InvalidInput
from resolver.handle import session_keys
from resolver.handle.allowances import StrangersWork, source_of
from resolver.handle.authentication import Authentication
from resolver.handle.bodies import SessionSetup, SessionSetupReply
from resolver.handle.bounded_work import BoundedWork
from resolver.handle.codes import ANONYMOUS_INDEX, CipherNumber, KeyExchange
from resolver.handle.cursor import Cursor, u32_field
from resolver.handle.exchange import Exchange, Outcome
from resolver.handle.refusals import missing_mac, setup_failed, unknown_session
from resolver.handle.session_keys import SessionKey
from resolver.handle.sessions import Session, Sessions
from resolver.handle.versions import SIGNED_ENVELOPES

SETUP_MS = 3.0
# 256 bits are more than a group of 1,024 bits deserves; each bit costs time.
EXPONENT_BYTES = 32
# HMAC takes any length, and this is an AES-128 key in either reading of the dialect's text.
IDIS_KEY_BYTES = 16


class SessionSetups:
    """Opens and ends sessions."""

    def __init__(
        self,
        sessions: Sessions,
        authentication: Authentication,
        *,
        work: BoundedWork,
        strangers: StrangersWork,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._sessions = sessions
        self._authentication = authentication
        self._work = work
        self._strangers = strangers
        self._random_bytes = random_bytes

    async def open(self, exchange: Exchange) -> Outcome:
        """Answer SESSION_SETUP."""
        if exchange.version < SIGNED_ENVELOPES:
            raise setup_failed("会话需要协议版本 2.7 或更高", "Sessions need version 2.7 or later")
        setup = _read_setup(exchange)
        if setup.mode == KeyExchange.DIFFIE_HELLMAN:
            key, data = await self._diffie_hellman(exchange, setup)
        else:
            key, data = await self._encrypted_to_user(exchange, setup)
        session = self._sessions.open(
            key,
            claimed=_claimed(setup.identity),
            asked_s=setup.timeout_s,
            source=source_of(exchange.connection.peer),
        )
        return Outcome(SessionSetupReply(setup.mode, data).encode(), session=session.number)

    def terminate(self, exchange: Exchange) -> Outcome:
        """Answer SESSION_TERMINATE; only the peer itself ends a session that is somebody's."""
        session = exchange.session
        if session is None:
            raise unknown_session()
        if session.asker is not None and not exchange.has_mac:
            raise missing_mac()
        self._sessions.close(session)
        return Outcome()

    async def _diffie_hellman(
        self, exchange: Exchange, setup: SessionSetup
    ) -> tuple[SessionKey, bytes]:
        try:
            peer = session_keys.decode_public(setup.key)
        except InvalidInput as error:
            raise _invalid_request(error) from error
        self._strangers.spend(exchange.connection, SETUP_MS)
        private = int.from_bytes(self._random_bytes(EXPONENT_BYTES))
        try:
            return await self._work.run(lambda: _agree(peer, private))
        except InvalidInput as error:
            raise _invalid_request(error) from error

    async def _encrypted_to_user(
        self, exchange: Exchange, setup: SessionSetup
    ) -> tuple[SessionKey, bytes]:
        reference = setup.key_reference
        if reference is None or not reference.handle:
            reference = setup.identity
        key = await self._authentication.rsa_key(reference)
        self._strangers.spend(exchange.connection, SETUP_MS)
        secret = self._random_bytes(IDIS_KEY_BYTES)
        clear = u32_field(CipherNumber.AES) + secret
        return SessionKey(secret), key.encrypt(clear, padding.PKCS1v15())


def _read_setup(exchange: Exchange) -> SessionSetup:
    """Read a setup of a mode that is done here."""
    body = exchange.request.body
    try:
        mode = Cursor(body).u16()
        if mode not in tuple(KeyExchange):
            raise setup_failed("未知的密钥交换方式", "Unrecognized key exchange mode")
        is_idis = exchange.connection.dialect == "idis"
        if mode != KeyExchange.DIFFIE_HELLMAN and not (mode == KeyExchange.HANDLE_KEY and is_idis):
            raise setup_failed("只支持 Diffie-Hellman", "Only Diffie-Hellman is supported")
        return SessionSetup.decode(body)
    except InvalidInput as error:
        if error.code == "handle_message":
            raise _invalid_request(error) from error
        raise


def owner_may_answer(
    session: Session, key: HandleReference, canonical: Callable[[str], str]
) -> bool:
    """Say whether a key is the one that the session was set up for."""
    claimed = session.claimed
    return claimed is None or (
        canonical(claimed.handle) == canonical(key.handle)
        and (claimed.index in (0, key.index) or key.index == 0)
    )


def _agree(peer: int, private: int) -> tuple[SessionKey, bytes]:
    key = session_keys.derive(session_keys.shared_secret(peer, private))
    return key, session_keys.encode_reply(session_keys.public_number(private))


def _claimed(identity: HandleReference) -> HandleReference | None:
    if not identity.handle or identity.index == ANONYMOUS_INDEX:
        return None
    return identity


def _invalid_request(error: InvalidInput) -> InvalidInput:
    return InvalidInput(error.zh, error.en, code="handle_session_request")
