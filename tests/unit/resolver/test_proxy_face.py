"""Who gets JSON, a page or a redirect at the same URL; ready bytes never answer the wrong one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from node.domain.forwarding import parse_rules
from node.domain.identifiers import parse_handle, recognise
from node.domain.record import StoredRecord
from resolver.front import create_front
from resolver.lookup import create_lookup
from resolver.resolution import Resolution
from tests.unit.resolver.fakes import FakeStore
from tests.unit.resolver.handle.resolutions import batch_record, handle_record, url, value
from tests.unit.resolver.test_http_front import Client

BROWSER = b"text/html,application/xhtml+xml,*/*;q=0.8"
JSON = b"application/json"
BATCH, LEADING, ALIAS, LOOP = (f"88.1.1/{name}" for name in ("BATCH", "LEADING", "ALIAS", "LOOP"))


def render(record: StoredRecord) -> Resolution:
    key = record.identifier
    if record.status != "active" or key == BATCH:
        return batch_record(key=key, status=record.status)
    if key == ALIAS:
        return handle_record(value(1, "HS_ALIAS", LEADING), key=key)
    if key == LOOP:
        return handle_record(value(1, "HS_ALIAS", LOOP), key=key)
    return handle_record(url("https://example.org/abc"), key=key)


@pytest.fixture
async def store() -> FakeStore:
    store = FakeStore()
    for key in (BATCH, LEADING, ALIAS, LOOP):
        store.register(key)
    return store


@pytest.fixture
async def client(store: FakeStore) -> AsyncIterator[Client]:
    lookup = create_lookup(store, render=render)
    await lookup.follower.poll()
    yield Client(
        create_front(
            lookup,
            parse_handle=parse_handle,
            recognise=lambda text: recognise(text).identifier,
            serves=lambda prefix: prefix == "88.1.1",
            forwarding=parse_rules(["example.org"]),
            clock=lambda: 1_577_836_800.0,
        )
    )
    await lookup.stop()


async def ask(
    client: Client, path: str, accept: bytes = b"", *, method: bytes = b"GET"
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, fields in lower case and body of the reply to one request."""
    client.transport.written = b""
    field = b"Accept: %s\r\n" % accept if accept else b""
    client.send(b"%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, path.encode(), field))
    await client.settle()
    head, _, body = client.transport.written.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines)
    return int(status.split()[1]), fields, body


def form(fields: dict[bytes, bytes]) -> bytes:
    return fields[b"content-type"].partition(b";")[0]


async def test_batch_is_json_to_programs_and_a_page_to_browsers(client: Client) -> None:
    for _ in range(2):  # Before and after the bytes for the URL are kept.
        for accept in (b"", b"*/*", JSON, b"image/png"):
            status, fields, body = await ask(client, f"/{BATCH}", accept)
            assert (status, form(fields), body[:1]) == (200, JSON, b"{")
            assert fields[b"vary"] == b"origin, accept"
        status, fields, body = await ask(client, f"/{BATCH}", BROWSER)
        assert (status, form(fields), body[:2]) == (200, b"text/html", b"<!")
        assert b"etag" not in fields


async def test_leading_record_sends_on_all_but_those_who_want_json(client: Client) -> None:
    for _ in range(2):
        for accept in (b"", b"*/*", BROWSER):
            status, fields, _ = await ask(client, f"/{LEADING}", accept)
            assert (status, fields[b"location"]) == (302, b"https://example.org/abc")
        status, fields, _ = await ask(client, f"/{LEADING}", JSON)
        assert (status, form(fields)) == (200, JSON)


async def test_page_in_the_cache_of_a_browser_is_not_renewed_by_the_tag_of_the_json(
    client: Client,
) -> None:
    _, fields, _ = await ask(client, f"/{BATCH}")
    tag = fields[b"etag"]
    more = b"%s\r\nIf-None-Match: %s" % (BROWSER, tag)
    assert (await ask(client, f"/{BATCH}", more))[0] == 200
    assert (await ask(client, f"/{BATCH}", b"%s\r\nIf-None-Match: %s" % (JSON, tag)))[0] == 304


