"""`xibiao sync`: lists of items as long as they are."""

from __future__ import annotations

import json

import httpx

from tests.unit.admin.conftest import CommandLine


def row(index: int) -> dict[str, str | int]:
    named = {"identifier": f"88.1/{index}", "state": "rejected", "code": "quota"}
    return {"index": index, **named, "reason": "配额已满", "attempts": 1}


def test_every_page_of_items_is_listed(xibiao: CommandLine) -> None:
    seen: list[dict[str, str]] = []
    pages = [{"items": [row(3), row(7)], "next": 7}, {"items": [row(9)], "next": None}]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v1/sync/items"
        seen.append(dict(request.url.params))
        return httpx.Response(200, json=pages[len(seen) - 1])

    xibiao.answer = answer
    outcome = xibiao("sync", "items", "--json")
    assert [json.loads(line)["index"] for line in outcome.out.splitlines()] == [3, 7, 9]
    assert seen == [{"state": "rejected"}, {"state": "rejected", "after": "7"}]
    seen.clear()
    shown = xibiao("sync", "items", "--state", "rejected")
    assert shown.code == 0
    assert all(name in shown.out for name in ("88.1/3", "88.1/7", "88.1/9", "quota"))
