"""A registration is answered alike by the short way and by the one through the framework."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from admin.parts import Register
from node.api.access_control import AccessControl, new_key
from node.api.app import Faces, create_app
from node.api.early_registration import PATH, EarlyRegistration
from node.api.exchange import BodyBudget
from node.api.log_reader import LogReader
from node.api.registration_routes import RegistrationRoutes
from node.errors import Overloaded
from node.registration.coalescer import Coalescer
from node.registration.register import moment
from node.registration.requests import Role
from node.storage import key_queries
from tests.builders import (
    FREE_PREFIX,
    TEST_PREFIX,
    Clock,
    attributes,
    counts,
    lot,
    register_at,
    writers,
)
from tests.operations import operations

BUDGET = 10_000
# What differs from answer to answer, whichever way it takes.
_VARYING = ("x-request-id", "content-length")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, the header fields that are alike in like answers, and the JSON document."""

    status: int
    fields: dict[str, str]
    document: dict[str, object]


@dataclass(frozen=True, slots=True)
class Ways:
    """Both ways to one register."""

    register: Register
    http: httpx.AsyncClient
    early: EarlyRegistration
    budget: BodyBudget
    authorization: str

    async def framework(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send a request through the application."""
        fields = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        given = await self.http.post(PATH, content=body, headers=fields)
        return answered(given.status_code, list(given.headers.items()), given.content)

    async def short(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send the same past it."""
        landed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def respond(status: int, head: bytes, content: bytes) -> None:
            lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
            fields = [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines]
            assert dict(fields)["content-length"] == str(len(content))
            landed.set_result(answered(status, fields, content))

        fields = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers.items()]
        self.early.serve(fields, body, respond)
        return await landed


def answered(status: int, fields: list[tuple[str, str]], content: bytes) -> Answer:
    return Answer(status, {n: v for n, v in fields if n not in _VARYING}, json.loads(content))


@asynccontextmanager
async def ways_to(url: str) -> AsyncIterator[Ways]:
    clock = Clock()
    async with register_at(url, clock=clock) as register:
        stored, key = new_key(
            role=Role.PRODUCER,
            prefixes=(FREE_PREFIX,),
            label="",
            at=moment(clock),
            random_bytes=bytes,
        )
        async with register.database.write() as scope:
            await key_queries.add(scope, stored)
        await register.directory.refresh()
        access, budget = AccessControl(register.directory, clock), BodyBudget(BUDGET)
        coalescer, backpressure = register.coalescer, register.backpressure
        routes = RegistrationRoutes(
            access,
            register.registrar,
            coalescer,
            register.life_cycle,
            backpressure,
            LogReader(register.database),
            register.directory,
            register.database,
            budget,
            single_limit=BUDGET,
            batch_limit=BUDGET,
        )
        faces = Faces(routes, None, None, operations(register, access, clock))
        app = create_app(faces, register.metrics, version="0")
        early = EarlyRegistration(access, coalescer, backpressure, budget, register.metrics)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
            with writers(coalescer):
                yield Ways(register, client, early, budget, f"Bearer {key}")


def item_of(number: int, **changes: object) -> bytes:
    """Return a registration as JSON."""
    return json.dumps({"identifier": lot(number), "attributes": attributes(), **changes}).encode()


KEY = {"Idempotency-Key": "k" * 255}


@pytest.mark.parametrize(
    ("body", "extra", "status"),
    [
        (item_of(1, attributes={}), {}, 422),
        (item_of(1, attributes={"net_kg": [1]}), {}, 422),
        (item_of(1, colour="red"), {}, 422),
        (item_of(1, identifier=lot(1, TEST_PREFIX)), {}, 403),
        (item_of(1, identifier="88.999/X"), {}, 404),
        (item_of(1, identifier="?"), {}, 422),
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 9_000, {}, 422),
        (item_of(1), {"Idempotency-Key": ""}, 422),
        (item_of(1), {"Idempotency-Key": "k" * 256}, 422),
        (item_of(1), {"Idempotency-Key": "\xa0"}, 422),
        (item_of(1), {"Authorization": ""}, 401),
        (item_of(1), {"Authorization": "Bearer xb_0000000000_x"}, 401),
        (item_of(1), {"Authorization": "Basic \xe9"}, 401),
    ],
)
async def test_what_is_refused_is_refused_alike(
    store_url: str, body: bytes, extra: dict[str, str], status: int
) -> None:
    async with ways_to(store_url) as ways:
        headers = {"Authorization": ways.authorization} | extra
        short, framework = await ways.short(body, headers), await ways.framework(body, headers)
        assert short == framework
        assert short.status == status
        assert (await counts(ways.register.database))["record"] == 0


async def test_what_is_registered_is_answered_alike_and_repeated_word_for_word(
    store_url: str,
) -> None:
    async with ways_to(store_url) as ways:
        headers = {"Authorization": ways.authorization, "X-Request-Id": "r" * 70}
        first = await ways.short(item_of(1), headers | KEY)
        assert (first.status, first.document["outcome"]) == (201, "registered")
        assert await ways.framework(item_of(1), headers | KEY) == first
        assert await ways.short(item_of(1), headers | KEY) == first
        other = await ways.framework(item_of(2), headers)
        assert other.fields == first.fields
        assert other.document.keys() == first.document.keys()
        mismatch = await ways.short(item_of(2), headers | KEY)
        assert mismatch == await ways.framework(item_of(2), headers | KEY)
        assert (mismatch.status, mismatch.document["code"]) == (422, "idempotency_mismatch")
        duplicate = await ways.short(item_of(1), headers)
        assert duplicate == await ways.framework(item_of(1), headers)
        assert (duplicate.status, duplicate.document["outcome"]) == (200, "duplicate")
        assert (await counts(ways.register.database))["record"] == 2


async def test_the_request_id_of_the_client_comes_back_shortened(store_url: str) -> None:
    async with ways_to(store_url) as ways:
        heads: list[bytes] = []
        fields = [(b"x-request-id", b"r" * 70)]
        ways.early.serve(fields, b"", lambda _status, head, _body: heads.append(head))
        assert b"x-request-id: " + b"r" * 64 + b"\r\n" in heads[0]


async def test_a_busy_node_says_so_alike_and_frees_what_it_held(store_url: str) -> None:
    async with ways_to(store_url) as ways:
        headers = {"Authorization": ways.authorization}
        ways.budget.hold(BUDGET)
        short = await ways.short(item_of(1), headers)
        assert short == await ways.framework(item_of(1), headers)
        assert (short.status, short.fields["retry-after"]) == (503, "1")
        ways.budget.free(BUDGET)
        for number in range(30):  # more bytes than the budget has, one after the other
            assert (await ways.short(item_of(number), headers)).status == 201


async def test_a_full_queue_and_a_surprise_end_in_an_answer(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ways_to(store_url) as ways:
        headers = {"Authorization": ways.authorization}
        for error, status in ((Overloaded(retry_after_s=1), 503), (ZeroDivisionError(), 500)):

            def fail(*_: object, error: Exception = error) -> None:
                raise error

            monkeypatch.setattr(Coalescer, "enqueue", fail)
            answer = await ways.short(item_of(1), headers)
            assert (answer.status, "ZeroDivision" in str(answer.document)) == (status, False)
        ways.budget.hold(BUDGET)  # all of it is free again
