"""The server: header rules, challenges, sessions, logins, and that nothing gets it to raise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.domain.handle_value import HandleReference, HandleValue
from node.errors import LimitExceeded, Overloaded, Unavailable, WrongState
from resolver.handle import credentials, digests, session_keys
from resolver.handle import envelope as envelopes
from resolver.handle import message as messages
from resolver.handle.bodies import (
    ErrorReply,
    HandleRequest,
    LoginRequest,
    NamesReply,
    Referral,
    ResolutionReply,
    ResolutionRequest,
    SessionSetup,
    SessionSetupReply,
    ValuesRequest,
    VerifyReply,
    VerifyRequest,
)
from resolver.handle.codes import EnvelopeFlag, OpCode, OpFlag
from resolver.handle.credentials import Credential
from resolver.handle.cursor import Cursor
from resolver.handle.digests import Challenge
from resolver.handle.envelope import ENVELOPE_BYTES
from resolver.handle.identity import Connection
from resolver.handle.keys import encode_public
from resolver.handle.message import Message
from resolver.handle.proofs import SecretForm, prove_secret
from resolver.handle.referrals import parse_referrals
from resolver.handle.service import ServiceSettings
from resolver.handle.session_keys import SessionKey
from resolver.handle.sessions import Session
from resolver.handle.versions import Version
from tests.unit.resolver.handle.service_fakes import (
    ABC,
    ADMIN,
    NOW,
    PREFIX,
    SECRET,
    SITE_KEY,
    Bench,
    admin_value,
    bench,
    secret_value,
)
from tests.wire.handle_vectors import CLEAR_MESSAGES, VECTORS

KEY = HandleReference(ADMIN, 300)
NEW = ValuesRequest(f"{PREFIX}/new", (HandleValue(1, "URL", b"x"),)).encode()
RESOLVE_ABC = ResolutionRequest(ABC).encode()
RESOLVE_SECRET = ResolutionRequest(ADMIN, (300,)).encode()
LIST = HandleRequest(f"0.NA/{PREFIX}").encode()


@pytest.fixture
def place() -> Iterator[Bench]:
    with bench() as made:
        yield made


def text_of(reply: Message) -> str:
    return ErrorReply.decode(reply.body).message


# Header


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (0x1100_0000, 0x9100_0000),
        (0x1000_0000, 0x9000_0000),
        (OpFlag.ENCRYPTED, 0xB000_0000),
        (OpFlag.CACHE_CERTIFIED, 0x9800_0000),
        (OpFlag.DO_NOT_REFER, 0x9010_0000),
        (OpFlag.KEEP_CONNECTION | OpFlag.CONTINUOUS | OpFlag.OVERWRITE | 1, 0x9000_0000),
    ],
)
async def test_reply_flags_are_those_that_are_copied(
    place: Bench, asked: int, answered: int
) -> None:
    reply = await place.ask(OpCode.RESOLUTION, RESOLVE_ABC, flags=asked)
    assert (reply.response_code, reply.flags) == (1, answered)


async def test_reply_repeats_recursion_and_opcode_and_expires_later(place: Bench) -> None:
    request = place.request(OpCode.GET_SITE_INFO, HandleRequest().encode(), recursion=9)
    (reply,) = await place.send(request)
    assert (reply.recursion, reply.opcode, reply.site_serial) == (9, 2, 1)
    assert NOW < reply.expiration <= NOW + 86_400
    assert reply.envelope.request == request.envelope.request


@pytest.mark.parametrize(
    ("asked", "suggested", "answered"),
    [
        ((2, 11), (2, 11), (2, 11)),
        ((2, 1), (2, 1), (2, 1)),
        ((2, 3), (2, 11), (2, 11)),
        ((3, 0), (3, 0), (2, 11)),
        ((2, 0), (0, 0), (2, 0)),
    ],
)
async def test_the_best_version_that_both_know_is_spoken(
    place: Bench, asked: Version, suggested: Version, answered: Version
) -> None:
    request = place.request(OpCode.RESOLUTION, RESOLVE_ABC)
    envelope = replace(
        request.envelope,
        major=asked[0],
        minor=asked[1],
        suggested_major=suggested[0],
        suggested_minor=suggested[1],
    )
    (reply,) = await place.send(replace(request, envelope=envelope))
    spoken = reply.envelope
    assert (spoken.major, spoken.minor) == answered
    assert (spoken.suggested_major, spoken.suggested_minor) == (2, 11)


@pytest.mark.parametrize(("version", "octet", "size"), [((2, 11), 3, 32), ((2, 5), 2, 20)])
async def test_the_digest_of_the_request_stands_before_any_body(
    place: Bench, version: tuple[int, int], octet: int, size: int
) -> None:
    for handle, code in ((ABC, 1), (f"{PREFIX}/none", 100)):
        body = ResolutionRequest(handle).encode()
        request = place.request(OpCode.RESOLUTION, body, flags=OpFlag.REQUEST_DIGEST)
        major, minor = version
        envelope = replace(
            request.envelope, major=major, minor=minor, suggested_major=major, suggested_minor=minor
        )
        request = replace(request, envelope=envelope)
        (reply,) = await place.send(request)
        digest, rest = digests.split(reply.body)
        digest.check(messages.signed_part(request))
        assert (digest.algorithm, len(digest.value)) == (octet, size)
        assert reply.flags & OpFlag.REQUEST_DIGEST
        assert reply.response_code == code
        assert rest


async def test_peers_before_2_5_are_told_an_invalid_value_in_the_code_they_know(
    place: Bench,
) -> None:
    body = ValuesRequest(f"{PREFIX}/new", (HandleValue(0, "URL", b"x"),)).encode()
    request = place.request(OpCode.CREATE_HANDLE, body)
    old = replace(request.envelope, minor=3, suggested_minor=3)
    assert (await place.send(request))[0].response_code == 202
    assert (await place.send(replace(request, envelope=old)))[0].response_code == 201


@pytest.mark.parametrize(
    ("opcode", "code"),
    [(999, 5), (106, 5), (1000, 5), (1001, 5), (1002, 5), (1003, 5), (402, 501), (2**31, 5)],
)
async def test_operations_that_are_not_done_are_refused(
    place: Bench, opcode: int, code: int
) -> None:
    assert (await place.ask(opcode, HandleRequest().encode())).response_code == code


async def test_a_reply_in_the_place_of_a_request_is_refused(place: Bench) -> None:
    reply = await place.ask(OpCode.RESOLUTION, RESOLVE_ABC, response_code=1)
    assert reply.response_code == 4


# Resolution


async def test_an_authoritative_answer_is_read_past_the_caches(place: Bench) -> None:
    await place.ask(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.AUTHORITATIVE)
    assert place.lookup.seen == [ABC]


async def test_values_of_administrators_are_shown_to_them_alone(place: Bench) -> None:
    public = await place.ask(OpCode.RESOLUTION, RESOLVE_SECRET, flags=OpFlag.PUBLIC_ONLY)
    assert public.response_code == 200
    (reply,) = await place.ask_as(OpCode.RESOLUTION, RESOLVE_SECRET)
    assert ResolutionReply.decode(reply.body).values == (secret_value(300),)
    (whole,) = await place.ask_as(OpCode.RESOLUTION, ResolutionRequest(ADMIN).encode())
    values = ResolutionReply.decode(whole.body).values
    assert [value.index for value in values] == [100, 300]


async def test_what_nobody_may_read_stays_in(place: Bench) -> None:
    hidden = HandleValue(7, "DESC", b"hidden", permissions=0x04)
    place.register.put(ADMIN, hidden, admin_value(100), secret_value(300))
    for indexes in ((7,), (7, 300), ()):
        reply = await place.ask(OpCode.RESOLUTION, ResolutionRequest(ADMIN, indexes).encode())
        assert reply.response_code == 401
    (reply,) = await place.ask_as(OpCode.RESOLUTION, RESOLVE_SECRET)
    assert [value.index for value in ResolutionReply.decode(reply.body).values] == [300]


@pytest.mark.parametrize("name", ["0.NA/86.1000", "0.na/86.1000", "86.1000"])
async def test_the_handle_of_a_prefix_is_made_of_the_site_and_its_administrators(
    place: Bench, name: str
) -> None:
    reply = await place.ask(OpCode.RESOLUTION, ResolutionRequest(name).encode())
    answer = ResolutionReply.decode(reply.body)
    assert answer.handle == name
    assert [(value.index, value.type) for value in answer.values] == [
        (1, "HS_SITE"),
        (100, "HS_ADMIN"),
        (200, "HS_VLIST"),
    ]
    assert answer.values[0].data == place.service.site.encode()
    body = ResolutionRequest(name, types=("HS_SERV",)).encode()
    assert (await place.ask(OpCode.RESOLUTION, body)).response_code == 200


async def test_more_types_than_anybody_asks_for_are_refused(place: Bench) -> None:
    body = ResolutionRequest(ABC, types=("A",) * 60_000).encode()
    assert (await place.ask(OpCode.RESOLUTION, body)).response_code == 4


async def test_foreign_handles_are_referred_unless_the_client_objects() -> None:
    rules = parse_referrals(["10=0.SERV/10"])
    with bench(ServiceSettings(referrals=rules)) as place:
        body = ResolutionRequest("10.5/x").encode()
        reply = await place.ask(OpCode.RESOLUTION, body)
        assert (reply.response_code, Referral.decode(reply.body)) == (302, Referral("0.SERV/10"))
        reply = await place.ask(OpCode.RESOLUTION, ResolutionRequest("0.NA/10").encode())
        assert reply.response_code == 303
        reply = await place.ask(OpCode.RESOLUTION, body, flags=OpFlag.DO_NOT_REFER)
        assert reply.response_code == 301
        reply = await place.ask(OpCode.CREATE_HANDLE, ValuesRequest("10/x", ()).encode())
        assert reply.response_code == 302
        assert (await place.ask(OpCode.RESOLUTION, b"\0\0\0\x0199")).response_code == 4


# Challenges


async def test_a_challenged_request_is_carried_out_by_the_answer(place: Bench) -> None:
    request = place.request(OpCode.CREATE_HANDLE, NEW, flags=OpFlag.RECURSIVE)
    (challenge,) = await place.send(request)
    asked = Challenge.decode(challenge.body, Version(2, 11))
    asked.digest.check(messages.signed_part(request))
    assert challenge.flags == 0x9080_0000
    answer = place.answer_to(challenge)
    (reply,) = await place.send(answer, Connection("203.0.113.5", "tcp", True))
    assert (reply.opcode, reply.response_code) == (OpCode.CREATE_HANDLE, 1)
    assert (reply.envelope.session, reply.envelope.request) == (0, answer.envelope.request)
    (again,) = await place.send(answer)
    assert (again.response_code, again.envelope.session) == (500, 0)


async def test_below_version_2_1_a_challenge_is_answered_with_md5(place: Bench) -> None:
    old = Version(2, 0)
    request = place.request(OpCode.CREATE_HANDLE, NEW)
    envelope = replace(request.envelope, minor=0, suggested_minor=0)
    (challenge,) = await place.send(replace(request, envelope=envelope))
    assert not challenge.flags & OpFlag.REQUEST_DIGEST
    asked = Challenge.decode(challenge.body, old)
    m = asked.nonce + asked.digest.value
    body = VECTORS["answer_pbkdf2"][ENVELOPE_BYTES + 24 :][: 4 + 9 + 4 + 13 + 4]
    proof = prove_secret(SecretForm.BARE_MD5, SECRET, m)
    answer = place.request(
        OpCode.RESPONSE_TO_CHALLENGE,
        body + len(proof).to_bytes(4) + proof,
        session=challenge.envelope.session,
    )
    answer = replace(answer, envelope=replace(answer.envelope, minor=0, suggested_minor=0))
    (reply,) = await place.send(answer)
    assert reply.response_code == 1


async def test_a_wrong_answer_ends_a_challenged_change(place: Bench) -> None:
    challenge = await place.ask(OpCode.CREATE_HANDLE, NEW)
    (reply,) = await place.send(place.answer_to(challenge, secret=b"wrong"))
    assert (reply.response_code, reply.envelope.session) == (403, 0)
    (reply,) = await place.send(place.answer_to(challenge))
    assert reply.response_code == 500
    assert place.service.server.counts.disproved == 1


async def test_an_answer_that_comes_too_late_is_refused(place: Bench) -> None:
    challenge = await place.ask(OpCode.CREATE_HANDLE, NEW)
    place.clock.now += 61
    (reply,) = await place.send(place.answer_to(challenge))
    assert reply.response_code == 500


async def test_an_answer_to_nothing_is_refused(place: Bench) -> None:
    challenge = await place.ask(OpCode.CREATE_HANDLE, NEW)
    answer = place.answer_to(challenge)
    for session, code in ((0, 405), (99_999, 500)):
        sent = replace(answer, envelope=replace(answer.envelope, session=session))
        assert (await place.send(sent))[0].response_code == code


async def test_datagrams_crowd_out_no_challenge_of_a_connection() -> None:
    with bench(ServiceSettings(challenges=5)) as place:
        challenge = await place.ask(OpCode.CREATE_HANDLE, NEW)
        for number in range(20):
            forged = Connection(f"10.0.0.{number}", "udp", False)
            (reply,) = await place.send(place.request(1, RESOLVE_SECRET), forged)
            assert reply.response_code == 402
        (read,) = await place.send(place.answer_to(reply), place.udp)
        assert read.response_code == 1
        assert (await place.send(place.answer_to(challenge)))[0].response_code == 1


async def test_administration_is_refused_where_it_is_not_offered(place: Bench) -> None:
    for opcode in (100, 101, 102, 103, 104, 105, 106, 300, 301, 302, 1000, 1001, 1002, 1003):
        (reply,) = await place.send(place.request(opcode, NEW), place.udp)
        assert reply.response_code == 4
        assert text_of(reply) == "Received admin request on non-admin interface"


async def test_a_list_comes_in_messages_of_fifty_of_which_the_last_says_so(place: Bench) -> None:
    for number in range(118):
        place.register.put(f"{PREFIX}/N{number:03}", HandleValue(1, "URL", b"x"))
    replies = await place.ask_as(OpCode.LIST_HANDLES, LIST)
    names = [NamesReply.decode(reply.body).names for reply in replies]
    assert list(map(len, names)) == [50, 50, 20]
    flags = [bool(reply.flags & OpFlag.CONTINUOUS) for reply in replies]
    assert flags == [True, True, False]
    assert len({reply.envelope.request for reply in replies}) == 1


async def test_a_list_of_full_messages_has_no_empty_one_at_its_end(place: Bench) -> None:
    for number in range(98):
        place.register.put(f"{PREFIX}/N{number:03}", HandleValue(1, "URL", b"x"))
    replies = await place.ask_as(OpCode.LIST_HANDLES, LIST)
    assert [len(NamesReply.decode(reply.body).names) for reply in replies] == [50, 50]


@pytest.mark.parametrize(("secret", "is_valid"), [(SECRET, True), (b"wrong", False)])
async def test_other_nodes_may_ask_whether_a_proof_is_right(
    place: Bench, secret: bytes, is_valid: bool
) -> None:
    proof = prove_secret(SecretForm.HMAC_SHA256, secret, b"n" * 16 + b"d" * 32)
    body = VerifyRequest(KEY, b"n" * 16, b"d" * 32, proof).encode()
    reply = await place.ask(OpCode.VERIFY_CHALLENGE, body)
    assert (reply.response_code, VerifyReply.decode(reply.body).is_valid) == (1, is_valid)


async def test_guessing_by_way_of_verification_has_to_wait(place: Bench) -> None:
    proof = prove_secret(SecretForm.HMAC_SHA256, b"guess", b"n" * 16 + b"d" * 32)
    body = VerifyRequest(KEY, b"n" * 16, b"d" * 32, proof).encode()
    codes = [(await place.ask(OpCode.VERIFY_CHALLENGE, body)).response_code for _ in range(30)]
    assert codes[0] == 1
    assert codes[-1] == 3


# Signed answers


async def test_a_certified_answer_is_signed_by_the_site(place: Bench) -> None:
    for handle, code in ((ABC, 1), (f"{PREFIX}/none", 100), ("99.9/x", 301)):
        body = ResolutionRequest(handle).encode()
        reply = await place.ask(OpCode.RESOLUTION, body, flags=OpFlag.CERTIFIED)
        assert reply.response_code == code
        check_signature(reply)


def check_signature(reply: Message) -> None:
    credential = Credential.decode(reply.credential)
    signed = messages.signed_part(reply)
    credentials.check_signature(credential, SITE_KEY.public_key(), reply.envelope, signed)


async def test_a_flood_of_certified_questions_is_answered_busy_and_ends(place: Bench) -> None:
    codes = []
    for _ in range(600):
        reply = await place.ask(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.CERTIFIED)
        codes.append((reply.response_code, bool(reply.credential)))
    assert codes[0] == (1, True)
    assert codes[-1] == (3, False)
    assert (await place.ask(OpCode.RESOLUTION, RESOLVE_ABC)).response_code == 1
    place.clock.now += 60
    reply = await place.ask(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.CERTIFIED)
    assert reply.response_code == 1


# Sessions


@dataclass
class Peer:
    """The client's side of a session."""

    place: Bench
    number: int
    key: SessionKey
    counter: int = 0

    def message(self, opcode: int, body: bytes, *, flags: int = 0, mac: bool = True) -> Message:
        """Make a message of the session, with the next counter."""
        request = self.place.request(opcode, body, flags=flags, session=self.number)
        return self.with_mac(request) if mac else request

    def with_mac(self, request: Message) -> Message:
        self.counter += 1
        signed = messages.signed_part(request)
        mac = credentials.make_mac(self.key, request.envelope, self.counter, signed)
        return replace(request, credential=mac.encode())

    async def ask(self, opcode: int, body: bytes, *, flags: int = 0, mac: bool = True) -> Message:
        (reply,) = await self.place.send(self.message(opcode, body, flags=flags, mac=mac))
        return reply

    def encrypted(self, request: Message, *, behind: bytes = b"") -> bytes:
        clear = messages.encode_payload(request) + behind
        payload = session_keys.encrypt(self.key, clear, iv=bytes(16))
        envelope = replace(request.envelope, flags=EnvelopeFlag.ENCRYPTED)
        return messages.with_envelope(envelope, payload)

    async def authenticate(self) -> None:
        """Prove the administrator's key, by reading what only he may read."""
        challenge = await self.ask(OpCode.RESOLUTION, RESOLVE_SECRET)
        assert challenge.response_code == 402
        assert challenge.envelope.session == self.number
        answer = self.with_mac(replace(self.place.answer_to(challenge), credential=b""))
        (reply,) = await self.place.raw(messages.encode(answer))
        assert reply[2] & EnvelopeFlag.ENCRYPTED

    @property
    def session(self) -> Session:
        found = self.place.service.sessions.find(self.number)
        assert found is not None
        return found


