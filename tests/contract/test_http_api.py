"""The HTTP face on a real database: who may do what, and what hostile requests get."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.api.access_control import AccessControl, new_key
from node.api.app import Faces, create_app
from node.api.import_routes import ImportRoutes
from node.api.log_reader import LogReader
from node.api.log_routes import LogRoutes
from node.api.operation_routes import OperationRoutes
from node.api.registration_routes import RegistrationRoutes
from node.config import load
from node.importing.job import ImportJobs
from node.registration.register import moment
from node.registration.requests import Role
from node.storage import key_queries
from tests.builders import FREE_PREFIX, Clock, attributes, lot, register_at, writers

LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Face:
    """A client of the application, and keys of three holders."""

    http: httpx.AsyncClient
    producer: dict[str, str]
    stranger: dict[str, str]
    administrator: dict[str, str]
    sequence: Any

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
                single_limit=LIMIT,
                batch_limit=LIMIT,
            ),
            ImportRoutes(
                access, ImportJobs.build(load(None, {}, {"data_dir": folder}), register, clock)
            ),
            LogRoutes(log, register.directory, register.signer.verifier_key()),
            OperationRoutes(
                access,
                register.database,
                register.metrics,
                clock,
                roles=("api",),
                origin=register.signer.name,
                pending_limit=1_000,
                resolutions=lambda: 0,
            ),
        )
        transport = httpx.ASGITransport(create_app(faces, register.metrics, version="0"))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
            with writers(register.coalescer):
                yield Face(client, *headers, register.sequencer.drain)


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
    assert (await face.http.get("/nowhere")).json()["code"] == "no_path"
    assert (await face.http.delete("/api/v1/identifiers")).status_code == 405


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
