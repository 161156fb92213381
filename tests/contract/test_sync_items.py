"""Items the secondary node did not take: listed over HTTP, however many they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from node.api.access_control import AccessControl, new_key
from node.api.app import Faces, create_app
from node.api.sync_routes import LISTED, SyncRoutes
from node.registration.requests import Role
from node.storage import key_queries, sync_queries
from node.storage.sync_queries import WaitingItem
from node.telemetry import Metrics
from tests.builders import lot, register_at
from tests.operations import operations

PEER = "secondary"
AT = "2026-11-21T09:00:00.000Z"
ITEMS = "/api/v1/sync/items"


def item(index: int, state: str = "rejected") -> WaitingItem:
    return WaitingItem(index, lot(index), state, "quota", "配额已满 / quota", 1, AT)


@pytest.fixture
async def face(store_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with register_at(store_url) as register:
        stored, key = new_key(
            role=Role.ADMINISTRATOR,
            prefixes=(),
            label="",
            at=AT,
            random_bytes=bytes,
        )
        async with register.database.write() as scope:
            await key_queries.add(scope, stored)
            waiting = [item(index) for index in range(LISTED + 5)]
            await sync_queries.put_items(scope, PEER, [*waiting, item(LISTED + 5, "dropped")])
        await register.directory.refresh()

        def clock() -> datetime:
            return datetime(2026, 11, 21, 9, tzinfo=UTC)

        access = AccessControl(register.directory, clock, trusts_local=False)
        sync = SyncRoutes(access, register.database, clock, peer=PEER)
        app = create_app(
            Faces(None, None, None, operations(register, access, clock), sync=sync),
            Metrics(),
            version="0",
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://node",
            headers={"authorization": f"Bearer {key}"},
        ) as http:
            yield http


async def test_all_items_of_a_state_come_page_by_page(face: httpx.AsyncClient) -> None:
    first = (await face.get(ITEMS)).json()
    assert [found["index"] for found in first["items"]] == list(range(LISTED))
    second = (await face.get(ITEMS, params={"after": first["next"]})).json()
    assert [found["index"] for found in second["items"]] == list(range(LISTED, LISTED + 5))
    assert second["next"] is None
    dropped = (await face.get(ITEMS, params={"state": "dropped", "after": ""})).json()
    assert [found["identifier"] for found in dropped["items"]] == [lot(LISTED + 5)]


@pytest.mark.parametrize(
    "asked", [{"state": "x"}, {"after": "-1"}, {"after": "٣"}, {"after": "9" * 16}]
)
async def test_what_is_no_state_or_index_is_refused(
    face: httpx.AsyncClient, asked: dict[str, str]
) -> None:
    answer = await face.get(ITEMS, params=asked)
    assert answer.status_code == 422
    assert next(iter(asked)) in answer.json()["en"]


async def test_items_are_for_operators(face: httpx.AsyncClient) -> None:
    answer = await face.get(ITEMS, headers={"authorization": "Bearer none"})
    assert answer.status_code == 401
