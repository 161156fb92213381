"""What the HTTP front notes: each answered look-up once, with its channel, outcome and client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from node.domain.forwarding import parse_rules
from node.domain.identifiers import parse_handle, recognise
from node.domain.resolution_event import Client as NotedClient
from node.domain.resolution_event import packed_address
from resolver.front import create_front
from resolver.lookup import Lookup, create_lookup
from resolver.tally.web_clients import WebClients
from tests.noted_look_ups import NotedLookUps
from tests.unit.resolver.fakes import FakeStore
from tests.unit.resolver.test_http_front import Client
from tests.unit.resolver.test_proxy_face import (
    ALIAS,
    BATCH,
    BROWSER,
    JSON,
    LEADING,
    LOOP,
    ask,
    render,
)

PEER = "127.0.0.1"


@dataclass
class Rig:
    client: Client
    store: FakeStore
    lookup: Lookup
    noted: NotedLookUps


@pytest.fixture(params=[(), ("127.0.0.0/8",)], ids=["direct", "proxied"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    store = FakeStore()
    for key in (BATCH, LEADING, ALIAS, LOOP):
        store.register(key)
    lookup = create_lookup(store, render=render)
    await lookup.follower.poll()
    noted = NotedLookUps(
        WebClients(trusted_proxies=request.param, actor_of=lambda field: field.decode())
    )
    front = create_front(
        lookup,
        parse_handle=parse_handle,
        recognise=lambda text: recognise(text).identifier,
        serves=lambda prefix: prefix == "88.1.1",
        forwarding=parse_rules(["example.org"]),
        tally=noted,
    )
    yield Rig(Client(front), store, lookup, noted)
    await lookup.stop()


def is_proxied(rig: Rig) -> bool:
    return rig.noted.is_proxy(PEER)


@pytest.mark.parametrize(
    ("path", "accept", "noted"),
    [
        (f"/{BATCH}", b"", f"http found {BATCH}"),
        (f"/{BATCH}", BROWSER, f"page found {BATCH}"),
        (f"/id/{BATCH}", JSON, f"http found {BATCH}"),
        (f"/api/handles/{BATCH}", b"", f"http found {BATCH}"),
        (f"/api/handles/{BATCH}", BROWSER, f"http found {BATCH}"),
        (f"/api/handles/{BATCH}?type=NONE", b"", f"http absent {BATCH}"),
        (f"/{LEADING}", b"", f"page found {LEADING}"),
        (f"/{LEADING}?noredirect", BROWSER, f"page found {LEADING}"),
        (f"/{LEADING}?action=showurls", BROWSER, f"http found {LEADING}"),
        (f"/{ALIAS}", BROWSER, f"page referred {ALIAS}"),
        (f"/{LOOP}", BROWSER, f"page absent {LOOP}"),
        ("/88.1.1/none", b"", "http absent 88.1.1/NONE"),
        ("/88.1.1/none", BROWSER, "page absent 88.1.1/NONE"),
        ("/99.1/none", BROWSER, "page absent 99.1/NONE"),
        ("/api/handles/99.1/none", b"", "http absent 99.1/NONE"),
        ("/id/%zz", b"", "http malformed"),
        ("/id/%zz", BROWSER, "page malformed"),
        ("/api/handles/%zz", b"", "http malformed"),
        (f"/api/handles/{BATCH}?index=x", b"", "http malformed"),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_an_answer_is_noted_the_first_time_and_from_ready_bytes(
    rig: Rig, path: str, accept: bytes, noted: str, method: bytes
) -> None:
    for _ in range(3):
        await ask(rig.client, path, accept, method=method)
        assert rig.noted.told() == [noted]


async def test_what_is_no_look_up_is_not_noted(rig: Rig) -> None:
    for path in ("/health", "/api/v1/status", "/", "/log/checkpoint"):
        await ask(rig.client, path)
    for path in (f"/{BATCH}", "/id/%zz"):
        await ask(rig.client, path, method=b"OPTIONS")
    rig.client.send(b"nonsense\r\n\r\n")
    assert rig.noted.told() == []


async def test_only_the_state_of_a_suspended_identifier_is_noted_as_such(rig: Rig) -> None:
    await ask(rig.client, f"/{BATCH}")
    rig.noted.take()
    rig.store.change(BATCH, status="suspended")
    await rig.lookup.follower.poll()
    for path, channel in ((f"/{BATCH}", "http"), (f"/api/handles/{BATCH}", "http")):
        for _ in range(2):
            await ask(rig.client, path)
            assert rig.noted.told() == [f"{channel} status {BATCH}"]


async def test_a_look_up_that_fails_is_noted(rig: Rig) -> None:
    rig.store.is_down = True
    for accept, channel in ((b"", "http"), (BROWSER, "page")):
        assert (await ask(rig.client, f"/{BATCH}", accept))[0] == 503
        assert rig.noted.told() == [f"{channel} failed {BATCH}"]


async def test_an_answer_that_has_not_changed_is_noted(rig: Rig) -> None:
    tag = (await ask(rig.client, f"/{BATCH}"))[1][b"etag"]
    rig.noted.take()
    assert (await ask(rig.client, f"/{BATCH}", b"*/*\r\nIf-None-Match: " + tag))[0] == 304
    assert rig.noted.told() == [f"http found {BATCH}"]


async def test_requests_in_a_row_are_noted_in_the_order_of_their_answers(rig: Rig) -> None:
    names = [BATCH, "88.1.1/X", LEADING, BATCH]
    paths = [f"/api/handles/{name}".encode() for name in names]
    rig.client.send(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths))
    await rig.client.settle()
    assert [event.identifier for event in rig.noted.take()] == names


async def test_an_answer_that_nobody_takes_is_not_noted(rig: Rig) -> None:
    rig.client.send(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % BATCH.encode())
    rig.client.transport.abort()
    await rig.client.settle()
    assert rig.noted.told() == []


async def asked_with(rig: Rig, fields: bytes) -> NotedClient:
    rig.client.send(b"GET /%s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (BATCH.encode(), fields))
    await rig.client.settle()
    (event,) = rig.noted.take()
    return event.client


async def test_each_request_is_noted_with_its_own_sender(rig: Rig) -> None:
    for _ in range(2):  # looked up, and from ready bytes
        plain = await asked_with(rig, b"")
        phone = await asked_with(rig, b"User-Agent: phone\r\n")
        sent_on = await asked_with(rig, b"X-Forwarded-For: 192.0.2.1\r\nUser-Agent: x\r\n")
        twice = await asked_with(
            rig, b"X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\n"
        )
        assert (plain.agent, phone.agent, sent_on.agent, twice.agent) == ("", "phone", "x", "")
        named = ("192.0.2.1", "192.0.2.2") if is_proxied(rig) else (PEER, PEER)
        assert (sent_on.address, twice.address) == tuple(map(packed_address, named))
        assert plain.address == phone.address == packed_address(PEER)


async def test_credentials_tell_who_asks(rig: Rig) -> None:
    known = await asked_with(rig, b"Authorization: key:1\r\nUser-Agent: erp\r\n")
    assert known == NotedClient(packed_address(PEER), "key:1", "erp")
    assert (await asked_with(rig, b"")).actor == ""
