"""Every recorded Handle message is read and written byte for byte (`tests/vectors/handle.json`)."""

from __future__ import annotations

import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import InvalidInput, NotAuthenticated
from resolver.handle import (
    bodies,
    credentials,
    digests,
    envelope,
    fragments,
    message,
    predefined,
    proofs,
    session_keys,
    values,
)
from resolver.handle.codes import EnvelopeFlag, InterfaceKind, OpCode, OpFlag, Transport
from resolver.handle.credentials import Credential
from resolver.handle.envelope import ENVELOPE_BYTES, Envelope
from resolver.handle.message import HEADER_BYTES, Message
from resolver.handle.proofs import SecretForm
from resolver.handle.site import Interface, Server, Site, hash_number
from resolver.handle.versions import OWN, Version
from tests.wire.handle_vectors import CLEAR_MESSAGES, MESSAGES, VECTORS

REQUEST = 0x11223344
FAR = 0x7FFFFFFF
REC, PO = OpFlag.RECURSIVE, OpFlag.PUBLIC_ONLY
ADMIN = HandleReference("86.1000/ADMIN", 300)
ABC = "86.1000/ABC"
TIME = 0x5E0BE100

URL = HandleValue(1, "URL", b"https://example.org/abc", timestamp=TIME)
EMAIL = HandleValue(2, "EMAIL", b"admin@example.org", ttl=3600, timestamp=TIME + 1)
HS_ADMIN = HandleValue(100, "HS_ADMIN", VECTORS["admin_data"], timestamp=TIME)


def request(
    opcode: int,
    body: bytes,
    flags: int,
    *,
    number: int = REQUEST,
    session: int = 0,
    serial: int = 0xFFFF,
    expiration: int = FAR,
) -> bytes:
    whole = Message(
        Envelope(number, 0, session),
        opcode,
        body,
        flags=flags,
        site_serial=serial,
        expiration=expiration,
    )
    return message.encode(whole)


def resolution(
    handle: str = ABC,
    indexes: tuple[int, ...] = (),
    types: tuple[str, ...] = (),
    *,
    number: int = REQUEST,
    flags: int = REC | PO,
) -> bytes:
    body = bodies.ResolutionRequest(handle, indexes, types).encode()
    return request(OpCode.RESOLUTION, body, flags, number=number)


def create_body() -> bytes:
    url = HandleValue(1, "URL", b"https://example.org/pbkdf2")
    admin = replace_time(HS_ADMIN, 0)
    return bodies.ValuesRequest("86.1000/NEW-pbkdf2", (url, admin)).encode()


def replace_time(value: HandleValue, timestamp: int) -> HandleValue:
    return HandleValue(value.index, value.type, value.data, timestamp=timestamp)


def decoded(name: str) -> Message:
    return message.decode(VECTORS[name])


def body_of(name: str) -> bytes:
    return decoded(name).body


def challenged() -> bytes:
    challenge = digests.Challenge.decode(body_of("challenge_to_create"), OWN)
    return challenge.nonce + challenge.digest.value


@pytest.mark.parametrize("name", CLEAR_MESSAGES)
def test_message_is_written_as_it_was_read(name: str) -> None:
    assert message.encode(decoded(name)) == VECTORS[name]


