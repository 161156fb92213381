"""Conformance of resolution (ids RES-…)."""

from __future__ import annotations

import struct

import pytest

from resolver.handle.site import Site
from tests.conformance.conftest import HandleNode
from tests.handle_prover import (
    PROTECTED,
    Reply,
    admin,
    asking,
    carried_out,
    value,
    values_of,
    with_values,
)
from tests.handle_register import ABC, ADMIN
from tests.handle_sockets import envelope_of, request, resolution, text

CREATE, RESOLVE = 100, 1
PUBLIC = 0x1100_0000


def resolved(node: HandleNode, handle: str | bytes, **asked: object) -> Reply:
    return Reply(node.ask(resolution(handle, **asked)))  # type: ignore[arg-type]


def create(node: HandleNode, handle: str, *values: bytes) -> None:
    with node.tcp() as connection:
        reply = carried_out(connection, CREATE, with_values(handle, *values, admin()))
    assert reply.code == 1, reply.text


def test_res_01_record_is_answered_whole_and_in_order(handle_node: HandleNode) -> None:
    reply = resolved(handle_node, ABC)
    assert reply.code == 1
    found = [(index, kind, data) for index, _, _, kind, data in values_of(reply.body)]
    assert found[:2] == [
        (1, "URL", b"https://example.org/abc"),
        (2, "EMAIL", b"admin@example.org"),
    ]
    assert (found[2][:2], len(found)) == ((100, "HS_ADMIN"), 3)


def test_res_02_handle_is_repeated_as_it_was_asked_for(handle_node: HandleNode) -> None:
    reply = resolved(handle_node, "86.1000/abc")
    assert reply.code == 1
    assert reply.body.startswith(text("86.1000/abc"))


def test_res_03_index_chooses_a_value(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, indexes=[2]).indexes == [2]


def test_res_04_type_chooses_a_value_in_any_case(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, types=["url"]).indexes == [1]


def test_res_05_indexes_and_types_choose_together(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, indexes=[2], types=["URL"]).indexes == [1, 2]


def test_res_06_beginning_of_a_type_chooses_nothing(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, types=["HS_"]).code == 200


def test_res_07_type_with_a_dot_chooses_its_family(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, types=["URL."]).indexes == [1]
    name = "86.1000/RES-07"
    create(handle_node, name, value(1), value(2, "URL.X"), value(3, "URLX"))
    assert resolved(handle_node, name, types=["url."]).indexes == [1, 2]


def test_res_08_missing_index_finds_no_value(handle_node: HandleNode) -> None:
    reply = resolved(handle_node, ABC, indexes=[9])
    assert (reply.code, reply.body) == (200, bytes(4))


def test_res_09_unknown_handle_is_not_found(handle_node: HandleNode) -> None:
    assert resolved(handle_node, "86.1000/UNKNOWN").code == 100


def test_res_10_foreign_prefix_is_not_here(handle_node: HandleNode) -> None:
    reply = resolved(handle_node, "99.9/x")
    assert (reply.code, reply.text) == (301, "That prefix doesn't live here")


def test_res_11_empty_handle_is_not_found(handle_node: HandleNode) -> None:
    assert resolved(handle_node, "").code == 100


def test_res_12_slash_alone_is_not_here(handle_node: HandleNode) -> None:
    assert resolved(handle_node, "/").code == 301
    assert resolved(handle_node, "/abc").code == 301


def test_res_13_handle_of_3000_bytes_is_not_found(handle_node: HandleNode) -> None:
    assert resolved(handle_node, "86.1000/" + "x" * 2_992).code == 100


def test_res_14_handle_that_is_not_utf_8_is_not_found(handle_node: HandleNode) -> None:
    assert resolved(handle_node, b"86.1000/\xff\xfe").code == 100


def test_res_15_protected_value_is_not_there_for_the_public(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ADMIN, indexes=[300]).code == 200