async def set_up(place: Bench, identity: HandleReference = KEY) -> Peer:
    private = int.from_bytes(Random(7).randbytes(64))
    public = session_keys.encode_public(session_keys.public_number(private))
    setup = SessionSetup(4, 600, identity, key=public).encode()
    flags = OpFlag.CERTIFIED | OpFlag.REQUEST_DIGEST
    reply = await place.ask(OpCode.SESSION_SETUP, setup, flags=flags)
    assert reply.response_code == 1
    check_signature(reply)
    _, body = digests.split(reply.body)
    number = session_keys.decode_reply(SessionSetupReply.decode(body).data)
    key = session_keys.derive(session_keys.shared_secret(number, private))
    return Peer(place, reply.envelope.session, key)


async def test_a_session_authenticates_once_and_then_its_macs_do(place: Bench) -> None:
    peer = await set_up(place)
    await peer.authenticate()
    reply = await peer.ask(OpCode.CREATE_HANDLE, NEW)
    assert (reply.response_code, reply.envelope.session) == (1, peer.number)
    assert place.register.actors == ["300:86.1000/ADMIN"]


async def test_an_anonymous_session_takes_any_key_and_a_claimed_one_its_own(place: Bench) -> None:
    place.register.put(f"{PREFIX}/OTHER", secret_value(300, b"other"))
    other = HandleReference(f"{PREFIX}/OTHER", 300)
    for identity, code in ((HandleReference("", -1), 400), (KEY, 403), (other, 400)):
        peer = await set_up(place, identity)
        challenge = await peer.ask(OpCode.RESOLUTION, RESOLVE_SECRET)
        answer = place.answer_to(challenge, key=other, secret=b"other")
        (reply,) = await place.send(peer.with_mac(answer))
        assert reply.response_code == code