@pytest.mark.parametrize("name", MESSAGES)
def test_envelope_is_written_as_it_was_read(name: str) -> None:
    head = VECTORS[name][:ENVELOPE_BYTES]
    assert envelope.encode(envelope.decode(head)) == head


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("resolution_request", resolution()),
        ("foreign_prefix_request", resolution("99.9/x")),
        ("index_9_request", resolution(indexes=(9,), number=8)),
        ("index_or_type_request", resolution(indexes=(2,), types=("URL",), number=7)),
        (
            "request_digest_request",
            resolution(indexes=(1,), number=9, flags=REC | PO | OpFlag.REQUEST_DIGEST),
        ),
        (
            "prefix_handle_request",
            resolution("0.NA/10", types=("HS_SITE", "HS_SERV"), number=0x0A0B0C0D),
        ),
        (
            "resolution_request_java",
            request(
                1,
                bodies.ResolutionRequest(ABC).encode(),
                REC | OpFlag.CACHE_CERTIFIED | PO,
                number=0x567AFC08,
                serial=1,
                expiration=0x6B0110AA,
            ),
        ),
        ("create_request", request(OpCode.CREATE_HANDLE, create_body(), REC)),
        (
            "add_existing_request",
            request(
                OpCode.ADD_VALUE,
                bodies.ValuesRequest(ABC, (HandleValue(1, "URL", b"x"),)).encode(),
                REC | PO,
            ),
        ),
        (
            "remove_missing_request",
            request(OpCode.REMOVE_VALUE, bodies.IndexesRequest(ABC, (77,)).encode(), REC | PO),
        ),
        (
            "delete_request",
            request(OpCode.DELETE_HANDLE, bodies.HandleRequest("86.1000/NOPE").encode(), REC),
        ),
        (
            "list_request",
            request(
                OpCode.LIST_HANDLES,
                bodies.HandleRequest("0.NA/86.1000").encode(),
                REC,
                number=0x21,
            ),
        ),
        ("opcode_0_request", request(0, b"", REC | PO)),
    ],
)
def test_request_is_built_as_recorded(name: str, built: bytes) -> None:
    assert built == VECTORS[name]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("resolution_request", bodies.ResolutionRequest(ABC)),
        ("index_or_type_request", bodies.ResolutionRequest(ABC, (2,), ("URL",))),
        ("resolution_reply", bodies.ResolutionReply(ABC, (URL, EMAIL, HS_ADMIN))),
        ("index_or_type_reply", bodies.ResolutionReply(ABC, (URL, EMAIL))),
        ("mac_reply", bodies.ResolutionReply(ABC, (URL,))),
        ("create_reply", bodies.CreateReply("86.1000/NEW-pbkdf2")),
        ("not_found_reply", bodies.ErrorReply()),
        ("index_9_reply", bodies.ErrorReply()),
        ("foreign_prefix_reply", bodies.ErrorReply("That prefix doesn't live here")),
        ("opcode_0_reply", bodies.ErrorReply("Unknown opCode in message: 0")),
        ("list_reply", bodies.NamesReply((ABC, "86.1000/ADMIN"))),
        ("referral", bodies.Referral("0.SERV/10")),
        ("remove_missing_request", bodies.IndexesRequest(ABC, (77,))),
        ("delete_request", bodies.HandleRequest("86.1000/NOPE")),
    ],
)
def test_body_means_what_was_recorded_both_ways(
    name: str,
    body: bodies.ResolutionRequest
    | bodies.ResolutionReply
    | bodies.CreateReply
    | bodies.ErrorReply
    | bodies.NamesReply
    | bodies.Referral
    | bodies.IndexesRequest
    | bodies.HandleRequest,
) -> None:
    assert type(body).decode(body_of(name)) == body
    assert body.encode() == body_of(name)


def test_java_create_request_carries_one_administrator() -> None:
    read = bodies.ValuesRequest.decode(body_of("create_request_java_in_session"))
    assert (read.handle, [v.index for v in read.values]) == ("86.1000/JAVA1", [100])
    assert read.encode() == body_of("create_request_java_in_session")
    admin = predefined.Admin.decode(read.values[0].data)
    assert admin.administrator == HandleReference("86.1000/ADMIN", 301)


def test_values_are_chosen_in_bytes_as_the_server_chose_them() -> None:
    whole = values.encode_values((URL, EMAIL, HS_ADMIN))
    chosen = values.select_encoded(whole, indexes=(2,), types=values.fold_types(("url",)))
    assert chosen is not None
    assert body_of("index_or_type_reply").endswith(chosen)
    assert len(chosen) + 4 + len(ABC) == len(body_of("index_or_type_reply"))


# Digests and challenges.


def test_reply_carries_the_digest_of_its_request() -> None:
    digest, rest = digests.split(body_of("request_digest_reply"))
    asked = message.signed_part(decoded("request_digest_request"))
    digest.check(asked)
    assert digest == digests.Digest.of(asked, OWN)
    assert digest.encode() + rest == body_of("request_digest_reply")
    assert bodies.ResolutionReply.decode(rest).values == (URL,)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("create_request", "challenge_to_create"),
        ("add_existing_request", "add_existing_reply"),
        ("remove_missing_request", "remove_missing_reply"),
    ],
)
def test_challenge_belongs_to_its_request_and_is_written_as_read(
    question: str, answer: str
) -> None:
    challenge = digests.Challenge.decode(body_of(answer), OWN)
    challenge.digest.check(message.signed_part(decoded(question)))
    assert len(challenge.nonce) == digests.NONCE_BYTES
    assert challenge.encode(OWN) == body_of(answer)