def test_res_16_administrators_value_is_challenged_and_then_shown(handle_node: HandleNode) -> None:
    name = "86.1000/RES-16"
    create(handle_node, name, value(7, "DESC", b"inside", permissions=PROTECTED))
    for body in (asking(name, [7]), asking(name)):
        with handle_node.tcp() as connection:
            reply = carried_out(connection, RESOLVE, body)
        assert reply.code == 1
        assert (7, "DESC", b"inside") in [
            (i, kind, data) for i, _, _, kind, data in values_of(reply.body)
        ]


def test_res_17_value_that_nobody_may_read_is_refused(handle_node: HandleNode) -> None:
    name = "86.1000/RES-17"
    create(handle_node, name, value(7, "DESC", b"hidden", permissions=0x04))
    assert resolved(handle_node, name, indexes=[7], flags=0x1000_0000).code == 401
    assert resolved(handle_node, name, indexes=[7], flags=PUBLIC).code == 200


def test_res_18_sixty_thousand_indexes_are_answered(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, indexes=range(2, 60_002)).indexes == [2, 100]


@pytest.mark.parametrize("count", [0x7FFF_FFFF, 0xFFFF_FFFF, 0x4000_0000])
def test_res_19_res_20_index_count_beyond_the_body_is_a_protocol_error(
    handle_node: HandleNode, count: int
) -> None:
    body = text(ABC) + struct.pack(">I", count) + bytes(8)
    assert Reply(handle_node.ask(request(1, body, flags=PUBLIC))).code == 4


def test_res_21_handle_length_beyond_the_body_is_a_protocol_error(handle_node: HandleNode) -> None:
    for length in (0xFFFF_FFFF, 0x7FFF_FFFF, 40):
        body = struct.pack(">I", length) + ABC.encode() + bytes(8)
        assert Reply(handle_node.ask(request(1, body, flags=PUBLIC))).code == 4


def test_res_22_bytes_after_the_last_field_are_ignored(handle_node: HandleNode) -> None:
    body = text(ABC) + bytes(8) + b"7 bytes"
    assert Reply(handle_node.ask(request(1, body, flags=PUBLIC))).indexes == [1, 2, 100]


def test_res_23_empty_type_chooses_nothing(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, types=[""]).code == 200


def test_res_24_index_asked_for_a_thousand_times_is_answered_once(handle_node: HandleNode) -> None:
    assert resolved(handle_node, ABC, indexes=[2] * 1_000).indexes == [2]


def test_res_25_only_ascii_letters_fold(handle_node: HandleNode) -> None:
    create(handle_node, "86.1000/RES-25-é", value(1, "DESC", b"small"))
    assert resolved(handle_node, "86.1000/res-25-é").code == 1
    assert resolved(handle_node, "86.1000/RES-25-É").code == 100
    create(handle_node, "86.1000/RES-25-É", value(1, "DESC", b"large"))
    reply = resolved(handle_node, "86.1000/RES-25-É", indexes=[1])
    assert values_of(reply.body)[0][4] == b"large"


def test_res_26_site_information_parses_to_its_end(handle_node: HandleNode) -> None:
    reply = Reply(handle_node.ask(request(2, text("/"))))
    assert reply.code == 1
    site = Site.decode(reply.body)
    assert site.encode() == reply.body
    assert site.is_primary


def test_res_27_2048_values_come_in_one_message(handle_node: HandleNode) -> None:
    name = "86.1000/RES-27"
    values = [value(index, "DESC", b"x") for index in range(1, 2_049) if index != 100]
    create(handle_node, name, *values)
    reply = resolved(handle_node, name)
    assert reply.code == 1
    assert reply.indexes == list(range(1, 2_049))
    assert envelope_of(reply.raw).sequence == 0


def test_res_28_handle_of_the_prefix_holds_one_site(handle_node: HandleNode) -> None:
    reply = resolved(handle_node, "0.NA/86.1000", types=["HS_SITE", "HS_SERV"])
    site = Reply(handle_node.ask(request(2, text("/")))).body
    assert [(kind, data) for _, _, _, kind, data in values_of(reply.body)] == [("HS_SITE", site)]