@pytest.mark.parametrize("query", ["noredirect", "auth", "type=URL", "index=1;cert"])
async def test_parameter_of_the_proxy_makes_a_page_unless_json_is_wanted(
    client: Client, query: str
) -> None:
    assert form((await ask(client, f"/{BATCH}?{query}"))[1]) == b"text/html"
    assert form((await ask(client, f"/{BATCH}?{query}", JSON))[1]) == JSON
    assert form((await ask(client, f"/{BATCH}?utm=1"))[1]) == JSON


@pytest.mark.parametrize(
    "path",
    [
        f"/{LEADING}",
        f"/hdl:{LEADING}",
        f"/HDL%3a{LEADING}",
        f"/doi:{LEADING}",
        f"/info:hdl/{LEADING}",
        f"/info:doi/{LEADING}",
        f"/urn:hdl:{LEADING}",
        f"/id/{LEADING}",
        f"/id/hdl:{LEADING}",
        "/88.1.1%2Fleading",
    ],
)
async def test_every_spelling_leads_to_the_same_place(client: Client, path: str) -> None:
    assert (await ask(client, path))[1][b"location"] == b"https://example.org/abc"


@pytest.mark.parametrize("accept", [b"", BROWSER])
async def test_alias_moves_to_what_it_stands_for(client: Client, accept: bytes) -> None:
    status, fields, _ = await ask(client, f"/{ALIAS}?urlappend=%3Fa", accept)
    assert (status, fields[b"location"]) == (301, b"/88.1.1/leading?urlappend=%3fa")
    assert (await ask(client, f"/{LOOP}", accept))[0] == 404


async def test_browser_gets_a_page_whatever_is_wrong(client: Client, store: FakeStore) -> None:
    seen = {}
    for path in ("/88.1.1/NONE", "/20.5/X", "/88.1.1/%ff", "/88.1.1/X?index=x", "/id/%"):
        status, fields, _ = await ask(client, path, BROWSER)
        seen[path] = status
        assert form(fields) == b"text/html"
        assert form((await ask(client, path, JSON))[1]) == b"application/problem+json"
    assert list(seen.values()) == [404, 400, 400, 400, 400]
    store.is_down = True
    status, fields, _ = await ask(client, "/88.1.1/OTHER", BROWSER)
    assert (status, form(fields)) == (503, b"text/html")


async def test_head_tells_where_and_sends_no_body(client: Client) -> None:
    status, fields, body = await ask(client, f"/{LEADING}", BROWSER, method=b"HEAD")
    assert (status, fields[b"location"], body) == (302, b"https://example.org/abc", b"")


async def test_json_of_the_handle_api_stays_for_browsers(client: Client) -> None:
    for _ in range(2):
        _, fields, _ = await ask(client, f"/api/handles/{LEADING}", BROWSER)
        assert form(fields) == JSON


async def test_pipelined_forms_come_back_in_order(client: Client) -> None:
    await ask(client, f"/{BATCH}")
    plain = f"GET /{BATCH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    page = f"GET /{ALIAS} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n".encode()
    client.transport.written = b""
    client.send((plain + page) * 3)
    await client.settle()
    assert client.statuses() == [200, 301] * 3


async def test_suspended_record_leads_nowhere(client: Client, store: FakeStore) -> None:
    assert (await ask(client, f"/{LEADING}"))[0] == 302
    store.change(LEADING, status="suspended")
    await client.protocol.front.lookup.follower.poll()
    for accept in (b"*/*", BROWSER):
        status, fields, body = await ask(client, f"/{LEADING}", accept)
        assert (status, b"location" in fields) == (200, False)
        assert b"uspended" in body