def test_challenge_below_2_1_has_the_nonce_first_and_no_octet() -> None:
    old = Version(2, 0)
    digest = digests.Digest.of(b"request", old)
    body = digests.Challenge(digest, bytes(range(16))).encode(old)
    md5 = hashlib.md5(b"request", usedforsecurity=False).digest()
    assert body == struct.pack(">I", 16) + bytes(range(16)) + struct.pack(">I", 16) + md5
    assert digests.Challenge.decode(body, old).digest == digest


def test_digest_between_2_1_and_2_6_is_sha1() -> None:
    digest = digests.Digest.of(b"request", Version(2, 5))
    assert digest.encode() == b"\x02" + hashlib.sha1(b"request", usedforsecurity=False).digest()


FORMS = {
    "proof_md5": SecretForm.MD5,
    "proof_sha_1": SecretForm.SHA1,
    "proof_sha_256": SecretForm.SHA256,
    "proof_hmac_sha1": SecretForm.HMAC_SHA1,
    "proof_hmac_sha256": SecretForm.HMAC_SHA256,
}


@pytest.mark.parametrize(("name", "form"), FORMS.items())
def test_proof_of_a_secret_is_made_and_accepted(name: str, form: SecretForm) -> None:
    assert proofs.prove_secret(form, b"password1", challenged()) == VECTORS[name]
    proofs.check_secret(VECTORS[name], b"password1", challenged(), version=OWN)
    with pytest.raises(NotAuthenticated):
        proofs.check_secret(VECTORS[name], b"password2", challenged(), version=OWN)


def test_pbkdf2_answer_is_made_and_accepted() -> None:
    answer = bodies.ChallengeAnswer.decode(body_of("answer_pbkdf2"))
    assert (answer.auth_type, answer.key) == ("HS_SECKEY", ADMIN)
    proofs.check_secret(answer.proof, b"password1", challenged(), version=OWN)
    made = proofs.prove_secret(
        SecretForm.PBKDF2, b"password1", challenged(), salt=answer.proof[5:21]
    )
    built = request(
        OpCode.RESPONSE_TO_CHALLENGE,
        bodies.ChallengeAnswer("HS_SECKEY", ADMIN, made).encode(),
        REC | PO,
        number=0x55667788,
        session=1,
    )
    assert built == VECTORS["answer_pbkdf2"]


# Sessions.


def private() -> int:
    return int.from_bytes(VECTORS["dh_private"])


def key() -> session_keys.SessionKey:
    return session_keys.derive(VECTORS["shared_secret"])


def test_session_setup_is_built_as_recorded() -> None:
    number = session_keys.public_number(private())
    setup = bodies.SessionSetup(4, 86_400, ADMIN, session_keys.encode_public(number))
    built = request(
        OpCode.SESSION_SETUP,
        setup.encode(),
        OpFlag.CERTIFIED | REC | OpFlag.CACHE_CERTIFIED | PO | OpFlag.REQUEST_DIGEST,
    )
    assert built == VECTORS["session_setup_request"]
    assert bodies.SessionSetup.decode(body_of("session_setup_request")) == setup
    assert bodies.SessionSetup.decode(body_of("session_setup_request")[:-2]) == setup


def test_session_setup_reply_leads_to_the_recorded_key() -> None:
    digest, rest = digests.split(body_of("session_setup_reply"))
    digest.check(message.signed_part(decoded("session_setup_request")))
    reply = bodies.SessionSetupReply.decode(rest)
    secret = session_keys.shared_secret(session_keys.decode_reply(reply.data), private())
    assert secret == VECTORS["shared_secret"]
    assert session_keys.derive(secret).mac_key == VECTORS["session_key"]
    assert digest.encode() + reply.encode() == body_of("session_setup_reply")
    server = session_keys.decode_reply(reply.data)
    assert session_keys.encode_reply(server) == reply.data


def test_session_setup_reply_is_signed_by_the_site() -> None:
    reply = decoded("session_setup_reply")
    site_key = rsa.RSAPublicNumbers(65_537, int.from_bytes(VECTORS["site_modulus"])).public_key()
    credential = Credential.decode(reply.credential)
    signed = message.signed_part(reply)
    credentials.check_signature(credential, site_key, reply.envelope, signed)
    assert credential.encode() == reply.credential
    with pytest.raises(NotAuthenticated):
        credentials.check_signature(credential, site_key, reply.envelope, signed + b"\0")


