"""Where the proxy sends people, what it shows instead, and what never reaches a header."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from random import Random
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.forwarding import NOWHERE, ForwardingRules, parse_rules
from node.domain.handle_value import HandleValue
from node.domain.identifiers import parse_handle
from node.errors import InvalidInput
from resolver.handle.proxy import MAX_ALIASES, Onward, Proxy
from resolver.handle.proxy_parameters import read_parameters
from resolver.http_negotiation import wanted_form
from resolver.http_replies import Reply, RequestHead
from resolver.resolution import Resolution
from tests.unit.domain.test_forwarding import HOSTILE
from tests.unit.resolver.handle.resolutions import (
    KEY,
    batch_record,
    handle_record,
    url,
    value,
)

NOW = 1_700_000_000.0
EXAMPLE = parse_rules(["example.org", "*.example.org"])
BROWSER = b"text/html,application/xhtml+xml,*/*;q=0.8"
HERE = "https://example.org/abc"


def proxy(rules: ForwardingRules = EXAMPLE, *, public_url: str = "") -> Proxy:
    return Proxy(
        rules=rules,
        parse_handle=parse_handle,
        serves=lambda prefix: prefix in ("86.1000", "88.111.1"),
        clock=lambda: NOW,
        draw=Random(1).random,
        public_url=public_url,
    )


def step(
    resolution: Resolution | None,
    query: bytes = b"",
    *,
    rules: ForwardingRules = EXAMPLE,
    accept: bytes = b"",
    languages: bytes = b"",
    trail: tuple[str, ...] = (),
    key: str = KEY,
) -> Reply | Onward:
    request = RequestHead(b"GET", accept=accept, languages=languages, form=wanted_form(accept))
    return proxy(rules).answer(
        key, resolution, parameters=read_parameters(query), request=request, trail=trail
    )


def ask(resolution: Resolution | None, query: bytes = b"", **more: object) -> Reply:
    reply = step(resolution, query, **more)  # type: ignore[arg-type]
    assert isinstance(reply, Reply)
    return reply


def fields(reply: Reply) -> dict[str, str]:
    """Return the header fields; a field given twice is joined, as RFC 9110 §5.3 does."""
    lines = reply.head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    found: dict[str, str] = {}
    for line in lines:
        name, colon, text = line.partition(": ")
        assert colon, line
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def location(reply: Reply) -> str:
    return fields(reply).get("Location", "")


def test_prx_01_url_is_a_302_with_expires_by_its_ttl() -> None:
    reply = ask(handle_record(url(HERE), value(2, "EMAIL", "a@example.org")))
    assert (reply.status, location(reply)) == (302, HERE)
    assert parsedate_to_datetime(fields(reply)["Expires"]).timestamp() == NOW + 86_400
    assert b"https://example.org/abc" in reply.body


def test_expires_of_an_absolute_ttl_is_that_moment() -> None:
    ends = HandleValue(1, "URL", HERE.encode(), 1_800_000_000, is_ttl_absolute=True)
    reply = ask(handle_record(ends))
    assert parsedate_to_datetime(fields(reply)["Expires"]).timestamp() == 1_800_000_000


def test_mailbox_is_taken_when_there_is_no_page() -> None:
    reply = ask(handle_record(value(2, "EMAIL", "a@example.org")))
    assert (reply.status, location(reply)) == (302, "mailto:a@example.org")


@pytest.mark.parametrize("query", [b"noredirect", b"action=showvalues", b"noredirect&urlappend=x"])
def test_prx_02_values_are_shown_escaped_on_request(query: bytes) -> None:
    reply = ask(handle_record(url(HERE), value(2, "DESC", "<script>alert('1')</script>")), query)
    assert (reply.status, location(reply)) == (200, "")
    assert b"&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;" in reply.body
    assert b"<script" not in reply.body


def test_prx_03_places_are_listed_as_xml() -> None:
    places = '<locations><location id="0" href="https://a.example/?a=1&amp;b=2"/></locations>'
    reply = ask(
        handle_record(url("javascript:alert(1)\"'<>"), value(3, "10320/loc", places)),
        b"action=showurls",
    )
    assert fields(reply)["Content-Type"].startswith("text/xml")
    seen = elements(reply.body)
    assert [name for name, _ in seen] == ["locations", "location", "location"]
    assert seen[1][1] == {"id": "0", "href": "https://a.example/?a=1&b=2"}
    assert seen[2][1] == {"href": "javascript:alert(1)\"'<>", "weight": "0", "mode": "legacy"}


def elements(document: bytes) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: found.append((name, attributes))
    parser.Parse(document, True)
    return found


def test_prx_04_decoded_text_is_appended() -> None:
    assert location(ask(handle_record(url(HERE)), b"urlappend=%3Fa%3D1")) == HERE + "?a=1"


@pytest.mark.parametrize(
    ("stored", "append"),
    [
        ("https://example.org", ".evil.test"),
        ("https://example.org", "@evil.test"),
        ("https://example.org", ":8443"),
        ("https://example.org", "%5C@evil.test"),
        ("https://example", ".org"),
    ],
)
@pytest.mark.parametrize("rules", [NOWHERE, EXAMPLE])
def test_what_is_appended_cannot_change_the_host(
    stored: str, append: str, rules: ForwardingRules
) -> None:
    reply = ask(handle_record(url(stored)), b"urlappend=" + append.encode(), rules=rules)
    assert (reply.status, location(reply)) == (400, "")
    assert b"evil.test" not in reply.body


LOCATIONS = """<locations>
<location id="0" href="https://zero.example.org/" weight="0"/>
<location id="1" href="https://one.example.org/" weight="1" http_sc="303"/>
<location id="2" href="https://data.example.org/" weight="0" http_role="conneg" ctype="text/csv"/>
<location id="3" href="https://zh.example.org/" weight="0" language="zh"/>
</locations>"""
LISTED = handle_record(value(1, "10320/loc", LOCATIONS, ttl=60), url(HERE, 2))


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (b"locatt=id:0", "https://zero.example.org/"),
        (b"locatt=foo:bar", "https://one.example.org/"),
        (b"locatt=mode:legacy", HERE),
        (b"", "https://one.example.org/"),
    ],
)
def test_prx_05_06_attribute_asked_for_picks_the_place(query: bytes, target: str) -> None:
    assert location(ask(LISTED, query)) == target


def test_prx_07_status_of_the_place_is_answered() -> None:
    assert ask(LISTED).status == 303


def test_accept_fields_pick_a_place_and_caches_are_told() -> None:
    csv = ask(LISTED, accept=b"text/csv, */*;q=0.1")
    assert location(csv) == "https://data.example.org/"
    assert fields(csv)["Vary"] == "Origin, Accept, Accept-Language"
    assert location(ask(LISTED, languages=b"zh-CN,en;q=0.5")) == "https://zh.example.org/"
    assert fields(ask(handle_record(url(HERE))))["Vary"] == "Origin, Accept"


def test_expires_is_that_of_the_value_that_was_taken() -> None:
    listed, legacy = ask(LISTED), ask(LISTED, b"locatt=mode:legacy")
    moments = [parsedate_to_datetime(fields(r)["Expires"]).timestamp() for r in (listed, legacy)]
    assert moments == [NOW + 60, NOW + 86_400]


@pytest.mark.parametrize(
    ("query", "status", "target"),
    [
        (b"type=EMAIL", 302, "mailto:a@example.org"),
        (b"index=3", 302, "https://example.org/three"),
        (b"type=url", 302, HERE),
        (b"type=DESC", 200, ""),
    ],
)
def test_only_values_asked_for_count(query: bytes, status: int, target: str) -> None:
    record = handle_record(
        url(HERE), value(2, "EMAIL", "a@example.org"), url("https://example.org/three", 3)
    )
    reply = ask(record, query)
    assert (reply.status, location(reply)) == (status, target)
    assert (b"No values found" in reply.body) == (query == b"type=DESC")


def alias(target: str, key: str = KEY) -> Resolution:
    return handle_record(value(1, "HS_ALIAS", target), url(HERE, 2), key=key)


def test_prx_08_alias_is_followed_and_then_moved_for_good() -> None:
    assert step(alias("86.1000/b")) == Onward("86.1000/B")
    end = ask(handle_record(url(HERE)), b"a=%3c&noredirect", trail=(KEY,), key="86.1000/B C")
    assert (end.status, location(end)) == (301, "/86.1000/B%20C?a=%3c&noredirect")


def test_prx_08_absent_end_of_an_alias_is_moved_to_all_the_same() -> None:
    reply = ask(None, trail=(KEY,), key="86.1000/GONE")
    assert (reply.status, location(reply)) == (301, "/86.1000/GONE")


def test_prx_08_loop_and_long_chain_are_404() -> None:
    assert ask(alias(KEY)).status == 404
    assert ask(alias(KEY, "86.1000/B"), trail=(KEY,), key="86.1000/B").status == 404
    names = tuple(f"86.1000/{n}" for n in range(MAX_ALIASES))
    assert isinstance(step(alias("86.1000/X"), trail=names[1:]), Onward)
    assert ask(alias("86.1000/X"), trail=names).status == 404


def test_alias_abroad_is_not_looked_up_here() -> None:
    reply = ask(alias("20.500/x?y"))
    assert (reply.status, location(reply)) == (301, "/20.500/X%3FY")
    assert location(ask(alias("TEST.1/X"))) == "/id/TEST.1/X"


def test_alias_is_ignored_on_request_and_when_it_is_no_identifier() -> None:
    assert location(ask(alias("86.1000/B"), b"ignore_aliases")) == HERE
    assert location(ask(alias("no identifier"))) == HERE


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("rules", [NOWHERE, EXAMPLE])
def test_prx_09_hostile_address_is_text_on_the_page_of_values(
    text: str, rules: ForwardingRules
) -> None:
    stored = text.encode("utf-8", "surrogatepass")
    record = handle_record(HandleValue(1, "URL", stored), value(2, "DESC", "x"))
    reply = ask(record, rules=rules)
    assert (reply.status, location(reply)) == (200, "")
    assert foreign_links(reply) == []


def test_prx_10_list_with_a_document_type_is_refused() -> None:
    bomb = '<!DOCTYPE l [<!ENTITY a "x">]><locations><location href="https://example.org/"/></locations>'
    assert location(ask(handle_record(value(1, "10320/loc", bomb)))) == ""
    assert location(ask(handle_record(value(1, "10320/LOC", bomb), url(HERE, 2)))) == HERE


@pytest.mark.parametrize(
    "stored", ["https://evil.test/x", "http://example.org/", "https://example.org:8443/"]
)
def test_host_without_a_rule_is_shown_and_not_followed(stored: str) -> None:
    reply = ask(handle_record(url(stored)), accept=BROWSER)
    assert (reply.status, location(reply)) == (200, "")
    assert foreign_links(reply) == [stored]
    assert b'rel="noopener noreferrer nofollow"' in reply.body
    assert ("未加密".encode() in reply.body) == stored.startswith("http:")


def test_nobody_is_sent_anywhere_by_default() -> None:
    for record in (handle_record(url(HERE)), LISTED, handle_record(value(1, "EMAIL", "a@b.c"))):
        reply = ask(record, rules=NOWHERE)
        assert (reply.status, location(reply)) == (200, "")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [text or "" for name, text in attrs if name in ("href", "src", "action")]


def links(reply: Reply) -> _Links:
    reader = _Links()
    reader.feed(reply.body.decode())
    return reader


def foreign_links(reply: Reply) -> list[str]:
    return [link for link in links(reply).found if not re.match(r"/[^/]", link)]


def test_batch_shows_its_attributes_and_is_never_a_redirect() -> None:
    reply = ask(batch_record(url(HERE, 2005)), accept=BROWSER, rules=EXAMPLE)
    text = reply.body.decode()
    assert (reply.status, location(reply)) == (200, "")
    for shown in ("氧化镨钕", "净重", "Net mass", "51.09</bdi> kg", "有效", "Active", "批次"):
        assert shown in text


@pytest.mark.parametrize(
    ("status", "zh", "en"),
    [("suspended", "已暂停", "Suspended"), ("revoked", "已撤销", "Revoked")],
)
def test_batch_that_is_not_valid_says_so_and_shows_nothing_else(
    status: str, zh: str, en: str
) -> None:
    text = ask(batch_record(status=status), accept=BROWSER).body.decode()
    assert zh in text
    assert en in text
    assert "氧化镨钕" not in text


def test_absent_is_404_and_a_foreign_prefix_400_in_both_languages() -> None:
    absent, foreign = ask(None, key="86.1000/<X>"), ask(None, key="20.500/X")
    assert (absent.status, foreign.status) == (404, 400)
    assert "未查询到".encode() in absent.body
    assert b"was not found" in absent.body
    assert b"86.1000/&lt;X&gt;" in absent.body


def test_pages_have_no_script_and_admit_none() -> None:
    for reply in (
        ask(LISTED, b"noredirect"),
        ask(None),
        ask(handle_record(url("https://x.test/"))),
    ):
        policy = fields(reply)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert fields(reply)["Referrer-Policy"] == "no-referrer"
        assert fields(reply)["Cache-Control"] == "no-store"
        assert not links(reply).tags & {"script", "img", "iframe", "form", "link", "object", "base"}


def test_invisible_and_long_text_is_written_out_and_cut() -> None:
    reply = ask(handle_record(value(1, "DESC", "a\u202eb\u200bc" + "d" * 5_000)), b"noredirect")
    text = reply.body.decode()
    assert "a⟨U+202E⟩b⟨U+200B⟩c" in text
    assert "+3005 字" in text
    assert len(text) < 20_000


def test_many_values_are_cut() -> None:
    record = handle_record(*(value(n, "DESC", "x") for n in range(1, 2001)))
    assert ask(record, b"noredirect").body.count(b"<tr>") == 301


def test_value_that_is_no_text_is_shown_in_its_json_form() -> None:
    record = handle_record(value(1, "BLOB", b"\x00\xff"), value(2, "HS_VLIST", bytes(4)))
    text = ask(record, b"noredirect").body.decode()
    assert "base64" in text
    assert "AP8=" in text


def test_public_address_begins_the_links_of_aliases() -> None:
    reply = proxy(public_url="https://id.example.cn").answer(
        "86.1000/B",
        None,
        parameters=read_parameters(b""),
        request=RequestHead(b"GET"),
        trail=(KEY,),
    )
    assert isinstance(reply, Reply)
    assert location(reply) == "https://id.example.cn/86.1000/B"


TYPES = st.sampled_from(["URL", "url", "EMAIL", "10320/loc", "HS_ALIAS", "DESC", "HS_ADMIN"])
TEXTS = (
    st.text(max_size=60)
    | st.builds("https://example.org{}".format, st.text(max_size=20))
    | st.builds('<locations><location href="{}"/></locations>'.format, st.text(max_size=40))
    | st.sampled_from(HOSTILE)
)
QUERIES = st.lists(
    st.sampled_from([b"noredirect", b"action=showurls", b"ignore_aliases", b"type=URL", b"index=2"])
    | st.binary(max_size=20).map(lambda raw: b"urlappend=" + raw)
    | st.binary(max_size=20).map(lambda raw: b"locatt=" + raw),
    max_size=3,
).map(b"&".join)


@given(st.lists(st.tuples(TYPES, TEXTS), max_size=5), QUERIES, st.binary(max_size=30))
def test_any_record_and_query_have_a_sound_reply(
    stored: list[tuple[str, str]], query: bytes, accept: bytes
) -> None:
    values = [
        HandleValue(n, kind, text.encode("utf-8", "surrogatepass"))
        for n, (kind, text) in enumerate(stored, 1)
    ]
    try:
        read_parameters(query)
    except InvalidInput:
        return
    reply = step(handle_record(*values), query, accept=accept)
    if isinstance(reply, Onward):
        return
    target = location(reply)
    assert reply.status in (200, 301, 302, 400, 404)
    assert bool(target) == (reply.status in (301, 302))
    assert re.fullmatch(r"|https://example\.org(?:[/?#][!-~]*)?|mailto:[!-~]+|/[!-~]+", target)
    assert not links(reply).tags & {"script", "img", "iframe", "form"}
