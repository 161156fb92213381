"""`xibiao status` and how any client command meets a node that is away, busy or something else."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.unit.admin.conftest import CommandLine

STATUS = {
    "registered": {"live": 300000},
    "log": {"size": 300012, "root": "ab"},
    "sync": {"lag_ms": {"p99": None}},
    "health": "ok",
}


def test_json_report_is_printed_unchanged(xibiao: CommandLine) -> None:
    xibiao.answer = lambda _: httpx.Response(200, content=json.dumps(STATUS))
    outcome = xibiao("status", "--json")
    assert (outcome.code, outcome.out) == (0, json.dumps(STATUS) + "\n")


def test_tables_show_every_figure(xibiao: CommandLine) -> None:
    xibiao.answer = lambda _: httpx.Response(200, json=STATUS)
    out = xibiao("status").out
    assert "300,000" in out
    assert "lag_ms.p99" in out


def test_a_node_in_bad_health_exits_1(xibiao: CommandLine) -> None:
    xibiao.answer = lambda _: httpx.Response(200, json={**STATUS, "health": "degraded"})
    assert xibiao("status").code == 1


def test_address_and_key_come_from_the_environment(xibiao: CommandLine) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=STATUS)

    xibiao.environ |= {"XIBIAO_NODE": "http://node:1234/", "XIBIAO_API_KEY": "xb_1_2"}
    xibiao.answer = answer
    xibiao("status")
    xibiao("status", "--node", "https://other")
    assert str(seen[0].url) == "http://node:1234/api/v1/status"
    assert seen[0].headers["authorization"] == "Bearer xb_1_2"
    assert seen[1].url.host == "other"


@pytest.mark.parametrize("node", ["ftp://x", "http://[::1", "127.0.0.1:8080", "http://a b"])
def test_a_malformed_address_is_refused(xibiao: CommandLine, node: str) -> None:
    outcome = xibiao("status", "--node", node)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.err.startswith("错误:")


def test_an_unreachable_node_is_named(xibiao: CommandLine) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    xibiao.answer = refuse
    outcome = xibiao("status")
    assert outcome.code == 2
    assert "无法连接节点 http://127.0.0.1:8080" in outcome.err


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(404, text="not here"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b"\xff"),
        httpx.Response(200, json=[1]),
        httpx.Response(302, headers={"location": "http://evil/"}),
        httpx.Response(502, text="bad gateway"),
    ],
)
def test_an_answer_that_is_no_nodes_is_an_error(
    xibiao: CommandLine, response: httpx.Response
) -> None:
    xibiao.answer = lambda _: response
    outcome = xibiao("status")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("错误:")


def test_a_problem_document_is_shown_with_its_fields_and_advice(xibiao: CommandLine) -> None:
    document = {
        "type": "x", "title": "x", "status": 401, "code": "not_authenticated",
        "zh": "缺少有效的接口密钥", "en": "A valid API key is required",
        "problems": [{"field": "a.b", "code": "c", "zh": "须", "en": "must", "suggestion": "7"}],
    }  # fmt: skip
    xibiao.answer = lambda _: httpx.Response(401, json=document)
    err = xibiao("status").err
    assert "缺少有效的接口密钥" in err
    assert "a.b: 须" in err
    assert "建议 Suggestion: 7" in err
    assert "XIBIAO_API_KEY" in err