@pytest.mark.parametrize("name", ["mac_request", "mac_reply"])
def test_mac_in_a_session_is_the_recorded_one(name: str) -> None:
    whole = decoded(name)
    credential = Credential.decode(whole.credential)
    signed = message.signed_part(whole)
    credentials.check_mac(credential, key(), whole.envelope, signed)
    assert credentials.make_mac(key(), whole.envelope, 1, signed) == credential
    assert credential.encode() == whole.credential
    other = replace(whole.envelope, request=1)
    with pytest.raises(NotAuthenticated):
        credentials.check_mac(credential, key(), other, signed)


def test_java_mac_credential_is_written_as_read() -> None:
    credential = decoded("create_request_java_in_session").credential
    assert Credential.decode(credential).encode() == credential


def test_encrypted_request_is_the_recorded_one() -> None:
    recorded = VECTORS["encrypted_request"]
    head = envelope.decode(recorded)
    clear = session_keys.decrypt(key(), recorded[ENVELOPE_BYTES:])
    whole = message.decode_payload(head, clear)
    assert bodies.ResolutionRequest.decode(whole.body) == bodies.ResolutionRequest(ABC, (1,))
    credential = Credential.decode(whole.credential)
    assert credential.counter == 2
    credentials.check_mac(credential, key(), head, message.signed_part(whole))
    assert message.encode_payload(whole) == clear
    again = session_keys.encrypt(key(), clear, iv=bytes(range(16)))
    assert message.with_envelope(head, again) == recorded


def test_encrypted_reply_opens_to_the_recorded_text() -> None:
    recorded = VECTORS["encrypted_reply"]
    clear = session_keys.decrypt(key(), recorded[ENVELOPE_BYTES:])
    assert clear == VECTORS["encrypted_reply_clear"]
    sealed = session_keys.encrypt(key(), clear, iv=recorded[ENVELOPE_BYTES:][:16])
    assert message.with_envelope(envelope.decode(recorded), sealed) == recorded


# Predefined data.


def test_administrator_data_both_ways() -> None:
    admin = predefined.Admin(0x0FFF, ADMIN)
    assert predefined.Admin.decode(VECTORS["admin_data"]) == admin
    assert predefined.Admin.decode(VECTORS["admin_data"] + b"\0\0") == admin
    assert admin.encode() == VECTORS["admin_data"]


def test_value_list_data_both_ways() -> None:
    group = (ADMIN, HandleReference("86.1000/OPS", 301))
    assert predefined.decode_value_list(VECTORS["value_list_data"]) == group
    assert predefined.encode_value_list(group) == VECTORS["value_list_data"]


def test_site_data_both_ways() -> None:
    interfaces = (
        Interface(InterfaceKind.BOTH, Transport.TCP, 2641),
        Interface(InterfaceKind.RESOLUTION, Transport.UDP, 2641),
    )
    server = Server(1, "192.0.2.10", b"", interfaces)
    site = Site(7, (server,), attributes=(("desc", "node A"),))
    assert Site.decode(VECTORS["site_data"]) == site
    assert site.encode() == VECTORS["site_data"]
    with pytest.raises(InvalidInput):
        Site.decode(VECTORS["site_data"] + b"\0")


@pytest.mark.parametrize(
    ("text", "number"),
    [("86.1000/ABC", 1_108_584_302), ("86.1000", 2_016_476_248), ("ABC", 891_676_978)],
)
def test_handle_is_placed_on_a_server_by_the_end_of_its_digest(text: str, number: int) -> None:
    # Numbers computed by the Handle.Net software 9.3.1.
    assert hash_number(text) == hash_number(text.lower()) == number


def test_request_of_1211_bytes_is_cut_into_the_recorded_packets() -> None:
    whole = message.with_envelope(Envelope(0x77, 0), bytes(1211))
    packets = fragments.split(whole)
    assert [len(packet) for packet in packets] == [512, 512, 247]
    assert [p[:ENVELOPE_BYTES] for p in packets] == [
        VECTORS[f"packet_envelope_{n}"] for n in range(3)
    ]
    assert all(envelope.decode(p).flags == EnvelopeFlag.TRUNCATED for p in packets)


def test_header_has_24_bytes() -> None:
    assert len(message.signed_part(decoded("opcode_0_request"))) == HEADER_BYTES
