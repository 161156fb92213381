"""The administrator's client against a server of a few lines: challenges, sessions, encryption."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import IntegrityFailure, NotAuthenticated
from resolver.handle import bodies, credentials, message, proofs, session_keys
from resolver.handle import envelope as envelopes
from resolver.handle.codes import OpCode, OpFlag, ResponseCode
from resolver.handle.credentials import Credential
from resolver.handle.digests import Challenge, Digest
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.message import Message
from resolver.handle.session_keys import SessionKey
from resolver.handle.versions import OWN, reply_envelope
from tests.handle_administrator import HandleAdministrator, KeyPairLogin, Login, SecretLogin
from tests.handle_sockets import TCPSocket

ADMIN = HandleReference("86.1000/ADMIN", 300)
URL = HandleValue(1, "URL", b"https://example.org/new")
NONCE = bytes(range(16))
SECRET = SecretLogin(ADMIN, b"password1")


class SmallServer:
    """Challenges every change once in a session, always outside; `seen` are the operations."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key
        self.seen: list[int] = []
        self.counters: list[int] = []
        self.session: SessionKey | None = None
        self.is_proved = False
        self.challenged: Message | None = None
        self.replies: list[bytes] = []

    @contextmanager
    def connect(self) -> Iterator[TCPSocket]:
        yield cast(TCPSocket, self)

    def send(self, data: bytes) -> None:
        head = envelopes.decode(data)
        request = message.decode(data) if not head.is_encrypted else self.opened(data)
        self.seen.append(request.opcode)
        if self.session is not None:
            credential = Credential.decode(request.credential)
            signed = message.signed_part(request)
            credentials.check_mac(credential, self.session, request.envelope, signed)
            self.counters.append(credential.counter)
        self.replies = self.answered(request)

    def receive(self) -> bytes:
        return self.replies.pop(0)

    def opened(self, data: bytes) -> Message:
        assert self.session is not None
        clear = session_keys.decrypt(self.session, data[ENVELOPE_BYTES:])
        return message.decode_payload(envelopes.decode(data), clear)

    def answered(self, request: Message) -> list[bytes]:
        if request.opcode == OpCode.SESSION_SETUP:
            return [self.set_up(request)]
        if request.opcode == OpCode.RESPONSE_TO_CHALLENGE:
            challenged = self.challenged
            assert challenged is not None
            self.judge(bodies.ChallengeAnswer.decode(request.body), challenged)
            self.is_proved = True
            return self.done(replace(challenged, envelope=request.envelope))
        if self.session is not None and self.is_proved:
            return self.done(request)
        self.challenged = request
        digest = Digest.of(message.signed_part(request), OWN)
        body = Challenge(digest, NONCE).encode(OWN)
        code, flags = ResponseCode.AUTHENTICATION_NEEDED, OpFlag.REQUEST_DIGEST
        return [message.encode(reply_to(request, body, code, flags, session=99))]

    def judge(self, answer: bodies.ChallengeAnswer, challenged: Message) -> None:
        asked = NONCE + Digest.of(message.signed_part(challenged), OWN).value
        if answer.auth_type == proofs.SECRET_KEY:
            proofs.check_secret(answer.proof, b"password1", asked, version=OWN)
        else:
            proofs.check_key(answer.proof, self.key.public_key(), asked)

    def set_up(self, request: Message) -> bytes:
        setup = bodies.SessionSetup.decode(request.body)
        secret = session_keys.shared_secret(session_keys.decode_public(setup.key), 12_345)
        data = session_keys.encode_reply(session_keys.public_number(12_345))
        digest = Digest.of(message.signed_part(request), OWN)
        body = digest.encode() + bodies.SessionSetupReply(setup.mode, data).encode()
        reply = reply_to(request, body, flags=OpFlag.REQUEST_DIGEST, session=101)
        signed = message.signed_part(reply)
        credential = credentials.make_signature(self.key, reply.envelope, signed)
        self.session = session_keys.derive(secret)
        return message.encode(replace(reply, credential=credential.encode()))

    def done(self, request: Message) -> list[bytes]:
        if request.opcode != OpCode.LIST_HANDLES:
            return [message.encode(reply_to(request))]
        pages = [bodies.NamesReply(names).encode() for names in (("86.1/A", "86.1/B"), ("86.1/C",))]
        return [
            message.encode(reply_to(request, pages[0], flags=OpFlag.CONTINUOUS)),
            message.encode(reply_to(request, pages[1])),
        ]


def reply_to(
    request: Message,
    body: bytes = b"",
    code: int = ResponseCode.SUCCESS,
    flags: int = 0,
    *,
    session: int = 0,
) -> Message:
    return Message(
        reply_envelope(request.envelope, session=session),
        request.opcode,
        body,
        code,
        flags,
        expiration=int(time.time()) + 43_200,
    )


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture
def server(key: rsa.RSAPrivateKey) -> SmallServer:
    return SmallServer(key)


@pytest.mark.parametrize("kind", ["secret", "key pair"])
def test_challenge_is_answered(server: SmallServer, kind: str) -> None:
    login: Login = SECRET if kind == "secret" else KeyPairLogin(ADMIN, server.key)
    assert HandleAdministrator(server.connect, login).create("86.1/N", [URL]).code == 1
    assert server.seen == [OpCode.CREATE_HANDLE, OpCode.RESPONSE_TO_CHALLENGE]


def test_wrong_secret_proves_nothing(server: SmallServer) -> None:
    wrong = SecretLogin(ADMIN, b"password2")
    with pytest.raises(NotAuthenticated):
        HandleAdministrator(server.connect, wrong).delete("86.1/N")


def test_in_a_session_one_proof_is_enough_and_counters_grow(server: SmallServer) -> None:
    administrator = HandleAdministrator(server.connect, SECRET)
    assert administrator.open_session(server.key.public_key()).code == 1
    assert administrator.add("86.1/N", [URL]).code == 1
    assert administrator.modify("86.1/N", [URL]).code == 1
    assert administrator.remove("86.1/N", [1]).code == 1
    assert administrator.list_handles("86.1") == [("86.1/A", "86.1/B"), ("86.1/C",)]
    assert administrator.resolve("86.1/N", flags=OpFlag.ENCRYPTED).code == 1
    assert administrator.close_session().code == 1
    assert server.seen.count(OpCode.RESPONSE_TO_CHALLENGE) == 1
    assert server.counters == list(range(1, 8))


def test_session_set_up_by_another_server_is_refused(server: SmallServer) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2048).public_key()
    with pytest.raises(IntegrityFailure):
        HandleAdministrator(server.connect, SECRET).open_session(other)


def test_challenge_to_another_request_is_not_answered(server: SmallServer) -> None:
    administrator = HandleAdministrator(server.connect, SECRET)
    send = server.send

    def send_another(data: bytes) -> None:
        whole = message.decode(data)
        send(message.encode(replace(whole, body=whole.body + b"x")))

    server.send = send_another  # type: ignore[method-assign]
    with pytest.raises(IntegrityFailure):
        administrator.delete("86.1/N")
    assert server.seen == [OpCode.DELETE_HANDLE]
