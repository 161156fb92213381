"""URLs mean what they say, whatever is in them, and outcomes become the right replies."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.forwarding import NOWHERE
from node.domain.identifiers import recognise
from node.errors import IntegrityFailure, Overloaded, Unavailable, XibiaoError
from resolver.handle.proxy import Proxy
from resolver.http_faces import Face, Faces, Question, reply_to
from resolver.http_replies import Reply, RequestHead, make_reply, options_reply, write_out
from resolver.rendering import resolution_of
from resolver.resolution import Answer
from tests.unit.resolver.fakes import disclosed, parse_handle, stored

FACES = Faces(
    parse_handle=parse_handle,
    recognise=lambda text: recognise(text).identifier,
    serves=lambda prefix: prefix.startswith("88."),
    proxy=Proxy(
        rules=NOWHERE,
        parse_handle=parse_handle,
        serves=lambda prefix: prefix.startswith("88."),
        clock=lambda: 0.0,
        draw=lambda: 0.0,
    ),
)
KEY = "88.888.1501/A"
ANSWER = Answer(KEY, resolution_of(disclosed(stored(KEY))))
DATE = b"Date: now\r\n"


def ask(url: bytes) -> Question:
    question = FACES.read(url)
    assert isinstance(question, Question)
    return question


def body(reply: object) -> dict[str, object]:
    assert isinstance(reply, Reply)
    decoded: dict[str, object] = msgspec.json.decode(reply.body)
    return decoded


@pytest.mark.parametrize(
    ("url", "face", "key"),
    [
        (b"/api/handles/88.888.1501/A", Face.HANDLE, KEY),
        (b"/api/handles/88.888.1501%2FA%2fB", Face.HANDLE, "88.888.1501/A/B"),
        (b"/88.888.1501/a/b", Face.SCAN, "88.888.1501/A/B"),
        (b"/88.888.1501%2Fa", Face.SCAN, KEY),
        (b"/id/88.888.1501/A", Face.SCAN, KEY),
        (b"/id/hdl:88.888.1501/A", Face.SCAN, KEY),
        (b"/88.888.1501/%25%34%31", Face.SCAN, "88.888.1501/%41"),
        (b"/88.888.1501/../../etc/passwd", Face.SCAN, "88.888.1501/../../ETC/PASSWD"),
        (b"http://node.example/88.888.1501/A", Face.SCAN, KEY),
        (b"/88.888.1501/A#part", Face.SCAN, KEY),
        ("/88.888.1501/净重".encode(), Face.SCAN, "88.888.1501/净重"),
    ],
)
def test_look_up_forms(url: bytes, face: Face, key: str) -> None:
    question = ask(url)
    assert (question.face, question.key) == (face, key)


@pytest.mark.parametrize(
    "url",
    [
        b"/",
        b"",
        b"*",
        b"/api/handles",
        b"/api/v1/identifiers",
        b"/log/tile/0/000",
        b"/console",
        b"/88.888.1501",
        b"/88.a/b",
        b"/.88/a",
        b"host:443",
        b"http://node.example",
    ],
)
def test_everything_else_is_no_look_up(url: bytes) -> None:
    assert FACES.read(url) is None


@pytest.mark.parametrize(
    "path",
    [
        b"%",
        b"%zz",
        b"%2",
        b"%ff",
        b"88.1/%00",
        b"88.1/%0d%0aSet-Cookie:x",
        b"88.1/%ed%a0%80",
        b"",
        b"..%2f..%2fetc",
        b"%E2%80%AE88.1/A",
    ],
)
def test_hostile_paths_are_400_on_every_face(path: bytes) -> None:
    for form in (b"/id/", b"/api/handles/"):
        reply = FACES.read(form + path)
        assert isinstance(reply, Reply)
        assert reply.status == 400
        assert body(reply)


def test_api_06_empty_handle() -> None:
    reply = FACES.read(b"/api/handles/")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (
        400,
        b'{"responseCode":102,"message":"Empty handle invalid","handle":""}',
    )


def test_api_05_foreign_prefix() -> None:
    reply = FACES.read(b"/api/handles/20.500/A")
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (
        400,
        b'{"responseCode":301,"message":"That prefix doesn\'t live here","handle":"20.500/A"}',
    )


@pytest.mark.parametrize(
    "url",
    [
        b"/api/handles/0.NA/88.888.1501",
        b"/api/handles/0.na%2f88.888.1501",
        b"/api/handles/?prefix=88.888.1501",
        b"/api/handles?prefix=88.888.1501",
        b"/api/handles/88.888.1501/A?publicOnly=false",
        b"/api/handles/88.888.1501/A?index=1&publicOnly=0",
    ],
)
def test_what_needs_credentials_or_is_derived_is_left_to_the_application(url: bytes) -> None:
    assert FACES.read(url) is None


@pytest.mark.parametrize("parameter", [b"", b"?publicOnly", b"?publicOnly=TRUE", b"?prefix=x"])
def test_public_reads_are_look_ups(parameter: bytes) -> None:
    assert isinstance(FACES.read(b"/api/handles/88.888.1501/A" + parameter), Question)


def test_handle_is_repeated_as_it_was_asked_for() -> None:
    question = ask(b"/api/handles/88.888.1501/a?type=XIBIAO_STATUS")
    assert question.key == KEY
    assert body(reply_to(question, ANSWER))["handle"] == "88.888.1501/a"
    assert body(reply_to(question, Answer(KEY, None)))["handle"] == "88.888.1501/a"


def test_api_02_absent_handle() -> None:
    reply = reply_to(ask(b"/api/handles/88.1/X"), Answer("88.1/X", None))
    assert (reply.status, reply.body) == (404, b'{"responseCode":100,"handle":"88.1/X"}')


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        (b"", [1900, 2000]),
        (b"?type=url", [2000]),
        (b"?index=1900&index=7", [1900]),
        (b"?type=XIBIAO_STATUS&index=2000", [1900, 2000]),
        (b"?publicOnly&auth&cert=1", [1900, 2000]),
    ],
)
def test_api_04_parameters_select_values(query: bytes, indexes: list[int]) -> None:
    shown = body(reply_to(ask(b"/api/handles/88.1/X" + query), ANSWER))
    assert [value["index"] for value in shown["values"]] == indexes  # type: ignore[attr-defined]


def test_api_03_unmatched_index_is_200_with_code_200() -> None:
    reply = reply_to(ask(b"/api/handles/88.1/X?index=9"), ANSWER)
    assert (reply.status, body(reply)["responseCode"], body(reply)["values"]) == (200, 200, [])


def test_api_07_callback_and_pretty() -> None:
    reply = reply_to(ask(b"/api/handles/88.1/X?callback=a.b&pretty"), ANSWER)
    assert reply.body.startswith(b'a_b({\n  "responseCode": 1')
    assert b"application/javascript" in reply.head


@pytest.mark.parametrize(
    "query",
    [
        b"index=x",
        b"index=-1",
        b"index=",
        b"index=1e3",
        b"index=%D9%A1",
        b"type=%ff",
        b"callback=" + b"a" * 200,
        b"&".join([b"type=a"] * 65),
    ],
)
def test_hostile_parameters_are_400(query: bytes) -> None:
    reply = FACES.read(b"/api/handles/88.1/X?" + query)
    assert isinstance(reply, Reply)
    assert (reply.status, body(reply)["responseCode"]) == (400, 4)


def test_absent_scan_names_what_to_do_in_both_languages() -> None:
    reply = reply_to(ask(b"/id/88.1/X"), Answer("88.1/X", None))
    shown = body(reply)
    assert (reply.status, shown["code"], shown["zh"]) == (
        404,
        "not_found",
        "未查询到该标识,请核对或联系供方",
    )
    assert b"application/problem+json" in reply.head
    assert b"no-store" in reply.head


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Overloaded(), 503, 3),
        (Unavailable(), 503, 3),
        (IntegrityFailure(), 500, 2),
        (XibiaoError(), 500, 2),
    ],
)
def test_errors_translate_on_both_faces(error: XibiaoError, status: int, code: int) -> None:
    scan = reply_to(ask(b"/id/88.1/X"), error)
    handle = reply_to(ask(b"/api/handles/88.1/X"), error)
    assert (scan.status, body(scan)["code"]) == (status, error.code)
    assert (handle.status, body(handle)["responseCode"]) == (status, code)
    assert (b"Retry-After" in scan.head) == (status == 503)


@given(st.binary(max_size=60), st.sampled_from([b"/id/", b"/api/handles/", b"/8.1/", b""]))
def test_any_bytes_make_a_question_or_a_4xx_reply(path: bytes, form: bytes) -> None:
    asked = FACES.read(form + path)
    if isinstance(asked, Reply):
        assert asked.status == 400
    elif asked is not None:
        assert reply_to(asked, Answer(asked.key, None)).status == 404


REPLY = make_reply(200, b"application/json", b"{}", entity_tag="abc")


def test_reply_to_head_has_the_same_fields_and_no_body() -> None:
    whole = write_out(REPLY, RequestHead(b"GET"), date_line=DATE, closes=False)
    head = write_out(REPLY, RequestHead(b"HEAD"), date_line=DATE, closes=False)
    assert whole == head + b"{}"
    assert b"Content-Length: 2\r\n" in head


@pytest.mark.parametrize("sent", [b'"abc"', b'W/"abc"', b'"x", "abc"', b"*", b" * "])
def test_known_entity_tag_is_304_without_body(sent: bytes) -> None:
    request = RequestHead(b"GET", none_match=sent)
    written = write_out(REPLY, request, date_line=DATE, closes=False)
    assert written == (
        b"HTTP/1.1 304 Not Modified\r\nDate: now\r\nCache-Control: no-cache\r\n"
        b'ETag: "abc"\r\nVary: Origin, Accept\r\n\r\n'
    )


@pytest.mark.parametrize("sent", [b'"abcd"', b"abc", b'"ab'])
def test_other_entity_tag_is_answered_in_full(sent: bytes) -> None:
    request = RequestHead(b"GET", none_match=sent)
    assert write_out(REPLY, request, date_line=DATE, closes=False).endswith(b"\r\n\r\n{}")


def test_origin_is_echoed_and_closing_is_announced() -> None:
    request = RequestHead(b"GET", origin=b"https://a.example")
    written = write_out(REPLY, request, date_line=DATE, closes=True)
    assert b"Access-Control-Allow-Origin: https://a.example\r\nConnection: close\r\n" in written


def test_options_tells_methods_and_headers() -> None:
    reply = options_reply()
    assert reply.status == 204
    assert b"Access-Control-Max-Age: 86400" in reply.head
