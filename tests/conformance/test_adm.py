"""Conformance of administration and authentication (ids ADM-…)."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Iterator

import pytest

from tests.conformance.conftest import HandleNode, running_node
from tests.handle_prover import (
    PROTECTED,
    Prove,
    Reply,
    admin,
    answer,
    asking,
    carried_out,
    group,
    key_pair,
    secret,
    value,
    values_of,
    with_indexes,
    with_values,
)
from tests.handle_register import ABC, ADMIN, SECRET
from tests.handle_sockets import ENVELOPE_BYTES, envelope_of, header_of, request, resolution, text

CREATE, DELETE, ADD, REMOVE, MODIFY, LIST = 100, 101, 102, 103, 104, 105
VERIFY, HOME = 201, 300
OVERWRITE, MINT = 0x1040_0000, 0x1020_0000
CONTINUOUS = 0x0400_0000
ALL = 0x0FFF
# Who proves wrongly has to wait: these tests leave the other tests' address alone.
GUESSER = "127.0.0.3"


@pytest.fixture(scope="module")
def strict_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandleNode]:
    """Run a node that lists nothing and waits for no proof."""
    settings = {"XIBIAO_HANDLE__LIST_HANDLES": "false", "XIBIAO_HANDLE__CHALLENGE_TIME": "1ms"}
    with running_node(tmp_path_factory.mktemp("strict"), **settings) as node:
        yield node


def asked(node: HandleNode, opcode: int, body: bytes, *, flags: int = 0x1000_0000) -> Reply:
    """Ask without proving anything."""
    return Reply(node.ask(request(opcode, body, flags=flags)))


def done(
    node: HandleNode,
    opcode: int,
    body: bytes,
    *,
    flags: int = 0x1000_0000,
    prove: Prove | None = None,
    key: str = ADMIN,
    index: int = 300,
    source: str = "",
) -> Reply:
    """Ask, prove, and return the outcome."""
    with node.tcp(source=source) as connection:
        return carried_out(connection, opcode, body, flags=flags, prove=prove, key=key, index=index)


def create(node: HandleNode, handle: str, *values: bytes) -> None:
    """Create a handle, administered by ADMIN unless its values say otherwise."""
    reply = done(node, CREATE, with_values(handle, *(values or (value(1), admin()))))
    assert reply.code == 1, reply.text


def read(node: HandleNode, handle: str) -> list[tuple[int, str, bytes]]:
    """Return index, type and data of the public values."""
    reply = Reply(node.ask(resolution(handle)))
    assert reply.code == 1, reply.text
    return [(index, kind, data) for index, _, _, kind, data in values_of(reply.body)]


def test_adm_01_create_without_a_session_is_challenged(handle_node: HandleNode) -> None:
    message = request(CREATE, with_values("86.1000/ADM-01", value(1)))
    reply = Reply(handle_node.ask(message))
    assert reply.code == 402
    assert reply.session != 0
    assert reply.flags & 0x0080_0000
    digest = hashlib.sha256(message[ENVELOPE_BYTES:-4]).digest()
    assert reply.body[:37] == b"\x03" + digest + struct.pack(">I", 16)
    assert len(reply.body) == 37 + 16


@pytest.mark.parametrize("octet", [0x01, 0x02, 0x03, 0x12, 0x13, 0x22])
def test_adm_02_every_form_of_proof_creates(handle_node: HandleNode, octet: int) -> None:
    name = f"86.1000/ADM-02-{octet:02x}"
    body = with_values(name, value(1), admin())
    reply = done(handle_node, CREATE, body, prove=secret(octet))
    assert (reply.code, header_of(reply.raw).opcode, reply.session) == (1, CREATE, 0)
    assert reply.body == text(name)
    assert envelope_of(reply.raw).request == 0x55667788


def test_adm_03_answer_may_come_on_another_connection(handle_node: HandleNode) -> None:
    challenge = asked(handle_node, CREATE, with_values("86.1000/ADM-03", value(1)))
    assert Reply(handle_node.ask(answer(challenge, secret(0x13)))).code == 1


def test_adm_04_wrong_key_fails(handle_node: HandleNode) -> None:
    body = with_values("86.1000/ADM-04", value(1))
    for octet in (0x03, 0x13):
        wrong = secret(octet, b"wrong")
        reply = done(handle_node, CREATE, body, prove=wrong, source=GUESSER)
        assert reply.code == 403
    assert asked(handle_node, 1, asking("86.1000/ADM-04")).code == 100


def test_adm_05_known_key_without_any_right_is_no_administrator(handle_node: HandleNode) -> None:
    name = "86.1000/ADM-05"
    create(handle_node, name, value(300, "HS_SECKEY", b"mine", permissions=PROTECTED), admin())
    body = with_values("86.1000/ADM-05-NEW", value(1))
    for opcode, asks in ((CREATE, body), (ADD, with_values(ABC, value(50)))):
        reply = done(handle_node, opcode, asks, prove=secret(0x13, b"mine"), key=name)
        assert reply.code == 400


def test_adm_06_unknown_type_of_proof_is_an_invalid_credential(handle_node: HandleNode) -> None:
    body = with_values("86.1000/ADM-06", value(1))
    assert done(handle_node, CREATE, body, prove=lambda _: ("HS_FOO", b"x")).code == 404


def test_adm_07_answer_to_an_unknown_challenge_is_refused(handle_node: HandleNode) -> None:
    challenge = asked(handle_node, CREATE, with_values("86.1000/ADM-07", value(1)))
    for session, code in ((99_999, 500), (0, 405)):
        given = answer(challenge, secret(0x13), session=session)
        assert Reply(handle_node.ask(given)).code == code


def test_adm_08_answer_that_comes_too_late_is_refused(strict_node: HandleNode) -> None:
    challenge = asked(strict_node, CREATE, with_values("86.1000/ADM-08", value(1)))
    for _ in range(100):  # a hundred questions take longer than a millisecond
        strict_node.ask(resolution(ABC))
    assert Reply(strict_node.ask(answer(challenge, secret(0x13)))).code in (405, 500)


@pytest.mark.parametrize("index", [301, 0])
def test_adm_09_key_pair_proves_itself_with_and_without_an_index(
    handle_node: HandleNode, index: int
) -> None:
    body = with_values(f"86.1000/ADM-09-{index}", value(1))
    prove = key_pair(handle_node.administrator_key)
    assert done(handle_node, CREATE, body, prove=prove, index=index).code == 1


def test_adm_10_existing_handle_is_refused_without_a_challenge(handle_node: HandleNode) -> None:
    assert asked(handle_node, CREATE, with_values(ABC, value(1))).code == 101


def test_adm_11_existing_handle_is_overwritten_when_asked_to(handle_node: HandleNode) -> None:
    name = "86.1000/ADM-11"
    create(handle_node, name)
    body = with_values(name, value(3, data=b"https://example.org/new"), admin())
    reply = done(handle_node, CREATE, body, flags=OVERWRITE)
    assert (reply.code, reply.flags & 0x0040_0000) == (1, 0x0040_0000)
    assert [entry[0] for entry in read(handle_node, name)] == [3, 100]


def test_adm_12_handle_that_is_not_utf_8_is_invalid(handle_node: HandleNode) -> None:
    reply = asked(handle_node, CREATE, with_values(b"86.1000/\xff\xfe", value(1)))
    assert (reply.code, reply.text) == (102, "Invalid UTF8 encoding")


def test_adm_13_index_given_twice_is_a_conflict(handle_node: HandleNode) -> None:
    reply = asked(handle_node, CREATE, with_values("86.1000/ADM-13", value(1), value(1)))
    assert (reply.code, reply.text) == (201, "Index conflict for 1")


@pytest.mark.parametrize("index", [0, -1])
def test_adm_14_index_that_is_not_positive_is_invalid(handle_node: HandleNode, index: int) -> None:
    reply = asked(handle_node, CREATE, with_values("86.1000/ADM-14", value(index)))
    assert (reply.code, reply.text) == (202, "Value indexes must be positive")


def test_adm_15_suffix_is_minted(handle_node: HandleNode) -> None:
    names = set()
    for stem in ("86.1000/", "86.1000/", "86.1000/ADM-15-"):
        reply = done(handle_node, CREATE, with_values(stem, value(1), admin()), flags=MINT)
        assert (reply.code, reply.flags & 0x0020_0000) == (1, 0x0020_0000)
        name = reply.body[4:].decode()
        assert name.startswith(stem)
        assert len(name) > len(stem)
        assert [entry[0] for entry in read(handle_node, name)] == [1, 100]
        names.add(name)
    assert len(names) == 3


def test_adm_16_foreign_prefix_is_not_here(handle_node: HandleNode) -> None:
    assert asked(handle_node, CREATE, with_values("99.9/x", value(1))).code == 301


def test_adm_17_empty_list_adds_nothing(handle_node: HandleNode) -> None:
    reply = asked(handle_node, ADD, with_values(ABC))
    assert (reply.code, reply.text) == (202, "Value list was empty")


def test_adm_18_taken_index_is_a_conflict_unless_overwriting(handle_node: HandleNode) -> None:
    name = "86.1000/ADM-18"
    create(handle_node, name)
    body = with_values(name, value(1, data=b"https://example.org/second"))
    assert done(handle_node, ADD, body).code == 201
    reply = done(handle_node, ADD, body, flags=OVERWRITE)
    assert (reply.code, reply.flags & 0x0040_0000) == (1, 0x0040_0000)
    assert read(handle_node, name)[0][2] == b"https://example.org/second"
    reply = done(handle_node, ADD, with_values(name, value(2)), flags=OVERWRITE)
    assert (reply.code, reply.flags & 0x0040_0000) == (1, 0)


def test_adm_19_missing_value_cannot_be_modified_and_nobody_is_challenged(
    handle_node: HandleNode,
) -> None:
    assert asked(handle_node, MODIFY, with_values(ABC, value(77))).code == 200


def test_adm_20_missing_value_cannot_be_removed(handle_node: HandleNode) -> None:
    assert done(handle_node, REMOVE, with_indexes(ABC, 77)).code == 200


def test_adm_21_read_only_value_stays_as_it_is(handle_node: HandleNode) -> None:
    name = "86.1000/ADM-21"
    create(handle_node, name, value(1, permissions=0x0A), admin())
    reply = done(handle_node, MODIFY, with_values(name, value(1, data=b"https://example.org/2")))
    assert (reply.code, reply.text.endswith("Value is read-only")) == (401, True)
    assert done(handle_node, REMOVE, with_indexes(name, 1)).code == 401


@pytest.mark.parametrize(
    ("opcode", "missing", "body"),
    [
        (MODIFY, 0x0080, with_values("86.1000/ADM-22-{}", admin())),
        (MODIFY, 0x0010, with_values("86.1000/ADM-22-{}", value(1, data=b"https://example.org/2"))),
        (ADD, 0x0040, with_values("86.1000/ADM-22-{}", value(2))),
        (ADD, 0x0200, with_values("86.1000/ADM-22-{}", admin(101))),
        (REMOVE, 0x0020, with_indexes("86.1000/ADM-22-{}", 1)),
        (REMOVE, 0x0100, with_indexes("86.1000/ADM-22-{}", 100)),
        (DELETE, 0x0002, text("86.1000/ADM-22-{}")),
    ],
)
def test_adm_22_each_act_needs_its_right(
    handle_node: HandleNode, opcode: int, missing: int, body: bytes
) -> None:
    name = f"86.1000/ADM-22-{missing:04x}"
    create(handle_node, name, value(1), admin(rights=ALL & ~missing))
    asks = text(name) + body[4 + int.from_bytes(body[:4]) :]
    assert done(handle_node, opcode, asks).code == 401
    assert len(read(handle_node, name)) == 2


def test_adm_23_administrator_in_a_group_of_a_group_may(handle_node: HandleNode) -> None:
    inner, outer, name = "86.1000/ADM-23-IN", "86.1000/ADM-23-OUT", "86.1000/ADM-23"
    create(handle_node, inner, group(200, ("86.1000/ABC", 300), (ADMIN, 300)))
    create(handle_node, outer, group(200, ("86.1000/NOBODY", 300), (inner, 200)))
    create(handle_node, name, value(1), admin(key=outer, key_index=200))
    assert done(handle_node, ADD, with_values(name, value(2))).code == 1


def test_adm_24_loop_of_groups_grants_nothing(handle_node: HandleNode) -> None:
    one, two, name = "86.1000/ADM-24-A", "86.1000/ADM-24-B", "86.1000/ADM-24"
    create(handle_node, one, group(200, (two, 200), (one, 200)))
    create(handle_node, two, group(200, (one, 200), (two, 0)))
    create(handle_node, name, value(1), admin(key=one, key_index=200))
    assert done(handle_node, ADD, with_values(name, value(2))).code in (400, 403)


def test_adm_25_missing_handle_cannot_be_deleted(handle_node: HandleNode) -> None:
    assert done(handle_node, DELETE, text("86.1000/ADM-25")).code == 100


def test_adm_26_deleted_handle_is_gone(handle_node: HandleNode) -> None:
    name = "86.1000/ADM-26"
    create(handle_node, name)
    assert done(handle_node, DELETE, text(name)).code == 1
    assert Reply(handle_node.ask(resolution(name))).code == 100
    again = done(handle_node, CREATE, with_values(name, value(1)))
    assert (again.code, "never used again" in again.text) == (101, True)


def test_adm_27_list_comes_in_messages_of_fifty(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_node(tmp_path_factory.mktemp("listed")) as node:
        for number in range(118):
            create(node, f"86.1000/L{number:03}")
        with node.tcp() as connection:
            first = carried_out(connection, LIST, text("0.NA/86.1000"))
            replies = [first, *(Reply(connection.receive()) for _ in range(2))]
    names: list[str] = []
    for reply, size in zip(replies, (50, 50, 20), strict=True):
        assert reply.code == 1
        assert envelope_of(reply.raw).request == 0x55667788
        assert struct.unpack_from(">I", reply.body)[0] == size
        names += names_of(reply.body)
    continues = [bool(reply.flags & CONTINUOUS) for reply in replies]
    assert continues == [True, True, False]
    assert names == sorted({ABC, ADMIN, *(f"86.1000/L{number:03}" for number in range(118))})


def names_of(body: bytes) -> list[str]:
    """Read a list of names."""
    names, at = [], 4
    while at < len(body):
        size = int.from_bytes(body[at : at + 4])
        names.append(body[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return names


def test_adm_28_list_that_is_switched_off_is_not_supported(strict_node: HandleNode) -> None:
    reply = asked(strict_node, LIST, text("0.NA/86.1000"))
    assert reply.code == 5
    assert reply.text == "This server does not support the list handles operation."


def test_adm_29_list_without_proof_is_challenged(handle_node: HandleNode) -> None:
    assert asked(handle_node, LIST, text("0.NA/86.1000")).code == 402
    assert asked(handle_node, LIST, text("0.NA/99.9")).code == 301


def test_adm_30_value_count_beyond_the_body_is_a_protocol_error(handle_node: HandleNode) -> None:
    body = text("86.1000/ADM-30") + struct.pack(">I", 0x7FFF_FFFF) + value(1)
    assert asked(handle_node, CREATE, body).code == 4


def test_adm_31_data_length_beyond_the_body_is_a_protocol_error(handle_node: HandleNode) -> None:
    whole = with_values("86.1000/ADM-31", value(1))
    at = whole.index(b"URL") + 3
    body = whole[:at] + struct.pack(">I", 0x0100_0000) + whole[at + 4 :]
    assert asked(handle_node, CREATE, body).code == 4


def test_adm_32_values_are_dated_by_the_server(handle_node: HandleNode) -> None:
    name = "86.1000/ADM-32"
    create(handle_node, name, value(1, timestamp=0), value(2, timestamp=12_345), admin())
    reply = Reply(handle_node.ask(resolution(name)))
    for _, timestamp, _, _, _ in values_of(reply.body):
        assert abs(timestamp - time.time()) < 60


def test_adm_33_udp_takes_no_administration(handle_node: HandleNode) -> None:
    message = request(CREATE, with_values("86.1000/ADM-33", value(1), admin()))
    with handle_node.udp() as socket:
        reply = Reply(socket.ask(message))
    assert (reply.code, reply.text) == (4, "Received admin request on non-admin interface")


def test_adm_34_proof_is_verified_for_other_nodes(handle_node: HandleNode) -> None:
    nonce, digest = bytes(range(16)), bytes(range(32))
    for key, verdict in ((SECRET, b"\x01"), (b"wrong", b"\x00")):
        _, response = secret(0x13, key)(nonce + digest)
        head = text(ADMIN) + struct.pack(">I", 300)
        body = head + text(nonce) + text(digest) + text(response)
        with handle_node.tcp(source=GUESSER) as connection:
            reply = Reply(connection.ask(request(VERIFY, body)))
        assert (reply.code, reply.body) == (1, verdict)


def test_adm_35_stretched_secret_may_hold_any_bytes(handle_node: HandleNode) -> None:
    name, key = "86.1000/ADM-35", bytes(range(0x70, 0x90)) + b"\xff\x00"
    own = value(300, "HS_SECKEY", key, permissions=PROTECTED)
    create(handle_node, name, own, admin(key=name, key_index=300))
    asks = with_values(name, value(1))
    assert done(handle_node, ADD, asks, prove=secret(0x22, key), key=name).code == 1


def test_adm_36_endless_stretching_is_refused_at_once(handle_node: HandleNode) -> None:
    body = with_values("86.1000/ADM-36", value(1))
    costly = secret(0x22, iterations=2_000_000_000)
    assert done(handle_node, CREATE, body, prove=costly, source=GUESSER).code == 404


def test_adm_37_transaction_numbers_are_not_supported(handle_node: HandleNode) -> None:
    assert asked(handle_node, 1_000, text("/")).code == 5


def test_adm_38_server_administrator_homes_a_prefix(handle_node: HandleNode) -> None:
    assert Reply(handle_node.ask(resolution("86.1038/x"))).code == 301
    assert done(handle_node, HOME, text("0.NA/86.1038")).code == 1
    assert Reply(handle_node.ask(resolution("86.1038/x"))).code == 100
    names = done(handle_node, 302, text("0.NA/0.NA"))
    assert {"0.NA/86.1000", "0.NA/86.1038"} <= set(names_of(names.body))
    assert done(handle_node, 301, text("0.NA/86.1038")).code == 1
    names = done(handle_node, 302, text("/"))
    assert "0.NA/86.1038" not in names_of(names.body)
