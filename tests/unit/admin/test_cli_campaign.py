"""`xibiao campaign`: what is asked of the node, and how times are read."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.unit.admin.conftest import CommandLine

SHOWN: dict[str, str | bool | int] = {
    "id": "c20261121-0a1b2c3d",
    "declared": True,
    "state": "declared",
    "from": "2026-11-21T09:00:00.000Z",
    "until": "2026-11-22T01:00:00.000Z",
    "operator": "key:op",
    "reason": "压测",
    "leaf_index": 7,
}


def test_a_campaign_is_declared_in_beijing_time(xibiao: CommandLine) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=SHOWN)

    xibiao.answer = answer
    options = ("--until", "2026-11-22T09:00", "--reason", "压测", "--network", "10.0.0.0/8")
    more = ("--prefix", "88.1", "--prefix", "88.2", "--agent", "Locust", "--key", "ab")
    outcome = xibiao("campaign", "declare", *options, *more)
    assert outcome.code == 0
    assert str(SHOWN["id"]) in outcome.out
    assert (seen[0].method, seen[0].url.path) == ("POST", "/api/v1/campaigns")
    assert json.loads(seen[0].content) == {
        "from": "",
        "until": "2026-11-22T01:00:00+00:00",
        "reason": "压测",
        "prefixes": ["88.1", "88.2"],
        "networks": ["10.0.0.0/8"],
        "keys": ["ab"],
        "agents": ["Locust"],
    }


def test_times_with_a_zone_are_taken_as_they_are(xibiao: CommandLine) -> None:
    bodies: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(201, json=SHOWN)

    xibiao.answer = answer
    times = ("--from", "2026-11-21T12:00:00Z", "--until", "2026-11-21T15:00:00+01:00")
    xibiao("campaign", "declare", *times, "--reason", "x", "--key", "k", "--json")
    assert (bodies[0]["from"], bodies[0]["until"]) == (
        "2026-11-21T12:00:00+00:00",
        "2026-11-21T14:00:00+00:00",
    )


@pytest.mark.parametrize("time", ["tomorrow", "2026-13-01"])
def test_what_is_no_time_is_refused_before_anything_is_sent(xibiao: CommandLine, time: str) -> None:
    outcome = xibiao("campaign", "declare", "--until", time, "--reason", "x", "--key", "k")
    assert outcome.code != 0
    assert time in outcome.err


def test_campaigns_are_listed(xibiao: CommandLine) -> None:
    xibiao.answer = lambda _: httpx.Response(200, json={"campaigns": [SHOWN]})
    assert "压测" in xibiao("campaign", "list").out
    assert json.loads(xibiao("campaign", "list", "--json").out) == [SHOWN]


def test_a_campaign_is_ended(xibiao: CommandLine) -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200, json=SHOWN | {"state": "cancelled"})

    xibiao.answer = answer
    assert "cancelled" in xibiao("campaign", "cancel", "c1").out
    assert paths == ["/api/v1/campaigns/c1:cancel"]
