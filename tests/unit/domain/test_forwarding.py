"""Addresses that may be followed say one host to every reader, and a rule must name it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.forwarding import NOWHERE, parse_mailbox, parse_rules, parse_target
from node.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("https://example.org/abc", "https://example.org/abc"),
        ("https://example.org", "https://example.org"),
        ("HTTPS://Example.ORG:443/A?b=C#d", "https://example.org/A?b=C#d"),
        ("http://example.org:8080/", "http://example.org:8080/"),
        ("https://例子.cn/产品?q=镨", "https://xn--fsqu00a.cn/%E4%BA%A7%E5%93%81?q=%E9%95%A8"),
        ("https://example.org/a b%20c", "https://example.org/a%20b%20c"),
        ('https://example.org/"><script>', "https://example.org/%22%3E%3Cscript%3E"),
        ("https://192.0.2.7/x", "https://192.0.2.7/x"),
        ("https://example.org?x", "https://example.org?x"),
        ("https://example.org/\\@evil.test", "https://example.org/%5C@evil.test"),
    ],
)
def test_addresses_are_written_as_a_header_takes_them(text: str, uri: str) -> None:
    assert parse_target(text).uri == uri


HOSTILE = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://example.org/",
    "//evil.test/",
    "///evil.test/",
    "/\\evil.test",
    "https:evil.test",
    "https:/evil.test",
    "https:///evil.test",
    "https:\\\\evil.test",
    "https://",
    "https://example.org@evil.test/",
    "https://example.org:443@evil.test/",
    "https://user:password@example.org/",
    "https://evil.test\\@example.org/",
    "https://evil.test\\.example.org/",
    "https://example.org\r\nSet-Cookie: a=b",
    "https://example.org/\r\nLocation: https://evil.test",
    "https://example.org/\n",
    "\thttps://example.org/",
    " https://example.org/",
    "ht\ntps://example.org/",
    "https://exa\u00admple.org.\u200bevil.test/",
    "https://example.org/\u202egnp.exe",
    "https://example.org\u2100.evil.test/",
    "https://example.org\uff0f.evil.test/",
    "https://example.org%2f.evil.test/",
    "https://example.org%00.evil.test/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://017700000001/",
    "https://256.1.1.1/",
    "https://example.org:0/",
    "https://example.org:99999/",
    "https://example.org:4 43/",
    "https://example.org:443:80/",
    "https://-example.org/",
    "https://example..org/",
    "https://example.org./",
    "https://" + "a" * 64 + "." * 2 + "org/",
    "https://" + ".".join(["a" * 60] * 5) + "/",
    "https://example.org/" + "a" * 5000,
    "https://exam ple.org/",
    "https://example.org\ud800/",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_readers_of_addresses_differ_about_is_no_target(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_target(text)
    assert refused.value.code == "address"


@given(
    st.text(max_size=60)
    | st.text(alphabet="htps:/\\@.#?%&[]0123456789exampl.org\r\n\t ", max_size=60)
)
def test_any_text_is_refused_or_fits_a_header(text: str) -> None:
    for address in (text, "https://" + text, "https://example.org/" + text):
        try:
            target = parse_target(address)
        except InvalidInput:
            continue
        assert re.fullmatch(r"https?://[a-z0-9.\-]+(:[0-9]+)?([/?#][!-~]*)?", target.uri)
        assert not set(target.uri) & set('"<>\\^`{|}')
        assert target.uri.startswith(f"{target.scheme}://{target.host}")


def test_mailboxes() -> None:
    target = parse_mailbox("Admin+x@Example.org")
    assert (target.uri, target.host) == ("mailto:Admin+x@Example.org", "example.org")
    assert parse_mailbox("a%b&c=d?e@example.org").uri == "mailto:a%25b%26c%3Dd%3Fe@example.org"


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@", "@b", "a@b@c", "a b@c", "a@b?subject=x", "a@b\r\nBcc: c@d", "a@\u212a.org"],
)
def test_what_is_no_plain_mailbox_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_mailbox(text)


@pytest.mark.parametrize(
    ("rule", "address", "is_admitted"),
    [
        ("example.org", "https://example.org/a", True),
        ("example.org", "https://EXAMPLE.org:443/a", True),
        ("example.org", "http://example.org/a", False),
        ("example.org", "https://example.org:8443/a", False),
        ("example.org", "https://www.example.org/", False),
        ("example.org", "https://badexample.org/", False),
        ("example.org", "https://example.org.evil.test/", False),
        ("example.org:8443", "https://example.org:8443/", True),
        ("http://example.org", "http://example.org/", True),
        ("http://example.org", "https://example.org/", False),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://badexample.org/", False),
        ("86.1000=example.org", "https://example.org/", True),
        ("86.1001=example.org", "https://example.org/", False),
        ("example.org", "mailto", True),
    ],
)
def test_rules_name_the_host(rule: str, address: str, is_admitted: bool) -> None:
    target = parse_mailbox("a@example.org") if address == "mailto" else parse_target(address)
    assert parse_rules([rule]).admit("86.1000", target) is is_admitted


def test_nowhere_is_where_people_are_sent_by_default() -> None:
    assert not NOWHERE.admit("86.1000", parse_target("https://example.org/"))


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "*",
        "*.",
        "https://",
        "example.org/path",
        "ftp://example.org",
        "a@b",
        "a:99999",
        "例子.cn",
    ],
)
def test_rules_that_mean_nothing_are_refused(rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_rules([rule])
    assert refused.value.code == "forwarding_rule"