async def test_a_message_seen_before_is_rejected(place: Bench) -> None:
    peer = await set_up(place)
    request = peer.message(OpCode.RESOLUTION, RESOLVE_ABC)
    assert (await place.send(request))[0].response_code == 1
    assert (await place.send(request))[0].response_code == 505
    late, early = (peer.message(OpCode.RESOLUTION, RESOLVE_ABC) for _ in range(2))
    assert (await place.send(early))[0].response_code == 1
    assert (await place.send(late))[0].response_code == 1


async def test_a_wrong_mac_is_refused_and_uses_up_no_counter(place: Bench) -> None:
    peer = await set_up(place)
    request = peer.message(OpCode.RESOLUTION, RESOLVE_ABC)
    forged = replace(request, credential=request.credential[:-1] + b"\0")
    (reply,) = await place.send(forged)
    assert (reply.response_code, text_of(reply)) == (502, "Session authentication failed.")
    assert (await place.send(request))[0].response_code == 1


async def test_an_encrypted_answer_to_a_challenge_needs_no_mac(place: Bench) -> None:
    peer = await set_up(place)
    challenge = await peer.ask(OpCode.CREATE_HANDLE, NEW)
    (reply,) = await place.raw(peer.encrypted(place.answer_to(challenge)))
    assert reply[2] & EnvelopeFlag.ENCRYPTED
    assert peer.session.asker is not None


