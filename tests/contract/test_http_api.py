"""The HTTP face on a real database: who may do what, and what hostile requests get."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from node.api import registration_routes
from node.api.access_control import AccessControl, new_key
from node.api.app import Faces, create_app
from node.api.exchange import BodyBudget
from node.api.import_routes import ImportRoutes
from node.api.log_reader import LogReader
from node.api.log_routes import LogRoutes
from node.api.registration_routes import RegistrationRoutes
from node.config import load
from node.importing.job import ImportJobs
from node.registration.register import moment
from node.registration.requests import Role
from node.storage import key_queries
from tests.builders import FREE_PREFIX, Clock, attributes, lot, register_at, writers
from tests.operations import operations

LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Face:
    """A client of the application, and keys of three holders."""

    http: httpx.AsyncClient
    producer: dict[str, str]
    stranger: dict[str, str]
    administrator: dict[str, str]
    sequence: Any
    clock: Clock
    resolver: httpx.AsyncClient

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Send JSON as the producer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(path, content=content, headers=self.producer | headers)


@asynccontextmanager
async def face_at(url: str, folder: Path) -> AsyncIterator[Face]:
    clock = Clock()
    async with register_at(url, clock=clock) as register:
        headers = []
        for role, prefixes in (
            (Role.PRODUCER, (FREE_PREFIX,)),
            (Role.PRODUCER, ("88.111.1",)),
            (Role.ADMINISTRATOR, ()),
        ):
            stored, shown = new_key(
                role=role,
                prefixes=prefixes,
                label="",
                at=moment(clock),
                random_bytes=_random,
            )
            async with register.database.write() as scope:
                await key_queries.add(scope, stored)
            headers.append({"Authorization": f"Bearer {shown}"})
        await register.directory.refresh()
        access, log = AccessControl(register.directory, clock), LogReader(register.database)
        faces = Faces(
            RegistrationRoutes(
                access,
                register.registrar,
                register.coalescer,
                register.life_cycle,
                register.backpressure,
                log,
                register.directory,
                register.database,
                BodyBudget(4 * LIMIT),
                single_limit=LIMIT,
                batch_limit=LIMIT,
            ),
            ImportRoutes(
                access, ImportJobs.build(load(None, {}, {"data_dir": folder}), register, clock)
            ),
            LogRoutes(log, register.directory, register.signer.verifier_key()),
            operations(register, access, clock),
        )
        looking = Faces(None, None, faces.log, operations(register, access, clock, role="resolver"))
        async with (
            client_of(create_app(faces, register.metrics, version="0")) as client,
            client_of(create_app(looking, register.metrics, version="0")) as resolver,
        ):
            producer, stranger, administrator = headers
            with writers(register.coalescer):
                yield Face(
                    client,
                    producer,
                    stranger,
                    administrator,
                    register.sequencer.drain,
                    clock,
                    resolver,
                )


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://node")


_counter = iter(range(1_000_000))


def _random(size: int) -> bytes:
    return next(_counter).to_bytes(size, "big")


@pytest.fixture
async def face(store_url: str, tmp_path: Path) -> AsyncIterator[Face]:
    async with face_at(store_url, tmp_path) as opened:
        yield opened


def body(number: int, **changes: str | float | None) -> dict[str, object]:
    return {"identifier": lot(number), "attributes": attributes(**changes)}


async def test_registration_is_answered_201_with_a_receipt_and_can_be_proved(face: Face) -> None:
    response = await face.post("/api/v1/identifiers", body(1))
    assert response.status_code == 201
    assert response.json()["receipt"]["leaf_hash"]
    await face.sequence()
    proof = await face.http.get(f"/log/proof/{lot(1)}")
    assert proof.text.startswith("c2sp.org/tlog-proof@v1")
    assert (await face.http.get("/log/checkpoint")).text.splitlines()[1] == "1"


async def test_same_key_same_answer_other_body_422(face: Face) -> None:
    first = await face.post("/api/v1/identifiers", body(1), **{"Idempotency-Key": "a"})
    again = await face.post("/api/v1/identifiers", body(1), **{"Idempotency-Key": "a"})
    other = await face.post("/api/v1/identifiers", body(2), **{"Idempotency-Key": "a"})
    assert first.content == again.content
    assert (again.status_code, other.status_code) == (201, 422)
    assert other.json()["code"] == "idempotency_mismatch"


async def test_batch_answers_item_by_item(face: Face) -> None:
    items = [body(1), body(2, net_kg="twelve"), body(1, net_kg="7")]
    response = await face.post("/api/v1/identifiers:batch", {"items": items})
    results = response.json()["results"]
    assert response.status_code == 200
    assert [r["outcome"] for r in results] == ["registered", "refused", "refused"]
    assert results[1]["problems"][0]["field"] == "attributes.net_kg"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer xb_", "Bearer xb_00_00", "Basic eHg6eHg=", "Bearer " + "x" * 10_000],
)
async def test_nothing_can_be_written_or_read_without_a_key(face: Face, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for method, path in (
        ("POST", "/api/v1/identifiers"),
        ("POST", "/api/v1/identifiers:batch"),
        ("POST", "/api/v1/identifiers:reserve"),
        ("GET", f"/api/v1/identifiers/{lot(1)}"),
        ("PATCH", f"/api/v1/identifiers/{lot(1)}"),
        ("POST", f"/api/v1/identifiers/{lot(1)}:revoke"),
        ("POST", "/api/v1/imports?filename=a.csv"),
        ("GET", "/api/v1/imports"),
        ("GET", "/api/v1/imports/abc"),
        ("GET", "/api/v1/imports/abc/result"),
        ("POST", "/api/v1/imports/abc:pause"),
    ):
        response = await face.http.request(method, path, content=b"{}", headers=headers)
        assert response.status_code == 401, (method, path)


async def test_a_key_reaches_only_its_own_prefixes(face: Face) -> None:
    await face.post("/api/v1/identifiers", body(1))
    stranger = face.stranger
    read = await face.http.get(f"/api/v1/identifiers/{lot(1)}", headers=stranger)
    history = await face.http.get(f"/api/v1/identifiers/{lot(1)}:history", headers=stranger)
    written = await face.http.post(
        "/api/v1/identifiers", content=json.dumps(body(2)), headers=stranger
    )
    revoked = await face.http.post(
        f"/api/v1/identifiers/{lot(1)}:revoke", content=b'{"reason":"x"}', headers=stranger
    )
    assert {r.status_code for r in (read, history, written, revoked)} == {403}


async def test_life_cycle_over_http(face: Face) -> None:
    await face.post("/api/v1/identifiers", body(1))
    path = f"/api/v1/identifiers/{lot(1)}"
    change = await face.http.patch(
        path, content=b'{"reason":"r","attributes":{"grade":"3N"}}', headers=face.producer
    )
    suspended = await face.post(f"{path}:suspend", {"reason": "抽检"})
    twice = await face.post(f"{path}:suspend", {"reason": "抽检"})
    history = (await face.http.get(f"{path}:history", headers=face.producer)).json()
    assert (change.status_code, suspended.status_code, twice.status_code) == (200, 200, 409)
    assert [r["action"] for r in history["revisions"]] == ["register", "change", "suspend"]


HOSTILE = {
    "empty": b"",
    "not json": b"{",
    "list": b"[]",
    "deep": b'{"attributes":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
    "deep list": b"[" * 50_000 + b"]" * 50_000,
    "nan": b'{"attributes":{"net_kg":NaN}}',
    "huge integer": b'{"prefix":"88.111.2","attributes":{"net_kg":1' + b"0" * 5_000 + b"}}",
    "huge exponent": b'{"prefix":"88.111.2","attributes":{"net_kg":1e308}}',
    "lone surrogate": b'{"prefix":"88.111.2","attributes":{"lot_no":"\\ud800"}}',
    "nul": b'{"identifier":"88.111.2/A\\u0000B"}',
    "wrong types": b'{"identifier":5}',
    "unknown field": b'{"identifier":"88.111.2/A","owner":"me"}',
    "latin-1": '{"identifier":"88.111.2/é"}'.encode("latin-1"),
    "sql": b'{"identifier":"88.111.2/\'; DROP TABLE record; --"}',
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_bodies_get_a_4xx_problem_and_change_nothing(
    face: Face, payload: bytes
) -> None:
    for path in ("/api/v1/identifiers", "/api/v1/identifiers:batch", "/api/v1/identifiers:reserve"):
        response = await face.post(path, payload)
        assert 400 <= response.status_code < 500, path
        assert response.json()["code"]
        assert "Traceback" not in response.text
    status = (await face.http.get("/api/v1/status", headers=face.producer)).json()
    assert status["registered"]["live"] == 0


async def test_a_body_beyond_the_limit_is_refused_with_413(face: Face) -> None:
    response = await face.post("/api/v1/identifiers", b" " * (LIMIT + 1))
    assert response.status_code == 413


async def test_unknown_paths_and_methods_are_problems_too(face: Face) -> None:
    for method, path, status, code in (
        ("GET", "/nowhere", 404, "no_path"),
        ("DELETE", "/api/v1/identifiers", 405, "method_not_allowed"),
        ("POST", "/log/checkpoint", 405, "method_not_allowed"),
    ):
        response = await face.http.request(method, path)
        body = response.json()
        assert (response.status_code, body["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert body["zh"]
        assert body["en"]
    assert "POST" in (await face.http.delete("/api/v1/identifiers")).headers["allow"]


async def test_a_process_without_the_api_role_says_so_to_writers(face: Face) -> None:
    for method, path in (
        ("POST", "/api/v1/identifiers"),
        ("POST", "/api/v1/identifiers:batch"),
        ("PATCH", f"/api/v1/identifiers/{lot(1)}"),
        ("POST", "/api/v1/imports"),
    ):
        response = await face.resolver.request(method, path, content=b"{}", headers=face.producer)
        assert (response.status_code, response.json()["code"]) == (404, "role_not_here")
    assert (await face.resolver.get("/healthz")).status_code == 200


async def test_readiness_follows_the_oldest_change_that_waits_for_the_log(face: Face) -> None:
    assert (await face.http.get("/readyz")).status_code == 200
    await face.post("/api/v1/identifiers", body(1))
    assert (await face.http.get("/readyz")).status_code == 200
    face.clock.now += timedelta(seconds=6)
    late = await face.http.get("/readyz")
    assert (late.status_code, late.json()["reasons"]) == (503, ["log_behind"])
    await face.sequence()
    assert (await face.http.get("/readyz")).status_code == 200


async def test_readiness_asks_the_look_up_of_a_resolver_and_not_the_log(face: Face) -> None:
    await face.post("/api/v1/identifiers", body(1))
    face.clock.now += timedelta(seconds=6)
    response = await face.resolver.get("/readyz")
    assert (response.status_code, response.json()["reasons"]) == (503, ["lookup_blind"])


async def test_a_registration_whose_proof_is_late_is_still_a_registration(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration_routes, "PROOF_WAIT_S", 0.05)
    response = await face.post("/api/v1/identifiers?wait=proof", body(1))
    assert (response.status_code, response.json()["proof"]) == (201, None)
    await face.sequence()
    again = await face.post("/api/v1/identifiers?wait=proof", body(1))
    assert again.json()["proof"].startswith("c2sp.org/tlog-proof@v1")


async def test_slow_uploads_of_batches_take_no_place_from_the_others(face: Face) -> None:
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"items":'
        await go_on.wait()
        yield b"[]}"

    path = "/api/v1/identifiers:batch"
    slow = [
        asyncio.create_task(face.http.post(path, content=slowly(), headers=face.producer))
        for _ in range(20)
    ]
    assert (await face.post(path, {"items": [body(1)]})).status_code == 200
    go_on.set()
    assert {response.status_code for response in await asyncio.gather(*slow)} <= {200, 422, 503}


async def test_the_log_tells_nobody_what_is_only_reserved(face: Face) -> None:
    reserved = await face.post("/api/v1/identifiers:reserve", {"identifiers": [lot(1)]})
    assert reserved.status_code == 201
    await face.sequence()
    hidden = await face.http.get(f"/log/proof/{lot(1)}")
    absent = await face.http.get(f"/log/proof/{lot(2)}")
    assert (hidden.status_code, hidden.content) == (404, absent.content)


async def test_a_single_refusal_has_the_status_of_its_kind_of_error(face: Face) -> None:
    await face.post("/api/v1/identifiers", body(1))
    taken = await face.post("/api/v1/identifiers", body(1, net_kg="7"))
    unserved = await face.post("/api/v1/identifiers", body(1) | {"identifier": "88.999.1/A"})
    denied = await face.http.post(
        "/api/v1/identifiers", content=json.dumps(body(2)), headers=face.stranger
    )
    assert [r.status_code for r in (taken, unserved, denied)] == [409, 404, 403]


async def test_the_description_names_bodies_parameters_and_problems(face: Face) -> None:
    document = (await face.http.get("/api/openapi.json")).json()
    post = document["paths"]["/api/v1/identifiers"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Item")
    assert {p["name"] for p in post["parameters"]} == {"wait", "Idempotency-Key"}
    assert {"200", "201", "default"} == set(post["responses"])
    schemas = document["components"]["schemas"]
    assert "attributes" in schemas["Item"]["properties"]
    assert "code" in schemas["ProblemDocument"]["properties"]
    one = document["paths"]["/api/v1/identifiers/{identifier}"]
    assert [p["in"] for p in one["get"]["parameters"]] == ["path"]
    references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert references <= set(schemas)


@pytest.mark.parametrize("path", ["../x", "0/x1", "0/000.p/0", "0/000.p/257", "9/000", "entries/x"])
async def test_tiles_that_do_not_exist_are_404_or_422(face: Face, path: str) -> None:
    response = await face.http.get(f"/log/tile/{path}")
    assert response.status_code in (404, 422)


async def test_answers_carry_security_headers_and_the_api_is_documented(face: Face) -> None:
    response = await face.http.get("/healthz")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    paths = (await face.http.get("/api/openapi.json")).json()["paths"]
    assert "/api/v1/identifiers" in paths
    page = await face.http.get("/api/docs")
    assert "登记一个标识" in page.text
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    assert "<script" not in page.text


async def test_a_basic_credential_is_never_taken_for_a_key(face: Face) -> None:
    key = face.producer["Authorization"].removeprefix("Bearer ")
    basic = base64.b64encode(f"x:{key}".encode()).decode()
    response = await face.http.post(
        "/api/v1/identifiers", content=b"{}", headers={"Authorization": f"Basic {basic}"}
    )
    assert response.status_code == 401


async def test_an_import_is_seen_by_its_owner_and_its_key_belongs_to_one_request(
    face: Face,
) -> None:
    path, key = "/api/v1/imports", {"Idempotency-Key": "a"}
    job = (await face.post(f"{path}?filename=a.csv", b"a,b\n", **key)).json()
    other = await face.post(f"{path}?filename=a.csv", b"a,c\n", **key)
    dry = await face.post(f"{path}?filename=a.csv&dry_run=true", b"a,b\n", **key)
    assert {r.json()["code"] for r in (other, dry)} == {"idempotency_mismatch"}
    found = {}
    for name in ("producer", "stranger", "administrator"):
        headers = getattr(face, name)
        listed = (await face.http.get(f"{path}?sha256={job['sha256']}", headers=headers)).json()
        one = await face.http.get(f"{path}/{job['id']}", headers=headers)
        result = await face.http.get(f"{path}/{job['id']}/result", headers=headers)
        pause = await face.http.post(f"{path}/{job['id']}:resume", headers=headers)
        codes = (one.status_code, result.status_code, pause.status_code)
        found[name] = (len(listed["imports"]), codes)
    seen = (1, (200, 409, 200))
    assert found == {"producer": seen, "stranger": (0, (404, 404, 404)), "administrator": seen}
