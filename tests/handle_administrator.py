"""An administrator's Handle client: answers challenges, opens signed sessions, changes records.

Unlike `handle_sockets` it is made of the product's own codecs; what it lets pass has gone through
every check of the product's client. Each request takes a connection of its own, as the deployed
tools do, and reads replies until the last of its list.

Invariants: the same seed gives the same RequestIds, salts and keys; a reply that does not belong to
its request, or bears a wrong digest, MAC or signature, raises.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

from msgspec.structs import replace

from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle import bodies, client_replies, credentials, message, proofs, session_keys
from resolver.handle import envelope as envelopes
from resolver.handle.codes import (
    EXPIRATION_S,
    EnvelopeFlag,
    KeyExchange,
    OpCode,
    OpFlag,
    ResponseCode,
)
from resolver.handle.credentials import Credential
from resolver.handle.digests import Challenge
from resolver.handle.envelope import ENVELOPE_BYTES, Envelope
from resolver.handle.message import Message
from resolver.handle.proofs import PrivateKey, PublicKey, SecretForm
from resolver.handle.session_keys import SessionKey
from resolver.handle.versions import negotiated
from tests.handle_sockets import TCPSocket

_SETUP_FLAGS = OpFlag.CERTIFIED | OpFlag.RECURSIVE | OpFlag.REQUEST_DIGEST
_SESSION_S = 86_400


@dataclass(frozen=True, slots=True)
class SecretLogin:
    """Proves a secret (HS_SECKEY) in one of its forms."""

    key: HandleReference
    secret: bytes
    form: SecretForm = SecretForm.PBKDF2


@dataclass(frozen=True, slots=True)
class KeyPairLogin:
    """Proves a private key (HS_PUBKEY)."""

    key: HandleReference
    private_key: PrivateKey


Login = SecretLogin | KeyPairLogin


@dataclass(frozen=True, slots=True)
class Reply:
    """A checked reply; `body` is without the request's digest."""

    message: Message
    body: bytes

    @property
    def code(self) -> int:
        """The response code."""
        return self.message.response_code


@dataclass(slots=True)
class _Session:
    number: int
    key: SessionKey
    counter: int = 0