@pytest.mark.parametrize("is_authenticated", [False, True])
async def test_in_a_session_administration_needs_a_mac(
    place: Bench, is_authenticated: bool
) -> None:
    peer = await set_up(place)
    if is_authenticated:
        await peer.authenticate()
    reply = await peer.ask(OpCode.CREATE_HANDLE, NEW, mac=False)
    assert (reply.response_code, text_of(reply)) == (404, "Session request missing MAC code.")
    assert (await peer.ask(OpCode.RESOLUTION, RESOLVE_ABC, mac=False)).response_code == 1


async def test_certified_replies_count_up_under_their_mac(place: Bench) -> None:
    peer = await set_up(place)
    for counter in (1, 2, 3):
        reply = await peer.ask(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.CERTIFIED)
        credential = Credential.decode(reply.credential)
        assert credential.counter == counter
        signed = messages.signed_part(reply)
        credentials.check_mac(credential, peer.key, reply.envelope, signed)


async def test_an_encrypted_question_gets_an_encrypted_answer(place: Bench) -> None:
    peer = await set_up(place)
    request = peer.message(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.ENCRYPTED)
    (reply,) = await place.raw(peer.encrypted(request))
    assert reply[2] & EnvelopeFlag.ENCRYPTED
    clear = session_keys.decrypt(peer.key, reply[ENVELOPE_BYTES:])
    assert int.from_bytes(clear[4:8]) == 1


