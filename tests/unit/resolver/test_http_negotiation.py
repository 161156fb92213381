"""Accept and Accept-Language: who is a browser, who wants JSON, and junk that says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolver.http_negotiation import (
    PLAIN_ACCEPT,
    Form,
    attributes_of,
    read_ranges,
    wanted_form,
)

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (b"", Form.ANY),
        (b"*/*", Form.ANY),
        (b"image/*", Form.ANY),
        (b"text/html;q=0", Form.ANY),
        (BROWSER, Form.PAGE),
        (b"TEXT/HTML", Form.PAGE),
        (b"text/*;q=0.1", Form.PAGE),
        (b"application/json", Form.JSON),
        (b"application/problem+json", Form.JSON),
        (b"application/json, text/html;q=0.9", Form.JSON),
        (b"application/json;q=0.5, text/html", Form.PAGE),
        (b"application/json, text/html", Form.PAGE),
        (b"application/json, */*", Form.JSON),
        (b"text/html;q=nan", Form.ANY),
        (b"text/html;q=-1,application/json;q=1e9", Form.ANY),
    ],
)
def test_form_wanted(accept: bytes, form: Form) -> None:
    assert wanted_form(accept) is form


def test_fields_that_say_nothing_never_want_a_page() -> None:
    assert Form.PAGE not in {wanted_form(accept) for accept in PLAIN_ACCEPT}


@pytest.mark.parametrize(
    ("accept", "languages", "attributes"),
    [
        (b"", b"", [("http_role", "no_conneg")]),
        (b"*/*", b"zh-CN,en;q=0.5", [
            ("http_role", "no_conneg"),
            ("language", "zh-cn"),
            ("language", "zh"),
            ("language", "en"),
        ]),
        (BROWSER, b"", [("http_role", "browser"), ("ctype", "text/html")]),
        (b"text/turtle, text/html;q=0.5, */*;q=0.1", b"", [
            ("ctype", "text/turtle"),
            ("ctype", "text/html"),
            ("http_role", "conneg"),
        ]),
    ],
)  # fmt: skip
def test_attributes_of_a_place_that_suits(
    accept: bytes, languages: bytes, attributes: list[tuple[str, str]]
) -> None:
    assert attributes_of(accept, languages) == attributes


def test_ranges_are_bounded_and_sorted() -> None:
    assert read_ranges(b"a;q=0.1, b, c;q=0.5") == [("b", 1.0), ("c", 0.5), ("a", 0.1)]
    assert len(read_ranges(b"a," * 10_000)) <= 32


@given(st.binary(max_size=200))
def test_any_bytes_have_a_form(field: bytes) -> None:
    assert wanted_form(field) in Form
    attributes_of(field, field)
