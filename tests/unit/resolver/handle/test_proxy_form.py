"""The form leads to this node's own URLs and to nothing else."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.domain.identifiers import parse_handle
from node.errors import InvalidInput
from resolver.handle.proxy_form import MAX_FORM_BYTES, ProxyForm

FORM = ProxyForm(parse_handle)
FORM_TYPE = "application/x-www-form-urlencoded"


async def post(body: bytes, content_type: str = FORM_TYPE) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(FORM), base_url="http://node"
    ) as client:
        return await client.post("/", content=body, headers={"content-type": content_type})


@pytest.mark.parametrize(
    ("form", "target"),
    [
        (b"hdl=86.1000/abc", "/86.1000/ABC"),
        (b"hdl=+hdl%3A86.1000%2Fabc+", "/86.1000/ABC"),
        (b"hdl=86.1000/hdl:info:doi/X", "/86.1000/HDL:INFO:DOI/X"),
        (b"noredirect=&hdl=86.1000/A&type=a+b", "/86.1000/A?noredirect=&type=a%20b"),
        (b"hdl=TEST.1/x", "/id/TEST.1/X"),
        ("hdl=86.1000/净重?x#y".encode(), "/86.1000/%E5%87%80%E9%87%8D%3FX%23Y"),
    ],
)
def test_identifier_of_the_form_is_where_it_leads(form: bytes, target: str) -> None:
    assert FORM.target(form) == target


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"hdl=",
        b"hdl=https://evil.test/",
        b"hdl=//evil.test/x",
        b"hdl=86.1000/a%0d%0aLocation:x",
        b"hdl=%ff",
        b"&".join([b"a=b"] * 100),
    ],
)
async def test_form_without_an_identifier_is_a_page_that_says_so(form: bytes) -> None:
    reply = await post(form)
    assert reply.status_code == 400
    assert "location" not in reply.headers
    assert "default-src 'none'" in reply.headers["content-security-policy"]


async def test_form_is_answered_by_a_redirect_to_get() -> None:
    reply = await post(b"hdl=86.1000/ABC&noredirect=")
    assert (reply.status_code, reply.headers["location"]) == (303, "/86.1000/ABC?noredirect=")


async def test_other_bodies_are_refused() -> None:
    assert (await post(b"{}", "application/json")).status_code == 415
    assert (await post(b"hdl=" + b"a" * MAX_FORM_BYTES)).status_code == 413


@given(st.binary(max_size=80), st.text(max_size=40))
def test_any_form_leads_to_a_path_of_this_node(form: bytes, text: str) -> None:
    for body in (form, b"hdl=" + form, f"hdl=86.1000/{text}".encode("utf-8", "surrogatepass")):
        try:
            target = FORM.target(body)
        except InvalidInput:
            continue
        assert target.isascii()
        assert target.isprintable()
        assert target[0] == "/"
        assert target[1] not in "/\\"
