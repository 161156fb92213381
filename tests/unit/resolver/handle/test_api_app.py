"""The JSON API over a register in memory: what the conformance tests cannot bring about."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from node.domain.handle_value import HandleValue
from node.errors import IntegrityFailure, LimitExceeded, Overloaded, Unavailable, XibiaoError
from resolver.handle.api_app import HandleAPI, create_handle_api
from resolver.handle.referrals import parse_referrals
from resolver.handle.service import ServiceSettings
from resolver.lookup import Lookup
from tests.unit.resolver.handle.service_fakes import (
    ABC,
    ADMIN,
    PREFIX,
    SECRET,
    SITE_KEY,
    Bench,
    bench,
    secret_value,
)

LIMIT = 10_000
URL = {"index": 1, "type": "URL", "data": "https://example.org/1"}


@asynccontextmanager
async def bodies(request: Request) -> AsyncIterator[bytes]:
    body = await request.body()
    if len(body) > LIMIT:
        raise LimitExceeded("请求过大", "The request is too large")
    yield body


def api_on(made: Bench) -> HandleAPI:
    return create_handle_api(
        made.service,
        made.register,
        cast("Lookup", made.lookup),
        site_key=SITE_KEY,
        bodies=bodies,
        monotonic=made.clock,
        random_bytes=Random(5).randbytes,
    )


def client_of(app: HandleAPI, scheme: str = "https") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://node.example.cn")


@pytest.fixture
def made() -> Iterator[Bench]:
    with bench() as whole:
        yield whole


@pytest.fixture
async def api(made: Bench) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(api_on(made)) as client:
        yield client


def basic(secret: bytes = SECRET) -> dict[str, str]:
    token = base64.b64encode(f"300%3A{ADMIN}:".encode() + secret).decode()
    return {"Authorization": f"Basic {token}"}


def outcome(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, response.json()["responseCode"]


def breaking(made: Bench, error: Exception) -> None:
    """Let every read of the register fail."""

    async def read(_handle: str) -> None:
        raise error

    made.register.read = read  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable(), (503, 3)),
        (Overloaded(retry_after_s=7), (503, 3)),
        (IntegrityFailure(), (500, 2)),
        (XibiaoError(), (500, 2)),
        (ZeroDivisionError("the text of a surprise"), (500, 2)),
    ],
)
async def test_failing_register_is_an_answer(
    made: Bench, api: httpx.AsyncClient, error: Exception, expected: tuple[int, int]
) -> None:
    breaking(made, error)
    response = await api.put(f"/api/handles/{PREFIX}/NEW", json=[URL], headers=basic())
    assert outcome(response) == expected
    assert "surprise" not in response.text
    wait = response.headers.get("retry-after")
    assert wait == {Unavailable: "2", Overloaded: "7"}.get(type(error))


async def test_handle_that_is_not_utf_8_is_invalid(api: httpx.AsyncClient) -> None:
    assert outcome(await api.get(f"/api/handles/{PREFIX}/%ff")) == (400, 102)


async def test_handle_is_decoded_once(made: Bench, api: httpx.AsyncClient) -> None:
    for path in (f"{PREFIX}%2FA%2520B", f"{PREFIX}/A%2520B"):
        response = await api.put(f"/api/handles/{path}", json=[URL], headers=basic())
        assert response.json()["handle"] == f"{PREFIX}/A%20B"
    assert f"{PREFIX}/A%20B" in made.register.records


async def test_parameters_beyond_the_bound_are_refused(api: httpx.AsyncClient) -> None:
    response = await api.get(f"/api/handles/{ABC}?" + "index=1&" * 100)
    assert outcome(response) == (400, 4)
    response = await api.get(f"/api/handles/{ABC}?index=x")
    assert outcome(response) == (400, 4)


async def test_body_beyond_the_limit_is_413(api: httpx.AsyncClient) -> None:
    big = [URL | {"data": "x" * LIMIT}]
    response = await api.put(f"/api/handles/{PREFIX}/NEW", json=big, headers=basic())
    assert outcome(response) == (413, 4)


async def test_write_is_made_in_the_name_of_the_key(made: Bench, api: httpx.AsyncClient) -> None:
    response = await api.put(f"/api/handles/{PREFIX}/NEW", json=[URL], headers=basic())
    assert outcome(response) == (201, 1)
    assert made.register.actors == [f"300:{ADMIN}"]


async def test_value_that_anybody_may_write_needs_no_credentials(
    made: Bench, api: httpx.AsyncClient
) -> None:
    made.register.put(ABC, HandleValue(1, "URL", b"x", permissions=0x0F))
    response = await api.put(f"/api/handles/{ABC}?index=1", json=[URL])
    # As over the native protocol, only MODIFY_VALUE goes without, and PUT adds as well.
    assert outcome(response) == (401, 402)


async def test_session_ends_with_its_key(made: Bench, api: httpx.AsyncClient) -> None:
    opened = (await api.post("/api/sessions", headers=basic())).json()
    assert opened["id"] == f"300:{ADMIN}"
    headers = {"Authorization": f'Handle sessionId="{opened["sessionId"]}"'}
    assert (await api.get("/api/sessions/this", headers=headers)).json()["authenticated"] is True
    made.register.put(ADMIN, secret_value(300, b"another secret"))
    shown = await api.get("/api/sessions/this", headers=headers)
    assert shown.status_code == 401
    assert "authenticated" not in shown.json()
    response = await api.delete(f"/api/handles/{ABC}", headers=headers)
    assert outcome(response) == (401, 402)


async def test_session_ends_after_half_an_hour(made: Bench, api: httpx.AsyncClient) -> None:
    opened = (await api.post("/api/sessions", headers=basic())).json()
    headers = {"Authorization": f'Handle sessionId="{opened["sessionId"]}"'}
    made.clock.now += 1_799
    assert (await api.get("/api/sessions/this", headers=headers)).status_code == 200
    made.clock.now += 1
    assert (await api.get("/api/sessions/this", headers=headers)).status_code == 403


async def test_whoever_guesses_is_made_to_wait(api: httpx.AsyncClient) -> None:
    statuses = []
    for _ in range(40):
        response = await api.delete(f"/api/handles/{ABC}", headers=basic(b"guess"))
        statuses.append(response.status_code)
    assert statuses[0] == 401
    assert statuses[-1] == 503


async def test_signatures_for_strangers_are_rationed(api: httpx.AsyncClient) -> None:
    asked = {"cnonce": base64.b64encode(b"cnonce").decode()}
    statuses = {(await api.post("/api/sessions", json=asked)).status_code for _ in range(520)}
    assert statuses == {201, 503}


async def test_listing_may_be_switched_off() -> None:
    with bench(ServiceSettings(allows_listing=False)) as made:
        async with client_of(api_on(made)) as client:
            response = await client.get(f"/api/handles?prefix={PREFIX}", headers=basic())
    assert outcome(response) == (501, 5)


async def test_script_of_a_page_is_not_offered_basic(api: httpx.AsyncClient) -> None:
    script = {"X-Requested-With": "XMLHttpRequest"}
    for headers, schemes in [
        ({}, ["Basic", "Handle"]),
        (script, ["Handle"]),
        (script | basic(b"wrong"), ["Basic", "Handle"]),
    ]:
        response = await api.delete(f"/api/handles/{ABC}", headers=headers)
        fields = response.headers.get_list("www-authenticate")
        assert [field.partition(" ")[0] for field in fields] == schemes


@pytest.mark.parametrize(
    ("handle", "code", "told"),
    [
        ("10.1/x", 302, {"referralHandle": "0.SERV/10"}),
        ("0.NA/10.1", 303, {"referralHandle": "0.SERV/10"}),
        ("20.1/x", 302, {"values": "192.0.2.1"}),
    ],
)
async def test_other_nodes_handles_are_referred(
    handle: str, code: int, told: dict[str, str]
) -> None:
    referrals = parse_referrals(["10=0.SERV/10", "20=192.0.2.1:2641"])
    with bench(ServiceSettings(referrals=referrals)) as made:
        async with client_of(api_on(made)) as client:
            response = await client.get(f"/api/handles/{handle}")
            refused = await client.get(f"/api/handles/{handle}?doNotRefer")
            unknown = await client.get("/api/handles/30.1/x")
    assert outcome(response) == (300, code)
    assert response.json()["handle"] == handle
    for name, text in told.items():
        assert text in str(response.json()[name])
    assert outcome(refused) == outcome(unknown) == (400, 301)


async def test_long_list_is_told_part_by_part(made: Bench, api: httpx.AsyncClient) -> None:
    for number in range(2_500):
        made.register.put(f"{PREFIX}/N-{number:05}", HandleValue(1, "URL", b"x"))
    listed = (await api.get(f"/api/handles?prefix={PREFIX}", headers=basic())).json()
    assert listed["totalCount"] == str(len(listed["handles"])) == "2502"
    last = await api.get(f"/api/handles?prefix={PREFIX}&page=25&pageSize=100", headers=basic())
    assert last.json()["handles"] == listed["handles"][2500:]
    beyond = await api.get(f"/api/handles?prefix={PREFIX}&page=999999&pageSize=9", headers=basic())
    assert beyond.json()["handles"] == []


async def test_credentials_over_http_are_not_looked_at(made: Bench) -> None:
    made.register.put(ABC, HandleValue(1, "URL", b"x"), HandleValue(2, "X", b"y", permissions=12))
    async with client_of(api_on(made), "http") as client:
        response = await client.get(f"/api/handles/{ABC}", headers=basic())
        assert [value["index"] for value in response.json()["values"]] == [1]
        reads = made.register.reads
        assert outcome(await client.delete(f"/api/handles/{ABC}", headers=basic())) == (403, 402)
        assert made.register.reads == reads


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]),
    st.sampled_from(["handles", "site", "prefixes", "verifications", "sessions", "x", ""]),
    st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters="#?"), max_size=20),
    st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters="#"), max_size=40),
    st.binary(max_size=60),
)
def test_every_request_is_answered(
    method: str, endpoint: str, rest: str, query: str, body: bytes
) -> None:
    async def ask() -> None:
        with bench() as made:
            sent: list[dict[str, object]] = []
            raw = f"/api/{endpoint}/{rest}".encode()
            scope = {
                "type": "http",
                "method": method,
                "scheme": "https",
                "path": raw.decode(),
                "raw_path": raw,
                "query_string": query.encode(),
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"authorization", b"Handle " + query.encode()),
                ],
                "client": ("192.0.2.1", 1),
            }

            async def receive() -> dict[str, object]:
                return {"type": "http.request", "body": body, "more_body": False}

            async def send(message: dict[str, object]) -> None:
                sent.append(message)

            await api_on(made)(scope, receive, send)  # type: ignore[arg-type]
            assert sent[0]["type"] == "http.response.start"
            assert cast("int", sent[0]["status"]) < 500 or sent[0]["status"] == 501

    asyncio.run(ask())
