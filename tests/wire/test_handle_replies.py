"""Recorded requests get the recorded replies, byte for byte but for what must differ.

What differs: expiration times; numbers of sessions where they cannot be chosen; and, on purpose,
the RequestId of a request that cannot be decoded, which the recorded server loses and ours keeps.
"""

from __future__ import annotations

import pytest

from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle import credentials, digests, message, session_keys, site
from resolver.handle.bodies import SessionSetupReply
from resolver.handle.credentials import Credential
from resolver.handle.service import ServiceSettings
from resolver.handle.session_keys import SessionKey
from tests.unit.resolver.handle.service_fakes import ABC, ADMIN, SITE_KEY, Bench, bench
from tests.wire.handle_vectors import VECTORS

TIME = 0x5E0BE100
EXPIRATION = slice(36, 40)
REQUEST_ID = slice(8, 12)
CHALLENGE_NONCE = bytes.fromhex("a30115a0e95baa70b46b6400a4654c0f")


def recorded(place: Bench) -> None:
    """Give ABC the values and times of the recorded server."""
    place.register.put(
        ABC,
        HandleValue(1, "URL", b"https://example.org/abc", timestamp=TIME),
        HandleValue(2, "EMAIL", b"admin@example.org", ttl=3600, timestamp=TIME + 1),
        HandleValue(100, "HS_ADMIN", VECTORS["admin_data"], timestamp=TIME),
    )


def untimed(reply: bytes, *others: slice) -> bytes:
    """Return a reply without its expiration time, and without what else is named."""
    cleared = bytearray(reply)
    for place in (EXPIRATION, *others):
        cleared[place] = bytes(place.stop - place.start)
    return bytes(cleared)


@pytest.mark.parametrize("name", ["foreign_prefix", "index_9", "index_or_type", "request_digest"])
async def test_recorded_questions_get_the_recorded_replies(name: str) -> None:
    with bench() as place:
        recorded(place)
        (reply,) = await place.raw(VECTORS[f"{name}_request"])
    assert untimed(reply) == untimed(VECTORS[f"{name}_reply"])


async def test_plain_resolution_gets_the_recorded_reply_with_three_values() -> None:
    with bench() as place:
        recorded(place)
        (reply,) = await place.raw(VECTORS["resolution_request"])
        assert untimed(reply) == untimed(VECTORS["resolution_reply"])
        del place.register.records[ABC]
        (reply,) = await place.raw(VECTORS["resolution_request"])
        assert untimed(reply) == untimed(VECTORS["not_found_reply"])


async def test_undecodable_request_gets_the_recorded_reply_and_keeps_its_request_id() -> None:
    with bench() as place:
        (reply,) = await place.raw(VECTORS["opcode_0_request"])
    assert untimed(reply, REQUEST_ID) == untimed(VECTORS["opcode_0_reply"], REQUEST_ID)
    assert reply[REQUEST_ID] == VECTORS["opcode_0_request"][REQUEST_ID]


async def test_recorded_creation_is_challenged_answered_and_done() -> None:
    def random_bytes(size: int) -> bytes:
        return CHALLENGE_NONCE if size == digests.NONCE_BYTES else bytes(size)

    with bench(ServiceSettings(process=1), random_bytes=random_bytes) as place:
        (challenge,) = await place.raw(VECTORS["create_request"])
        assert untimed(challenge) == untimed(VECTORS["challenge_to_create"])
        (created,) = await place.raw(VECTORS["answer_pbkdf2"])
        assert untimed(created) == untimed(VECTORS["create_reply"])
    assert "86.1000/NEW-PBKDF2" in place.register.records


@pytest.mark.parametrize("name", ["add_existing", "remove_missing"])
async def test_recorded_changes_get_the_recorded_challenge_but_for_its_numbers(name: str) -> None:
    nonce = VECTORS[f"{name}_reply"][-20:-4]
    with bench(random_bytes=lambda size: (nonce + nonce)[:size]) as place:
        recorded(place)
        (reply,) = await place.raw(VECTORS[f"{name}_request"])
    session = slice(4, 8)
    assert untimed(reply, session) == untimed(VECTORS[f"{name}_reply"], session)
    assert reply[session] != bytes(4)


async def test_recorded_deletion_and_listing_are_challenged() -> None:
    with bench() as place:
        for name in ("delete_request", "list_request"):
            (reply,) = await place.raw(VECTORS[name])
            assert message.decode(reply).response_code == 402


async def test_recorded_session_messages_get_the_recorded_replies() -> None:
    # Process 37 gives the number 101 when all random bits are 0.
    with bench(ServiceSettings(process=37), random_bytes=bytes) as place:
        recorded(place)
        key = SessionKey(VECTORS["session_key"])
        session = place.service.sessions.open(key, claimed=None, asked_s=3600, source="")
        assert session.number == 101
        (reply,) = await place.raw(VECTORS["mac_request"])
        credential = slice(len(reply) - 32, len(reply))
        # The MAC covers the expiration time: it is checked, not compared.
        assert untimed(reply, credential) == untimed(VECTORS["mac_reply"], credential)
        decoded = message.decode(reply)
        credentials.check_mac(
            Credential.decode(decoded.credential),
            key,
            decoded.envelope,
            message.signed_part(decoded),
        )
        (reply,) = await place.raw(VECTORS["encrypted_request"])
        assert reply[:20] == VECTORS["encrypted_reply"][:20]
        clear = session_keys.decrypt(key, reply[20:])
        expiration = slice(16, 20)
        expected = bytearray(VECTORS["encrypted_reply_clear"])
        expected[expiration] = clear[expiration]
        assert clear == bytes(expected)


async def test_recorded_session_setup_gets_a_signed_reply_of_the_recorded_form() -> None:
    with bench(ServiceSettings(process=37)) as place:
        (reply,) = await place.raw(VECTORS["session_setup_request"])
    ours, theirs = message.decode(reply), message.decode(VECTORS["session_setup_reply"])
    assert (ours.opcode, ours.flags, ours.site_serial) == (400, theirs.flags, 1)
    digest, body = digests.split(ours.body)
    assert digest == digests.split(theirs.body)[0]
    setup = SessionSetupReply.decode(body)
    assert setup.mode == 4
    number = session_keys.decode_reply(setup.data)
    private = int.from_bytes(VECTORS["dh_private"])
    session = place.service.sessions.find(ours.envelope.session)
    assert session is not None
    assert session.key == session_keys.derive(session_keys.shared_secret(number, private))
    assert session.claimed == HandleReference(ADMIN, 300)
    credentials.check_signature(
        Credential.decode(ours.credential),
        SITE_KEY.public_key(),
        ours.envelope,
        message.signed_part(ours),
    )


async def test_site_information_parses_to_its_end() -> None:
    with bench() as place:
        reply = await place.ask(2, b"\0\0\0\x01/")
        assert site.Site.decode(reply.body) == place.service.site
