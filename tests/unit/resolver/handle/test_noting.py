"""What the server of the native protocol, the JSON API and the tunnel note: each look-up once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import cast

import httpx
import pytest
from starlette.requests import Request

from node.domain.handle_value import HandleValue
from node.domain.resolution_event import (
    AgentTable,
    Channel,
    Client,
    client_part,
    read_payload,
)
from node.errors import LimitExceeded, Unavailable
from resolver.handle import message as messages
from resolver.handle.api_app import create_handle_api
from resolver.handle.bodies import HandleRequest, ResolutionRequest
from resolver.handle.codes import OpCode, OpFlag
from resolver.handle.referrals import parse_referrals
from resolver.handle.service import ServiceSettings
from resolver.handle.tunnel import MEDIA_TYPE, Tunnel
from resolver.lookup import Lookup
from tests.noted_look_ups import NotedLookUps
from tests.unit.resolver.handle.service_fakes import (
    ABC,
    ADMIN,
    PREFIX,
    SITE_KEY,
    Bench,
    admin_value,
    bench,
)
from tests.unit.resolver.handle.test_api_app import basic

RESOLVE_ABC = ResolutionRequest(ABC).encode()
RESOLVE_SECRET = ResolutionRequest(ADMIN, (300,)).encode()
ACTOR = f"handle:300:{ADMIN}"


@pytest.fixture
def place() -> Iterator[Bench]:
    with bench(ServiceSettings(referrals=parse_referrals(["10=0.SERV/10"]))) as made:
        yield made


def told(place: Bench) -> list[str]:
    """Return outcome, identifier and actor of what was noted, and forget it."""
    parts = [Channel.DNS.part + s + client_part(b"", actor) for s, actor in place.noted]
    place.noted.clear()
    return [
        " ".join(filter(None, (e.outcome.label, e.identifier, e.client.actor)))
        for e in read_payload(b"".join(parts), AgentTable())
    ]


@pytest.mark.parametrize(
    ("body", "flags", "noted"),
    [
        (RESOLVE_ABC, 0, f"found {ABC}"),
        (ResolutionRequest(ABC.lower(), types=("URL",)).encode(), 0, f"found {ABC}"),
        (ResolutionRequest(ABC, types=("NONE",)).encode(), 0, f"absent {ABC}"),
        (ResolutionRequest(f"{PREFIX}/nothing").encode(), 0, f"absent {PREFIX}/NOTHING"),
        (ResolutionRequest("0.na/86.1000").encode(), 0, "found 0.NA/86.1000"),
        (ResolutionRequest("86.1000").encode(), 0, "found 0.NA/86.1000"),
        (ResolutionRequest("0.NA/99").encode(), 0, "absent 0.NA/99"),
        (ResolutionRequest("99.1/x").encode(), 0, "absent 99.1/X"),
        (ResolutionRequest("10.5/x").encode(), 0, "referred 10.5/X"),
        (ResolutionRequest("10.5/x").encode(), OpFlag.DO_NOT_REFER, "absent 10.5/X"),
        (ResolutionRequest("").encode(), 0, "absent"),
        (b"\0\0\0\x01", 0, "malformed"),
        (RESOLVE_ABC, OpFlag.CERTIFIED, f"found {ABC}"),
    ],
)
async def test_a_look_up_is_noted_with_its_outcome(
    place: Bench, body: bytes, flags: int, noted: str
) -> None:
    await place.ask(OpCode.RESOLUTION, body, flags=flags)
    assert told(place) == [noted]


async def test_what_is_no_look_up_is_not_noted(place: Bench) -> None:
    await place.ask(OpCode.GET_SITE_INFO, b"")
    await place.ask_as(OpCode.LIST_HANDLES, HandleRequest(f"0.NA/{PREFIX}").encode())
    await place.raw(b"")
    await place.raw(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" + bytes(99))
    assert told(place) == []


async def test_a_look_up_that_cannot_be_read_is_noted(place: Bench) -> None:
    whole = messages.encode(place.request(OpCode.RESOLUTION, RESOLVE_ABC))
    await place.raw(whole[:-7])
    assert told(place) == ["malformed"]


async def test_a_challenged_look_up_is_noted_once_with_who_proved_himself(place: Bench) -> None:
    challenge = await place.ask(OpCode.RESOLUTION, RESOLVE_SECRET)
    assert told(place) == []
    await place.send(place.answer_to(challenge))
    assert told(place) == [f"found {ADMIN} {ACTOR}"]


async def test_a_look_up_whose_asker_proves_nothing_is_denied(place: Bench) -> None:
    challenge = await place.ask(OpCode.RESOLUTION, RESOLVE_SECRET)
    await place.send(place.answer_to(challenge, secret=b"wrong"))
    assert told(place) == [f"denied {ADMIN}"]


async def test_a_challenged_change_is_not_noted_whatever_is_proved(place: Bench) -> None:
    body = HandleRequest(ABC).encode()
    challenge = await place.ask(OpCode.DELETE_HANDLE, body)
    await place.send(place.answer_to(challenge, secret=b"wrong"))
    await place.ask_as(OpCode.DELETE_HANDLE, body)
    assert told(place) == []


async def test_what_nobody_may_read_is_denied(place: Bench) -> None:
    hidden = HandleValue(7, "DESC", b"hidden", permissions=0x04)
    place.register.put(ADMIN, hidden, admin_value(100))
    await place.ask(OpCode.RESOLUTION, ResolutionRequest(ADMIN, (7,)).encode())
    assert told(place) == [f"denied {ADMIN}"]


@pytest.mark.parametrize("error", [Unavailable(), RuntimeError("on purpose")])
async def test_a_look_up_that_fails_is_noted_once(
    place: Bench,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail(_key: str) -> None:
        raise error

    monkeypatch.setattr(place.lookup, "resolve", fail)
    await place.ask(OpCode.RESOLUTION, RESOLVE_ABC)
    assert [text.split()[0] for text in told(place)] == ["failed"]
    capsys.readouterr()


async def test_an_answer_that_cannot_be_signed_now_has_failed(place: Bench) -> None:
    for _ in range(600):
        reply = await place.ask(OpCode.RESOLUTION, RESOLVE_ABC, flags=OpFlag.CERTIFIED)
        if reply.response_code == 3:
            break
    assert told(place)[-1] == f"failed {ABC}"


@asynccontextmanager
async def bodies(request: Request) -> AsyncIterator[bytes]:
    body = await request.body()
    if len(body) > 10_000:
        raise LimitExceeded("请求过大", "The request is too large")
    yield body


@pytest.fixture
def noted() -> NotedLookUps:
    return NotedLookUps()


@pytest.fixture
async def api(place: Bench, noted: NotedLookUps) -> AsyncIterator[httpx.AsyncClient]:
    app = create_handle_api(
        place.service,
        place.register,
        cast("Lookup", place.lookup),
        site_key=SITE_KEY,
        bodies=bodies,
        monotonic=place.clock,
        random_bytes=Random(5).randbytes,
        tally=noted,
    )
    transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://node.example") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "noted_as"),
    [
        ("GET", ABC, f"http found {ABC}"),
        ("HEAD", ABC, f"http found {ABC}"),
        ("POST", ABC, f"http found {ABC}"),
        ("GET", f"{ABC}?type=NONE", f"http absent {ABC}"),
        ("GET", f"{PREFIX}/none", f"http absent {PREFIX}/NONE"),
        ("GET", "99.1/x", "http absent 99.1/X"),
        ("GET", "10.5/x", "http referred 10.5/X"),
        ("GET", "0.NA/86.1000", "http found 0.NA/86.1000"),
        ("GET", "%ff", "http malformed"),
        ("GET", "", "http malformed"),
        ("GET", f"{ADMIN}?index=300&publicOnly=false", f"http denied {ADMIN}"),
    ],
)
async def test_a_request_for_a_handle_is_noted(
    api: httpx.AsyncClient, noted: NotedLookUps, method: str, path: str, noted_as: str
) -> None:
    await api.request(method, f"/api/handles/{path}")
    assert noted.told() == [noted_as]


async def test_who_proved_himself_over_https_is_noted(
    api: httpx.AsyncClient, noted: NotedLookUps
) -> None:
    headers = basic() | {"User-Agent": "erp/2", "X-Forwarded-For": "198.51.100.1"}
    await api.get(f"/api/handles/{ADMIN}?index=300", headers=headers)
    (event,) = noted.take()
    assert event.client == Client(bytes((192, 0, 2, 1)), ACTOR, "erp/2")
    await api.get(f"/api/handles/{ABC}", headers=basic(b"wrong"))
    assert noted.told() == [f"http denied {ABC}"]


async def test_lists_writes_and_other_endpoints_are_not_noted(
    api: httpx.AsyncClient, noted: NotedLookUps
) -> None:
    for path in (f"handles/?prefix={PREFIX}", "site", "nothing", "sessions/this"):
        await api.get(f"/api/{path}", headers=basic())
    await api.post("/api/handles/", data={"prefix": PREFIX}, headers=basic())
    await api.delete(f"/api/handles/{ABC}", headers=basic())
    await api.options(f"/api/handles/{ABC}")
    assert noted.told() == []


async def test_a_message_in_the_tunnel_is_noted_as_such(place: Bench, noted: NotedLookUps) -> None:
    transport = httpx.ASGITransport(
        app=Tunnel(place.service.server, bodies, noted), client=("192.0.2.1", 1)
    )
    fields = {"content-type": MEDIA_TYPE, "user-agent": "java"}
    async with httpx.AsyncClient(transport=transport, base_url="http://node.example") as client:
        for opcode in (OpCode.RESOLUTION, OpCode.GET_SITE_INFO):
            message = messages.encode(place.request(opcode, RESOLVE_ABC))
            await client.post("/", content=message, headers=fields)
        await client.post("/", content=bytes(20_000), headers=fields)
    (event,) = noted.take()
    assert event[:3] == (Channel.HANDLE_HTTP, 1, ABC)
    assert event.client == Client(bytes((192, 0, 2, 1)), "", "java")
