"""Anything scanned or typed becomes one identifier, or one reason why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.domain.identifiers import (
    SCHEMES,
    Recognition,
    Scheme,
    explain_note,
    parse_handle,
    recognise,
    recognise_exact,
)
from node.domain.identifiers.scheme import CODES, MAX_SCANNED_CHARACTERS, NOTES
from node.errors import MalformedIdentifier

_T = TypeVar("_T")
BATCH = "88.888.1502/PNX3X1-260415-0042P"


@pytest.mark.parametrize(
    ("text", "key", "carrier"),
    [
        (BATCH, BATCH, "text"),
        (f"  {BATCH}\r\n", BATCH, "text"),
        (BATCH.lower(), BATCH, "text"),
        (f"/{BATCH}", BATCH, "text"),
        (f"hdl:{BATCH}", BATCH, "text"),
        (f"info:hdl/{BATCH}", BATCH, "text"),
        (f"urn:hdl:{BATCH}", BATCH, "text"),
        ("88.888.1502%2FPNX3X1-260415-0042P", BATCH, "text"),
        (f"https://id.example.cn/{BATCH}", BATCH, "url"),
        (f"HTTPS://ID.EXAMPLE.CN/H/{BATCH}", BATCH, "url"),
        (f"https://id.example.cn/id/{BATCH}?lang=en#x", BATCH, "url"),
        (f"https://hdl.example.net/api/handles/{BATCH}", BATCH, "url"),
        ("https://id.example.cn/id/88.888.1502%2FPNX3X1-260415-0042P", BATCH, "url"),
        ("https://hdl.example.net/h/4263537/4000", "4263537/4000", "url"),
        ("https://id.example.cn/88.1.1/A%2520B", "88.1.1/A%20B", "url"),
        ("https://id.example.cn/id/urn:oid:1.2.156.9999", "oid:1.2.156.9999", "url"),
        ("https://www.iotroot.com/E=1009612345", "ecode:1009612345", "url"),
        ("88.1.1/50%25", "88.1.1/50%25", "text"),
        ("88.1.1/稀土-01", "88.1.1/稀土-01", "text"),
        ("ecode:400001a%2Fb", "ecode:400001a%2Fb", "text"),
        (
            "88.1.1/A?q=https%3A%2F%2Fh%2F86.1.1%2FB",
            "88.1.1/A?Q=HTTPS%3A%2F%2FH%2F86.1.1%2FB",
            "text",
        ),
        ("88.1.1/i\u0307", "88.1.1/\u0130", "text"),
        ("88.1.1%2FA", "88.1.1/A", "text"),
        ("https%3A%2F%2Fh.example.cn%2F88.1.1%2FA", "88.1.1/A", "url"),
        ("ecode%3A300121ABC", "ecode:300121ABC", "text"),
        ("300121ABCabc123", "ecode:300121ABCabc123", "text"),
        ("400001稀土/01", "ecode:400001稀土/01", "text"),
        ("ECODE:300121ABC", "ecode:300121ABC", "text"),
        ("URN:OID:1.2.156.9999", "oid:1.2.156.9999", "text"),
        ("1.2.156.9999.100.1", "oid:1.2.156.9999.100.1", "text"),
        ("/Joint-ISO-ITU-T/中国/稀土", "oid:/2/中国/稀土", "text"),
        ("6901234567892", "gs1:/01/06901234567892", "text"),
        ("01/09520123456788", "gs1:/01/09520123456788", "text"),
        ("(10)A/1(01)09520123456788", "gs1:/01/09520123456788/10/A%2F1", "gs1"),
        ("15NVAA08810012345678ABC", "88.100.12345678/ABC", "15N"),
        ("vaa:VAA08810012345678/ABC", "88.100.12345678/ABC", "text"),
        ("]d1[)>\x1e06\x1d15NVAA08810012345678ABC\x1e\x04", "88.100.12345678/ABC", "15434"),
        ("[)>\x1e06\x1d34LHTTPS://X.CN/88.1.1/A?S=\x1d1TL1\x1e\x04", "88.1.1/A", "15434"),
    ],
)
def test_text_is_recognised(text: str, key: str, carrier: str) -> None:
    found = recognise(text)
    assert (found.identifier.key, found.carrier, found.scanned) == (key, carrier, text)
    assert recognise(found.identifier.key).identifier == found.identifier
    scheme = SCHEMES[found.identifier.scheme]
    assert scheme.parse(scheme.display(found.identifier)) == found.identifier


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \u3000 ", "empty"),
        ("]d1", "empty"),
        ("稀土", "unknown"),
        ("hello", "unknown"),
        ("01/x", "format"),
        ("hdl:01/x", "prefix"),
        ("hdl:VAA0/x", "prefix"),
        ("123", "unknown"),
        ("88.888.1502", "suffix"),
        ("88.888.1502/", "suffix"),
        ("87.1.2", "root-arc"),
        ("10096-12345", "charset"),
        ("000016901234567890", "check"),
        ("https://example.cn/", "no-identifier"),
        ("https://example.cn/id/", "no-identifier"),
        ("https://example.cn/products/7", "no-identifier"),
        ("https://example.cn/88.1.1/%FF", "charset"),
        ("88.1.1%2F%FF", "charset"),
        ("]d2(01", "unknown"),
        ("(01)09520123456788(01)09520123456788", "ambiguous"),
        ("(17)261231", "no-identifier"),
        ("８８.888.1502/A", "look-alike"),
        ("A" * (MAX_SCANNED_CHARACTERS + 1), "length"),
    ],
)
def test_unreadable_text_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(MalformedIdentifier) as caught:
        recognise(text)
    assert caught.value.code == code


def test_digits_that_fit_two_schemes_are_ambiguous() -> None:
    # Thirteen digits with a good GTIN check digit that also read as Ecode V=1 (NSI 2345).
    with pytest.raises(MalformedIdentifier) as caught:
        recognise("1234567890128")
    assert caught.value.code == "ambiguous"
    assert caught.value.problems[0].suggestion == "ecode:1234567890128"
    assert recognise("gs1:/01/1234567890128").identifier.key == "gs1:/01/01234567890128"


def test_case_is_kept_on_request_and_folding_is_noted() -> None:
    text = "VAA08810012345678/abc"
    assert recognise_exact(text).identifier.key == "88.100.12345678/abc"
    folded = recognise(text)
    assert folded.identifier.key == "88.100.12345678/ABC"
    assert folded.notes == ("case-folded",)


def test_composed_form_and_padding_are_noted() -> None:
    assert recognise("88.1.1/E\u0301").notes == ("normalized",)
    assert recognise("6901234567892").notes == ("gtin-padded",)
    assert recognise("06901234567892").notes == ()
    assert recognise("https://h.example.cn/id/ecode:1999912345").notes == ("nsi-unknown",)


def test_every_note_is_explained_in_both_languages() -> None:
    for code in NOTES:
        zh, en = explain_note(f"{code}:x")
        assert zh.endswith("(x)")
        assert en.endswith("(x)")
    assert explain_note("wechat") == NOTES["wechat"]


@pytest.mark.parametrize(
    "text",
    [
        "A" * 100_000,
        "/" * 100_000,
        "%2F" * 2_700,
        "https://" + "a/" * 4_000,
        "https://h/" + "?E=" * 2_700,
        "(01)" * 2_000,
        "(" * 8_000,
        "[)>\x1e06\x1d" + "1T\x1d" * 2_700,
        "1." * 4_000,
        "4" + "0" * 8_000,
        "\x1d" * 8_000,
        "88." * 2_700 + "/A",
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    # Quadratic work on any of these would hold the suite up for minutes.
    with pytest.raises(MalformedIdentifier):
        recognise(text)


_PIECES = st.sampled_from(
    [
        "88.888.1502/", "86.1/", "0.NA/", "VAA088", "15N", "ecode:", "oid:", "urn:oid:", "gs1:",
        "/01/", "/10/", "(01)", "]d2", "]Q1", "[)>\x1e06\x1d", "\x1d", "\x1e\x04", "https://h/",
        "?E=", "q=https%3A%2F%2F", "%2F", "%", "1.2.156.", "300121", "400001", "xn--", "土", "а",
        "é", "e\u0301", "\u202e", "\ud800", "０", " ", "O", "0", "6901234567892", "/id/", "-",
    ]
)  # fmt: skip
_TEXT = st.one_of(st.text(), st.lists(_PIECES | st.text(max_size=3), max_size=8).map("".join))


def attempt(read: Callable[[str], _T], text: str) -> _T | MalformedIdentifier:
    """Return what was read or the one error a reader may raise; anything else fails the test."""
    try:
        return read(text)
    except MalformedIdentifier as error:
        return error


@settings(max_examples=600, deadline=None)
@given(text=_TEXT)
@pytest.mark.parametrize("read", [recognise, recognise_exact])
def test_recognition_is_stable_and_raises_one_family(
    read: Callable[[str], Recognition], text: str
) -> None:
    found = attempt(read, text)
    if isinstance(found, MalformedIdentifier):
        assert found.code in CODES
        return
    assert read(found.identifier.key).identifier == found.identifier
    for note in found.notes:
        explain_note(note)


@settings(max_examples=300, deadline=None)
@given(text=_TEXT)
@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_what_a_scheme_displays_it_parses(scheme: Scheme, text: str) -> None:
    found = attempt(scheme.parse, text)
    if isinstance(found, MalformedIdentifier):
        assert found.code in CODES
        return
    assert found.scheme == scheme.name
    assert scheme.parse(scheme.display(found)) == found


_PREFIXES = st.from_regex(r"8[68](\.[0-9]{1,8}){1,3}", fullmatch=True)


@given(prefix=_PREFIXES, suffix=st.text(min_size=1, max_size=40))
def test_every_accepted_handle_is_found_again_by_its_key(prefix: str, suffix: str) -> None:
    found = attempt(parse_handle, f"{prefix}/{suffix}")
    if not isinstance(found, MalformedIdentifier):
        assert parse_handle(found.key) == found
        assert recognise(found.key).identifier == found
