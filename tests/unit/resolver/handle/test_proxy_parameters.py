"""The query of the proxy: read once, bounded, and never a way to another host."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidInput
from resolver.handle.proxy_parameters import MAX_PARAMETERS, Parameters, read_parameters


def test_both_separators_and_repetition() -> None:
    read = read_parameters(b"noredirect;type=URL&type=EMAIL;index=1&index=2&locatt=id:0")
    assert read == Parameters(
        is_any=True,
        redirects=False,
        types=("URL", "EMAIL"),
        indexes=(1, 2),
        attributes=(("id", "0"),),
        query="noredirect;type=URL&type=EMAIL;index=1&index=2&locatt=id:0",
    )


def test_values_are_decoded_once_and_a_plus_stays() -> None:
    read = read_parameters(b"urlappend=%3Fa%3D1+b%2520&locatt=id%3Aa%3Ab")
    assert (read.append, read.attributes) == ("?a=1+b%20", (("id", "a:b"),))


@pytest.mark.parametrize(
    ("query", "redirects", "action"),
    [
        (b"action=showurls", True, "showurls"),
        (b"action=SHOWVALUES", False, "showvalues"),
        (b"action=other", True, "other"),
        (b"noredirect=false", False, ""),
    ],
)
def test_actions(query: bytes, redirects: bool, action: str) -> None:
    read = read_parameters(query)
    assert (read.redirects, read.action) == (redirects, action)


def test_metadata_is_an_attribute_asked_for() -> None:
    assert read_parameters(b"action=metadata").attributes == (("role", "metadata"),)


def test_circumstances() -> None:
    read = read_parameters(b"country=cn&ip=2001%3Adb8%3A%3A1&ignore_aliases")
    assert (read.country, read.address, read.follows_aliases) == (
        "cn",
        ip_address("2001:db8::1"),
        False,
    )


@pytest.mark.parametrize("query", [b"auth", b"cert=1", b"auth&cert"])
def test_authority_changes_nothing_but_that_something_was_asked(query: bytes) -> None:
    assert read_parameters(query) == Parameters(is_any=True, query=query.decode())


@pytest.mark.parametrize("query", [b"", b"utm=1", b"&;&", b"Type=URL"])
def test_other_queries_ask_nothing_of_the_proxy(query: bytes) -> None:
    assert not read_parameters(query).is_any


@pytest.mark.parametrize(
    "query",
    [
        b"index=-1",
        b"index=",
        b"index=1e3",
        b"index=%D9%A1",
        b"type=%ff",
        b"%c0%af=1",
        b"ip=1.2.3",
        b"ip=x",
        b"urlappend=%0d%0aSet-Cookie:a",
        b"urlappend=%00",
        b"urlappend=%E2%80%AE",
        b";".join([b"type=a"] * (MAX_PARAMETERS + 1)),
    ],
)
def test_hostile_queries_are_refused(query: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_parameters(query)
    assert refused.value.code == "parameters"


@given(st.binary(max_size=100))
def test_any_query_is_refused_or_fit_to_be_sent_on(query: bytes) -> None:
    try:
        sent = read_parameters(query).query
    except InvalidInput:
        return
    assert sent.isascii()
    assert sent.isprintable()
    assert not set(sent) & set(' "<>\\^`{|}#')
