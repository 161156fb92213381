"""The redirect service of a running node, as browsers and programs meet it.

The node admits example.org and the hosts below it; nothing here follows a redirect.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from xml.parsers import expat

import httpx
import pytest

from node.domain.handle_value import HandleReference, HandleValue
from resolver.handle.codes import ResponseCode
from tests.conformance.conftest import HandleNode
from tests.handle_administrator import HandleAdministrator, SecretLogin
from tests.handle_register import ADMIN, SECRET, SECRET_INDEX

LOGIN = SecretLogin(HandleReference(ADMIN, SECRET_INDEX), SECRET)
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LOCATIONS = """<?xml version="1.0" encoding="UTF-8"?>
<locations chooseby="locatt,country,weighted">
  <location id="0" href="https://zero.example.org/" country="gb" weight="0" />
  <location id="1" href="https://one.example.org/" weight="1" http_sc="303" />
</locations>"""
BOMB = """<!DOCTYPE locations [<!ENTITY a "https://example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<locations><location href="&c;&c;&c;&c;"/><location href="https://example.org/bomb"/></locations>"""

Put = Callable[..., str]


@pytest.fixture(scope="session")
def put(handle_node: HandleNode) -> Put:
    """Create a record with these values of the given types, and return its handle."""
    administrator = HandleAdministrator(handle_node.tcp, LOGIN, seed=15)

    def create(handle: str, **values: str) -> str:
        listed = [
            HandleValue(index, kind.replace("LOC", "10320/loc"), data.encode())
            for index, (kind, data) in enumerate(values.items(), 1)
        ]
        assert administrator.create(handle, listed).code == ResponseCode.SUCCESS
        return handle

    return create


@pytest.fixture(scope="session")
def listed(put: Put) -> str:
    """A record with a 10320/loc value and an old URL."""
    return put("86.1000/PRX-LOC", LOC=LOCATIONS, URL="https://example.org/old")


def get(node: HandleNode, target: str, headers: dict[str, str] = BROWSER) -> httpx.Response:
    return httpx.get(f"{node.http}/{target}", headers=headers, follow_redirects=False)


@pytest.mark.parametrize("headers", [{}, BROWSER, {"Accept": "*/*"}])
def test_prx_01_url_is_a_302_with_expires(handle_node: HandleNode, headers: dict[str, str]) -> None:
    reply = get(handle_node, "86.1000/ABC", headers)
    assert (reply.status_code, reply.headers["location"]) == (302, "https://example.org/abc")
    assert "https://example.org/abc" in reply.text
    lifetime = parsedate_to_datetime(reply.headers["expires"]) - parsedate_to_datetime(
        reply.headers["date"]
    )
    assert abs(lifetime.total_seconds() - 86_400) <= 2


@pytest.mark.parametrize("spelling", ["hdl:", "doi:", "info:hdl/", "info:doi/", "urn:hdl:"])
def test_prx_01_spellings_of_a_handle_are_read(handle_node: HandleNode, spelling: str) -> None:
    assert get(handle_node, f"{spelling}86.1000/abc").status_code == 302


def test_prx_01_form_leads_to_the_same_place(handle_node: HandleNode) -> None:
    reply = httpx.post(f"{handle_node.http}/", content="hdl=86.1000%2FABC", headers=FORM)
    assert (reply.status_code, reply.headers["location"]) == (303, "/86.1000/ABC")


def test_prx_01_json_is_there_for_who_asks_for_it(handle_node: HandleNode) -> None:
    reply = get(handle_node, "86.1000/ABC", {"Accept": "application/json"})
    assert (reply.status_code, reply.json()["identifier"]) == (200, "86.1000/ABC")


def test_prx_02_noredirect_shows_the_values_escaped(handle_node: HandleNode, put: Put) -> None:
    handle = put("86.1000/PRX-ESC", URL="https://example.org/", DESC="<script>alert(1)</script>")
    reply = get(handle_node, f"{handle}?noredirect")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in reply.text
    assert "<script" not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_prx_02_type_without_a_value_is_a_page_that_says_so(handle_node: HandleNode) -> None:
    reply = get(handle_node, "86.1000/ABC?type=NOPE")
    assert (reply.status_code, "No values found" in reply.text) == (200, True)


def test_prx_02_absent_is_404_and_foreign_400(handle_node: HandleNode) -> None:
    absent, foreign = get(handle_node, "86.1000/PRX-NONE"), get(handle_node, "99.9/x")
    assert (absent.status_code, foreign.status_code) == (404, 400)
    assert "未查询到" in absent.text


def test_prx_03_showurls_is_xml(handle_node: HandleNode, listed: str) -> None:
    reply = get(handle_node, f"{listed}?action=showurls")
    assert (reply.status_code, reply.headers["content-type"][:8]) == (200, "text/xml")
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: found.append((name, attributes))
    parser.Parse(reply.content, True)
    assert [name for name, _ in found] == ["locations"] + ["location"] * 3
    assert found[3][1] == {"href": "https://example.org/old", "weight": "0", "mode": "legacy"}


def test_prx_04_urlappend_is_decoded_and_appended(handle_node: HandleNode) -> None:
    reply = get(handle_node, "86.1000/ABC?urlappend=%3Fa%3D1")
    assert reply.headers["location"] == "https://example.org/abc?a=1"


def test_prx_05_locatt_picks_the_place(handle_node: HandleNode, listed: str) -> None:
    reply = get(handle_node, f"{listed}?locatt=id:0")
    assert (reply.status_code, reply.headers["location"]) == (302, "https://zero.example.org/")


@pytest.mark.parametrize("separator", ["&", ";"])
def test_prx_05_other_selections(handle_node: HandleNode, listed: str, separator: str) -> None:
    country = get(handle_node, f"{listed}?country=gb")
    assert country.headers["location"] == "https://zero.example.org/"
    legacy = get(handle_node, f"{listed}?country=xx{separator}locatt=mode:legacy")
    assert legacy.headers["location"] == "https://example.org/old"


def test_prx_06_unmatched_locatt_keeps_the_former_set(handle_node: HandleNode, listed: str) -> None:
    reply = get(handle_node, f"{listed}?locatt=foo:bar")
    assert reply.headers["location"] == "https://one.example.org/"


def test_prx_07_http_sc_is_the_status(handle_node: HandleNode, listed: str) -> None:
    assert get(handle_node, listed).status_code == 303


def test_prx_08_alias_is_301_and_keeps_the_query(handle_node: HandleNode, put: Put) -> None:
    handle = put("86.1000/PRX-ALIAS", HS_ALIAS="86.1000/ABC", URL="https://example.org/own")
    reply = get(handle_node, f"{handle}?urlappend=%2Fx")
    assert (reply.status_code, reply.headers["location"]) == (301, "/86.1000/ABC?urlappend=%2Fx")
    own = get(handle_node, f"{handle}?ignore_aliases")
    assert own.headers["location"] == "https://example.org/own"


def test_prx_08_loop_is_404(handle_node: HandleNode, put: Put) -> None:
    put("86.1000/PRX-LOOP1", HS_ALIAS="86.1000/PRX-LOOP2")
    handle = put("86.1000/PRX-LOOP2", HS_ALIAS="86.1000/PRX-LOOP1")
    assert get(handle_node, handle).status_code == 404


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("SCRIPT", "javascript:alert(document.domain)"),
        ("CRLF", "https://example.org/\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>"),
        ("USER", "https://example.org@evil.test/"),
        ("SLASH", "https://evil.test\\@example.org/"),
    ],
)
def test_prx_09_hostile_address_reaches_no_header(
    handle_node: HandleNode, put: Put, name: str, address: str
) -> None:
    reply = get(handle_node, put(f"86.1000/PRX-{name}", URL=address))
    assert reply.status_code == 200
    assert not {"location", "set-cookie", "refresh"} & set(reply.headers)
    assert f'href="{address.partition(":")[0]}' not in reply.text
    assert "<script" not in reply.text


def test_prx_09_host_nobody_admitted_is_shown_and_not_followed(
    handle_node: HandleNode, put: Put
) -> None:
    reply = get(handle_node, put("86.1000/PRX-OUT", URL="https://shop.test/lot"))
    assert (reply.status_code, "location" in reply.headers) == (200, False)
    assert 'href="https://shop.test/lot" rel="noopener noreferrer nofollow"' in reply.text


def test_prx_09_urlappend_cannot_change_the_host(handle_node: HandleNode, put: Put) -> None:
    handle = put("86.1000/PRX-HOST", URL="https://example.org")
    assert get(handle_node, f"{handle}?urlappend=.evil.test").status_code == 400
    assert get(handle_node, f"{handle}?urlappend=%0d%0aX:y").status_code == 400


def test_prx_10_document_type_and_entities_are_refused(handle_node: HandleNode, put: Put) -> None:
    reply = get(handle_node, put("86.1000/PRX-BOMB", LOC=BOMB))
    assert (reply.status_code, "location" in reply.headers) == (200, False)
    other = get(handle_node, put("86.1000/PRX-BOMB2", LOC=BOMB, URL="https://example.org/url"))
    assert other.headers["location"] == "https://example.org/url"
