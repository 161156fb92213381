"""Campaigns and figures over HTTP: who may do what, and what the figures say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.api.access_control import AccessControl, new_key
from node.api.app import Faces, create_app
from node.api.counting_routes import CountingRoutes
from node.counting.live_totals import LiveTotals, write_live
from node.domain.counting.moments import moment_text
from node.registration.register import moment
from node.registration.requests import Role
from node.storage import key_queries
from node.telemetry import Metrics
from tests.builders import lot, register_at
from tests.operations import operations
from tests.tallies import NINE_MS, Look, Tally, Wall, tally_of

CAMPAIGNS = "/api/v1/campaigns"
UNTIL = "2026-11-21T20:00:00+08:00"


@dataclass
class Face:
    """A client of the application, its keys by role, and what counts behind it."""

    http: httpx.AsyncClient
    keys: dict[str, str]
    tally: Tally

    async def post(self, path: str, body: object, role: str = "administrator") -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[role]}"} if role else {}
        return await self.http.post(path, content=json.dumps(body), headers=headers)

    async def get(self, path: str, role: str = "administrator") -> httpx.Response:
        return await self.http.get(path, headers={"authorization": f"Bearer {self.keys[role]}"})

    async def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get("/api/v1/status")).json()["resolutions"]
        return found


async def _at_once(_seconds: float) -> None:
    return None


@pytest.fixture
async def face(store_url: str, tmp_path: Path) -> AsyncIterator[Face]:
    wall, keys, numbers = Wall(), dict[str, str](), iter(range(100))
    async with register_at(store_url) as register:
        for role in Role:
            stored, key = new_key(
                role=role,
                prefixes=(),
                label="",
                at=moment(wall),
                random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
            )
            keys[role.value] = key
            async with register.database.write() as scope:
                await key_queries.add(scope, stored)
        await register.directory.refresh()
        tally = tally_of(register, tmp_path / "tally", wall)
        access = AccessControl(register.directory, wall, trusts_local=False)
        counting = CountingRoutes(access, tally.campaigns, tally.sealer, settle_s=1, sleep=_at_once)
        app = create_app(
            Faces(
                None,
                None,
                None,
                operations(register, access, wall, folder=tally.folder),
                counting=counting,
            ),
            Metrics(),
            version="0",
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
            yield Face(client, keys, tally)


async def test_a_campaign_is_declared_listed_and_ended(face: Face) -> None:
    asked = {"until": UNTIL, "reason": "验收压测", "networks": ["10.0.0.0/8"]}
    answer = await face.post(CAMPAIGNS, asked)
    assert answer.status_code == 201
    declared = answer.json()
    assert declared["from"] == declared["at"] == moment_text(NINE_MS)
    assert declared["until"] == "2026-11-21T12:00:00.000Z"
    assert declared["operator"].startswith("key:")
    assert declared["selects"] == {"networks": ["10.0.0.0/8"]}
    await face.tally.register.sequencer.drain()
    (listed,) = (await face.get(CAMPAIGNS, "producer")).json()["campaigns"]
    assert listed == declared | {"leaf_index": 0}
    face.tally.wall.move(minutes=1)
    ended = await face.post(f"{CAMPAIGNS}/{declared['id']}:cancel", {})
    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    again = await face.post(f"{CAMPAIGNS}/{declared['id']}:cancel", {})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"from": "2026-11-21T08:59:59Z"}, 422),
        ({"from": "2026-11-21T10:00:00"}, 422),
        ({"until": "2026-11-21T08:00:00Z"}, 422),
        ({"until": "2027-11-21T08:00:00Z"}, 422),
        ({"until": "soon"}, 422),
        ({"reason": ""}, 422),
        ({"reason": "x" * 5_000}, 422),
        ({"networks": []}, 422),
        ({"networks": ["everybody"]}, 422),
        ({"clients": ["00"]}, 422),
    ],
)
async def test_a_campaign_that_explains_away_or_says_nothing_is_refused(
    face: Face, changes: dict[str, object], status: int
) -> None:
    asked = {"until": UNTIL, "reason": "压测", "networks": ["10.0.0.0/8"], **changes}
    assert (await face.post(CAMPAIGNS, asked)).status_code == status
    assert (await face.get(CAMPAIGNS)).json() == {"campaigns": []}


async def test_only_administrators_declare_and_seal(face: Face) -> None:
    asked = {"until": UNTIL, "reason": "压测", "networks": ["10.0.0.0/8"]}
    for path in (CAMPAIGNS, f"{CAMPAIGNS}/c1:cancel", "/api/v1/resolutions:seal"):
        for role, status in (("producer", 403), ("partner", 403), ("", 401)):
            assert (await face.post(path, asked, role)).status_code == status
    assert (await face.post(f"{CAMPAIGNS}/c1:explode", {})).status_code == 404
    assert (await face.post(f"{CAMPAIGNS}/c1:cancel", {})).status_code == 404


async def test_a_partners_key_tells_who_looks_up_and_opens_nothing(face: Face) -> None:
    for path in (CAMPAIGNS, "/api/v1/status", "/metrics"):
        answer = await face.get(path, "partner")
        assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")


async def test_figures_are_what_is_sealed_and_what_is_durable_beside_it(face: Face) -> None:
    tally = face.tally
    before = await face.figures()
    assert (before["gross"], before["net"], before["live"]) == (0, 0, None)
    spool = tally.spool()
    spool.write(NINE_MS + 5, [Look(), Look(), Look(lot(2), agent="Baiduspider")], dropped=4)
    tally.wall.move(minutes=5)
    sealed = (await face.post("/api/v1/resolutions:seal", {})).json()["statement"]
    assert (sealed["events"], sealed["dropped"]) == (3, 4)
    head = (await tally.shop.chain.end()).state.head
    live = LiveTotals(head, "now", {"ext_system": {"grpc": 2}, "miss": {"http": 1}}, 1, 0)
    write_live(tally.folder, live)
    figures = await face.figures()
    assert figures["gross"] == 6
    assert figures["net"] == figures["gross"] - sum(figures["deductions"].values()) == 3
    assert figures["counted"] == {"ext_system": 2, "ext_user": 1}
    assert {n: c for n, c in figures["deductions"].items() if c} == {
        "crawler": 1,
        "miss": 1,
        "repeat": 1,
    }
    assert figures["by_channel"] == {
        "http": {"gross": 4, "net": 1},
        "grpc": {"gross": 2, "net": 2},
    }
    assert figures["settled"] == {"gross": 3, "net": 1, "statements": 1}
    assert (figures["live"]["gross"], figures["dropped"]) == (3, 5)
    assert figures["settled_until"] == moment_text(NINE_MS + 300_000)
    assert figures["rules"]["version"] == tally.shop.rules.version
    # What continues another statement than the last is not added to it.
    write_live(tally.folder, LiveTotals("0" * 64, "now", {"ext_user": {"http": 9}}, 0, 0))
    assert (await face.figures())["gross"] == 3
    tally.folder.live.write_bytes(b"{half")
    assert (await face.figures())["live"] is None


async def test_a_leaf_of_counting_that_waits_does_not_make_the_node_unready(face: Face) -> None:
    asked = {"until": UNTIL, "reason": "压测", "networks": ["10.0.0.0/8"]}
    assert (await face.post(CAMPAIGNS, asked)).status_code == 201
    assert (await face.get("/readyz")).json() == {"status": "ready", "reasons": []}
    face.tally.wall.move(minutes=1)
    assert (await face.get("/readyz")).json()["reasons"] == ["log_behind"]