async def test_encryption_is_done_when_it_is_asked_for(place: Bench) -> None:
    peer = await set_up(place)
    request = peer.message(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.ENCRYPTED)
    (reply,) = await place.raw(messages.encode(request))
    assert reply[2] & EnvelopeFlag.ENCRYPTED


async def test_all_that_can_be_wrong_with_an_encrypted_message_is_refused_alike(
    place: Bench,
) -> None:
    peer = await set_up(place)
    good = peer.encrypted(peer.message(OpCode.RESOLUTION, RESOLVE_ABC))
    (first,) = await place.raw(good)
    assert first[2] & EnvelopeFlag.ENCRYPTED
    without_mac = peer.encrypted(peer.message(OpCode.RESOLUTION, RESOLVE_ABC, mac=False))
    wrong_padding = good[:-16] + bytes(16)
    wrong_block = good[: ENVELOPE_BYTES + 16] + bytes(16) + good[ENVELOPE_BYTES + 32 :]
    odd = messages.with_envelope(envelopes.decode(good), good[ENVELOPE_BYTES:-1])
    replies = []
    for wrong in (without_mac, wrong_padding, wrong_block, odd, good):
        (reply,) = await place.raw(wrong)
        decoded = messages.decode(reply)
        replies.append((decoded.response_code, decoded.body, decoded.flags))
    assert set(replies) == {
        (502, ErrorReply("Session authentication failed.").encode(), 0x19000000)
    }
    behind = peer.encrypted(peer.message(OpCode.RESOLUTION, RESOLVE_ABC), behind=b"\0")
    assert messages.decode((await place.raw(behind))[0]).response_code == 502
    (last,) = await place.raw(peer.encrypted(peer.message(OpCode.RESOLUTION, RESOLVE_ABC)))
    assert last[2] & EnvelopeFlag.ENCRYPTED