class HandleAdministrator:
    """Speaks for `login`; `connect` opens a connection to the node's TCP port."""

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[TCPSocket]],
        login: Login,
        *,
        seed: int = 1,
    ) -> None:
        self._connect = connect
        self._login = login
        self._random = Random(seed)
        self._session: _Session | None = None

    # Changing records; each returns the last reply.

    def create(self, handle: str, values: Sequence[HandleValue], *, flags: int = 0) -> Reply:
        """Create a handle."""
        body = bodies.ValuesRequest(handle, tuple(values)).encode()
        return self.ask(OpCode.CREATE_HANDLE, body, flags=flags)[-1]

    def add(self, handle: str, values: Sequence[HandleValue], *, flags: int = 0) -> Reply:
        """Add values."""
        body = bodies.ValuesRequest(handle, tuple(values)).encode()
        return self.ask(OpCode.ADD_VALUE, body, flags=flags)[-1]

    def modify(self, handle: str, values: Sequence[HandleValue]) -> Reply:
        """Change values."""
        body = bodies.ValuesRequest(handle, tuple(values)).encode()
        return self.ask(OpCode.MODIFY_VALUE, body)[-1]

    def remove(self, handle: str, indexes: Sequence[int]) -> Reply:
        """Remove values."""
        body = bodies.IndexesRequest(handle, tuple(indexes)).encode()
        return self.ask(OpCode.REMOVE_VALUE, body)[-1]

    def delete(self, handle: str) -> Reply:
        """Delete a handle."""
        return self.ask(OpCode.DELETE_HANDLE, bodies.HandleRequest(handle).encode())[-1]

    def list_handles(self, prefix: str) -> list[tuple[str, ...]]:
        """List the handles of a prefix, one tuple for each message."""
        answers = self.ask(OpCode.LIST_HANDLES, bodies.HandleRequest(f"0.NA/{prefix}").encode())
        return [bodies.NamesReply.decode(answer.body).names for answer in answers]

    def resolve(self, handle: str, indexes: Sequence[int] = (), *, flags: int = 0) -> Reply:
        """Read values, those for administrators too."""
        body = bodies.ResolutionRequest(handle, tuple(indexes)).encode()
        return self.ask(OpCode.RESOLUTION, body, flags=flags)[-1]

    # Sessions.

    def open_session(self, site_key: PublicKey, *, is_anonymous: bool = False) -> Reply:
        """Agree on a session key; the reply must bear the site's signature."""
        private = self._random.getrandbits(8 * session_keys.PRIVATE_BYTES)
        public = session_keys.encode_public(session_keys.public_number(private))
        identity = HandleReference("", -1) if is_anonymous else self._login.key
        setup = bodies.SessionSetup(KeyExchange.DIFFIE_HELLMAN, _SESSION_S, identity, public)
        request = self._request(OpCode.SESSION_SETUP, setup.encode(), flags=_SETUP_FLAGS)
        (answer,) = self._exchange(request, site_key=site_key)
        if answer.code == ResponseCode.SUCCESS:
            data = bodies.SessionSetupReply.decode(answer.body).data
            secret = session_keys.shared_secret(session_keys.decode_reply(data), private)
            number = answer.message.envelope.session
            self._session = _Session(number, session_keys.derive(secret))
        return answer

    def close_session(self) -> Reply:
        """End the session."""
        answer = self.ask(OpCode.SESSION_TERMINATE, bodies.HandleRequest().encode())[-1]
        self._session = None
        return answer

    # One request.

    def ask(self, opcode: int, body: bytes, *, flags: int = 0) -> list[Reply]:
        """Send a request, answer a challenge, return all replies."""
        request = self._request(opcode, body, flags=flags | OpFlag.RECURSIVE)
        answers = self._exchange(request)
        if answers[-1].code != ResponseCode.AUTHENTICATION_NEEDED:
            return answers
        return self._exchange(self._answer(request, answers[-1].message))

    def _answer(self, request: Message, reply: Message) -> Message:
        version = negotiated(reply.envelope)
        challenge = Challenge.decode(reply.body, version)
        challenge.digest.check(message.signed_part(request))
        asked = challenge.nonce + challenge.digest.value
        login = self._login
        if isinstance(login, SecretLogin):
            salt = self._random.randbytes(proofs.SALT_BYTES)
            proof = proofs.prove_secret(login.form, login.secret, asked, salt=salt)
            kind = proofs.SECRET_KEY
        else:
            proof = proofs.prove_key(login.private_key, asked, version=version)
            kind = proofs.PUBLIC_KEY
        body = bodies.ChallengeAnswer(kind, login.key, proof).encode()
        answer = self._request(OpCode.RESPONSE_TO_CHALLENGE, body, flags=request.flags)
        envelope = replace(answer.envelope, session=reply.envelope.session)
        return replace(answer, envelope=envelope)

    def _request(self, opcode: int, body: bytes, *, flags: int) -> Message:
        session = self._session.number if self._session else 0
        envelope = Envelope(1 + self._random.getrandbits(30), 0, session)
        expiration = int(time.time()) + EXPIRATION_S
        return Message(envelope, opcode, body, flags=flags, expiration=expiration)

    def _exchange(self, request: Message, *, site_key: PublicKey | None = None) -> list[Reply]:
        found = []
        with self._connect() as connection:
            connection.send(self._encoded(request))
            while True:
                reply = self._decoded(connection.receive())
                found.append(Reply(reply, self._checked(request, reply, site_key)))
                if not reply.flags & OpFlag.CONTINUOUS:
                    return found

    def _checked(self, request: Message, reply: Message, site_key: PublicKey | None) -> bytes:
        if request.opcode == OpCode.RESPONSE_TO_CHALLENGE:
            # The reply to an answer is the reply to what was challenged.
            request = replace(request, opcode=reply.opcode)
        return client_replies.check(request, reply, now=time.time(), site_key=site_key)

    def _encoded(self, request: Message) -> bytes:
        if self._session is None:
            return message.encode(request)
        self._session.counter += 1
        signed = message.signed_part(request)
        mac = credentials.make_mac(
            self._session.key, request.envelope, self._session.counter, signed
        )
        request = replace(request, credential=mac.encode())
        if not request.flags & OpFlag.ENCRYPTED:
            return message.encode(request)
        iv = self._random.randbytes(session_keys.IV_BYTES)
        sealed = session_keys.encrypt(self._session.key, message.encode_payload(request), iv=iv)
        envelope = replace(request.envelope, flags=EnvelopeFlag.ENCRYPTED)
        return message.with_envelope(envelope, sealed)

    def _decoded(self, received: bytes) -> Message:
        envelope = envelopes.decode(received)
        if self._session is None or not envelope.is_encrypted:
            reply = message.decode(received)
        else:
            clear = session_keys.decrypt(self._session.key, received[ENVELOPE_BYTES:])
            reply = message.decode_payload(envelope, clear)
        if self._session is not None and reply.credential:
            credential = Credential.decode(reply.credential)
            if credential.kind == credentials.MAC:
                signed = message.signed_part(reply)
                credentials.check_mac(credential, self._session.key, envelope, signed)
        return reply