@pytest.mark.parametrize(("session", "code"), [(0, 501), (12_345, 500)])
async def test_encryption_without_a_session_is_refused(
    place: Bench, session: int, code: int
) -> None:
    request = place.request(OpCode.RESOLUTION, RESOLVE_ABC, session=session)
    envelope = replace(request.envelope, flags=EnvelopeFlag.ENCRYPTED)
    (reply,) = await place.raw(messages.encode(replace(request, envelope=envelope)))
    assert messages.decode(reply).response_code == code


async def test_a_session_that_ended_is_unknown(place: Bench) -> None:
    peer = await set_up(place)
    await peer.authenticate()
    end = HandleRequest().encode()
    assert (await peer.ask(OpCode.SESSION_TERMINATE, end, mac=False)).response_code == 404
    assert (await peer.ask(OpCode.SESSION_TERMINATE, end)).response_code == 1
    assert (await peer.ask(OpCode.RESOLUTION, RESOLVE_ABC)).response_code == 500
    assert (await peer.ask(OpCode.SESSION_TERMINATE, end)).response_code == 500
    late = await set_up(place)
    place.clock.now += 600
    assert (await late.ask(OpCode.CREATE_HANDLE, NEW)).response_code == 500


async def test_a_session_ends_with_the_key_that_was_proved_in_it(place: Bench) -> None:
    peer = await set_up(place)
    await peer.authenticate()
    place.register.put(ADMIN, secret_value(300, b"changed"))
    assert (await peer.ask(OpCode.CREATE_HANDLE, NEW)).response_code == 500
    assert place.service.sessions.find(peer.number) is None


@pytest.mark.parametrize(
    ("mode", "code"),
    [(1, 501), (2, 501), (3, 501), (9, 501), (0, 501), (65_535, 501)],
)
async def test_other_ways_to_agree_on_a_key_are_refused(place: Bench, mode: int, code: int) -> None:
    head = SessionSetup(4, 600, KEY, key=b"").encode()
    body = mode.to_bytes(2) + head[2:-6] + KEY_FIELDS
    reply = await place.ask(OpCode.SESSION_SETUP, body)
    assert reply.response_code == code
    if mode == 9:
        assert text_of(reply) == "Unrecognized key exchange mode"


KEY_FIELDS = bytes(16)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"nonsense",
        session_keys.encode_public(1),
        session_keys.encode_public(session_keys.PRIME - 1),
        session_keys.encode_public(0),
    ],
)
async def test_a_session_with_a_key_that_gives_it_away_is_refused(place: Bench, key: bytes) -> None:
    body = SessionSetup(4, 600, KEY, key=key).encode()
    assert (await place.ask(OpCode.SESSION_SETUP, body)).response_code == 504


async def test_sessions_need_a_version_that_counts_messages(place: Bench) -> None:
    request = place.request(OpCode.SESSION_SETUP, b"")
    old = replace(request.envelope, minor=4, suggested_minor=4)
    (reply,) = await place.send(replace(request, envelope=old))
    assert reply.response_code == 501


async def test_a_flood_of_session_setups_is_answered_busy(place: Bench) -> None:
    public = session_keys.encode_public(session_keys.public_number(12_345))
    setup = SessionSetup(4, 600, KEY, key=public).encode()
    codes = [(await place.ask(OpCode.SESSION_SETUP, setup)).response_code for _ in range(120)]
    assert codes[0] == 1
    assert codes[-1] == 3


# The IDIS dialect


def login_request(place: Bench, user: HandleReference = KEY) -> bytes:
    """Make a login as clients of the dialect do: without the length of a credential."""
    whole = messages.encode(
        place.request(OpCode.IDIS_LOGIN, LoginRequest(user).encode(), session=7)
    )
    length = (len(whole) - ENVELOPE_BYTES - 4).to_bytes(4)
    return whole[:16] + length + whole[20:-4]


async def log_in(place: Bench, user: HandleReference = KEY) -> Message:
    (reply,) = await place.raw(login_request(place, user))
    (outcome,) = await place.send(place.answer_to(messages.decode(reply)))
    return outcome


async def test_a_login_authenticates_the_connection_and_no_other(place: Bench) -> None:
    outcome = await log_in(place)
    assert (outcome.response_code, outcome.opcode) == (1, OpCode.IDIS_LOGIN)
    assert (place.tcp.dialect, place.tcp.login is not None) == ("idis", True)
    reply = await place.ask(OpCode.CREATE_HANDLE, NEW, session=9)
    assert (reply.response_code, reply.envelope.session) == (1, 9)
    (other,) = await place.send(
        place.request(OpCode.CREATE_HANDLE, NEW), Connection("192.0.2.1", "tcp", True)
    )
    assert other.response_code == 101
    body = ValuesRequest(f"{PREFIX}/second", ()).encode()
    (other,) = await place.send(
        place.request(OpCode.CREATE_HANDLE, body), Connection("192.0.2.1", "tcp", True)
    )
    assert other.response_code == 402


async def test_a_login_takes_the_key_it_names(place: Bench) -> None:
    outcome = await log_in(place, HandleReference(f"{PREFIX}/OTHER", 300))
    assert outcome.response_code == 403
    assert place.tcp.login is None
    assert (await log_in(place, HandleReference(ADMIN.lower(), 0))).response_code == 1


async def test_a_login_ends_with_its_key(place: Bench) -> None:
    await log_in(place)
    place.register.put(ADMIN, secret_value(300, b"changed"))
    assert (await place.ask(OpCode.CREATE_HANDLE, NEW)).response_code == 402
    assert place.tcp.login is None


async def test_a_login_over_udp_is_refused(place: Bench) -> None:
    (reply,) = await place.raw(login_request(place), place.udp)
    assert messages.decode(reply).response_code == 5


async def test_numbers_of_clients_are_echoed_where_no_session_is_needed(place: Bench) -> None:
    for opcode, body in ((1, RESOLVE_ABC), (2, HandleRequest().encode())):
        reply = await place.ask(opcode, body, session=7)
        assert (reply.response_code, reply.envelope.session) == (1, 7)
    assert (await place.ask(OpCode.CREATE_HANDLE, NEW, session=7)).response_code == 500


@pytest.mark.parametrize(
    ("error", "plain", "dialect"),
    [
        (LimitExceeded(), 202, 604),
        (WrongState(code="prefix_suspended"), 401, 605),
        (Overloaded(), 3, 3),
        (Unavailable(), 3, 3),
    ],
)
async def test_limits_have_codes_of_their_own_in_the_dialect(
    place: Bench,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    plain: int,
    dialect: int,
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(place.register, "create", refuse)
    assert (await place.ask_as(OpCode.CREATE_HANDLE, NEW))[0].response_code == plain
    await log_in(place)
    assert (await place.ask(OpCode.CREATE_HANDLE, NEW)).response_code == dialect


async def test_a_user_of_the_dialect_gets_a_session_key_under_his_public_key(place: Bench) -> None:
    place.tcp.dialect = "idis"
    public = encode_public(SITE_KEY.public_key())
    place.register.put(ADMIN, HandleValue(301, "HS_PUBKEY", public), secret_value(300))
    user = HandleReference(ADMIN, 301)
    body = SessionSetup(3, 600, user, key_reference=user).encode()
    reply = await place.ask(OpCode.SESSION_SETUP, body)
    setup = SessionSetupReply.decode(reply.body)
    cursor = Cursor(SITE_KEY.decrypt(setup.data, padding.PKCS1v15()))
    assert (setup.mode, cursor.u32()) == (3, 3)
    peer = Peer(place, reply.envelope.session, SessionKey(cursor.rest()))
    request = peer.message(OpCode.RESOLUTION, RESOLVE_ABC)
    (answer,) = await place.raw(peer.encrypted(request))
    assert answer[2] & EnvelopeFlag.ENCRYPTED
    stranger = HandleReference(ADMIN, 300)
    body = SessionSetup(3, 600, stranger, key_reference=stranger).encode()
    assert (await place.ask(OpCode.SESSION_SETUP, body)).response_code == 503


# Hostile input


@pytest.mark.parametrize("size", range(0, ENVELOPE_BYTES + 24, 3))
async def test_any_beginning_of_a_message_is_answered(place: Bench, size: int) -> None:
    (reply,) = await place.raw(VECTORS["resolution_request"][:size])
    decoded = messages.decode(reply)
    assert decoded.response_code == 4
    if size >= 12:
        assert decoded.envelope.request == 0x11223344


async def test_a_lookup_that_fails_unexpectedly_is_answered(
    place: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(key: str) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(place.lookup, "resolve", fail)
    reply = await place.ask(OpCode.RESOLUTION, RESOLVE_ABC)
    assert reply.response_code == 2
    assert place.service.server.counts.failed == 1
    assert "on purpose" not in text_of(reply)
    capsys.readouterr()


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(CLEAR_MESSAGES),
    changes=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 40),
    transport=st.sampled_from(["udp", "tcp"]),
)
async def test_no_message_makes_the_server_raise_or_keep_silent(
    place: Bench, name: str, changes: list[tuple[int, int]], cut: int, transport: str
) -> None:
    data = bytearray(VECTORS[name])
    for position, value in changes:
        data[position % len(data)] = value
    message = bytes(data[: len(data) - cut])
    connection = place.udp if transport == "udp" else place.tcp
    place.noted.clear()
    replies = await place.raw(message, connection)
    assert replies
    assert len(place.noted) <= 1
    for reply in replies:
        if not reply[2] & EnvelopeFlag.ENCRYPTED:
            messages.decode(reply)
    assert place.service.server.counts.failed == 0
