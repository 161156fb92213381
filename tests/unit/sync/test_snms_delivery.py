"""Delivering to an SNMS interface that answers well, badly, in contradictions or with rubbish."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.domain.log_entry import LogEntry, encode
from node.errors import AccessDenied, Unavailable, XibiaoError
from sync.peer import Item, ItemCode, ItemResult, Opening
from tests.unit.sync.snms_peer import Answer, ScriptedPeer, json_answer

AT = "2026-11-21T09:00:00.123Z"


def item(index: int, name: str = "", kind: str = "register", **state: object) -> Item:
    """Return a change as the relay sends it."""
    identifier = f"88.111.2/{name or f'LOT-{index}'}"
    leaf = encode(
        LogEntry(
            kind=kind, at=AT, object_class="batch", source_kind="api", revision=1, is_test=False,
            id_tag=bytes(32), commitment=bytes(32),
        )
    )  # fmt: skip
    shared = {
        "identifier": identifier,
        "template": "ree-batch/1",
        "status": "active",
        "attributes": {"lot_no": f"L-{index}", "stage": "SEP"},
    }
    body = msgspec.json.encode(shared | state)
    return Item(index, identifier, AT, leaf, Opening(bytes(16), bytes(32), body))


def each(message: str, code: int | None = None) -> Answer:
    """Say the same of every item, in a good envelope."""

    def answer(request: httpx.Request) -> httpx.Response:
        handles = [r if isinstance(r, str) else r["handle"] for r in json.loads(request.content)]
        return json_answer(
            1, "success", [{"handle": h, "msg": message, "code": code} for h in handles]
        )

    return answer


def always(response: httpx.Response) -> Answer:
    """Give the same answer whatever is asked."""
    return lambda _: httpx.Response(response.status_code, content=response.content)


def lost(_: httpx.Request) -> httpx.Response:
    """Break the connection."""
    raise httpx.ReadError("gone")


def shown(number: int, **values: str) -> Answer:
    """Show a record with some values beside those that are right."""
    texts = {"xibiao_status": "active", "lot_no": f"L-{number}", "stage": "SEP"} | values
    indexes = {"xibiao_status": 2000, "lot_no": 2001, "stage": 2004}
    value = [
        {"index": indexes[k], "type": k, "data": {"format": "string", "value": v}}
        for k, v in texts.items()
    ]
    value.append({"index": 1001, "type": "TEMPLATE", "data": {"format": "string", "value": "x"}})
    record = {"handle": f"88.111.2/LOT-{number}", "templateVersion": "ree-batch/1", "value": value}
    return lambda _: json_answer(1, "success", record)


async def delivered(peer: ScriptedPeer, items: Sequence[Item]) -> dict[int, ItemResult]:
    """Deliver items and return the results by index."""
    async with peer.delivery() as delivery:
        results = await delivery.deliver(items)
    assert len(results) == len(items)
    return {result.index: result for result in results}


async def codes(peer: ScriptedPeer, *items: Item) -> list[ItemCode]:
    """Deliver items and return the codes in their order."""
    results = await delivered(peer, items)
    return [results[i.index].code for i in items]


async def test_records_carry_the_indexes_of_the_template_there(tmp_path: Path) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [each("success")]})
    assert await codes(peer, item(1), item(2)) == [ItemCode.OK, ItemCode.OK]
    (records,) = peer.named("batchCreate")
    assert [r["handle"] for r in records] == ["88.111.2/LOT-1", "88.111.2/LOT-2"]
    assert records[0]["templateVersion"] == "ree-batch/1"
    assert [(v["index"], v["type"], v["data"]["value"]) for v in records[0]["value"]] == [
        (2000, "xibiao_status", "active"),
        (2001, "lot_no", "L-1"),
        (2004, "stage", "SEP"),
    ]


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("索引2001在模板中不存在", ItemCode.TEMPLATE_MISSING),
        ("模板不存在", ItemCode.TEMPLATE_MISSING),
        ("系统繁忙", ItemCode.INTERNAL),
        ("注册配额已用完", ItemCode.QUOTA),
        ("该前缀已停用", ItemCode.PREFIX_SUSPENDED),
        ("没有该前缀的操作权限", ItemCode.NOT_YOURS),
        ("属性lot_no的长度超出限制", ItemCode.INVALID),
        ("处理异常,代码E17", ItemCode.INVALID),
    ],
)
async def test_a_sentence_about_an_item_becomes_its_code(
    tmp_path: Path, sentence: str, code: ItemCode
) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [each(sentence)]})
    results = await delivered(peer, [item(1)])
    assert (results[1].code, results[1].reason) == (code, sentence)


async def test_one_that_exists_already_is_read_and_compared(tmp_path: Path) -> None:
    peer = ScriptedPeer(
        tmp_path,
        {"batchCreate": [each("标识已存在")], "detail": [shown(1), shown(2, stage="ORE")]},
    )
    results = await delivered(peer, [item(1), item(2)])
    assert results[1].code is ItemCode.ALREADY_SAME
    assert results[2].code is ItemCode.CONFLICT
    assert "stage" in results[2].reason


async def test_an_earlier_state_of_the_same_batch_that_is_there_already_is_brought_up_to_date(
    tmp_path: Path,
) -> None:
    peer = ScriptedPeer(
        tmp_path,
        {
            "batchCreate": [each("标识已存在")],
            "batchUpdate": [each("success")],
            "detail": [shown(1)],
        },
    )
    later = item(2, "LOT-1", kind="change")
    assert await codes(peer, item(1), later) == [ItemCode.OK, ItemCode.OK]
    assert len(peer.named("batchUpdate")) == 1


async def test_an_update_of_what_is_unknown_there_creates_it(tmp_path: Path) -> None:
    peer = ScriptedPeer(
        tmp_path, {"batchUpdate": [each("没有找到标识")], "batchCreate": [each("success")]}
    )
    assert await codes(peer, item(1, kind="change")) == [ItemCode.OK]


async def test_a_peer_that_contradicts_itself_is_not_argued_with(tmp_path: Path) -> None:
    peer = ScriptedPeer(
        tmp_path,
        {"batchUpdate": [each("没有找到标识")], "batchCreate": [each("没有找到标识")]},
    )
    assert await codes(peer, item(1, kind="change")) == [ItemCode.NOT_FOUND]
    assert len(peer.asked) < 10


async def test_a_revoked_record_is_deleted_and_one_that_is_gone_is_fine(tmp_path: Path) -> None:
    revoked = item(3, kind="revoke", status="revoked")
    peer = ScriptedPeer(tmp_path, {"batchDelete": [each("success", 1)]})
    assert await codes(peer, revoked) == [ItemCode.OK]
    assert peer.named("batchDelete") == [["88.111.2/LOT-3"]]
    peer = ScriptedPeer(tmp_path, {"batchDelete": [each("标识不存在", -2)]})
    assert await codes(peer, revoked) == [ItemCode.ALREADY_SAME]


UNANSWERED = {
    "504": always(httpx.Response(504, content=b"<html>")),
    "502 with a kind body": always(httpx.Response(502, content=b'{"status":1,"message":"ok"}')),
    "reset": lost,
    "garbage": always(httpx.Response(200, content=b"\xff\x00not json")),
    "empty": always(httpx.Response(200, content=b"")),
    "a list": always(httpx.Response(200, content=b"[1,2]")),
    "status as text": always(httpx.Response(200, content=b'{"status":"1","message":"success"}')),
    "status as truth": always(httpx.Response(200, content=b'{"status":true,"data":[]}')),
    "deep nesting": always(httpx.Response(200, content=b"[" * 100_000)),
    "giant": always(httpx.Response(200, content=b" " * (17 << 20))),
}
UNSAID = {
    "no items": always(json_answer(1, "success", [])),
    "no data": always(json_answer(1, "success", None)),
    "only true": always(json_answer(1, "success", True)),
    "items of numbers": always(json_answer(1, "success", [1, 2])),
    "an item without a handle": always(json_answer(1, "success", [{"msg": "success"}])),
    "a sentence that is a number": always(
        json_answer(1, "success", [{"handle": "88.111.2/LOT-1", "msg": 7}])
    ),
    "another item": always(json_answer(1, "success", [{"handle": "x", "msg": "success"}])),
    "no word": each(""),
    "status 0": always(json_answer(0, "success", [])),
    "refused with a kind word": always(json_answer(-2, "success", None)),
}


@pytest.mark.parametrize("name", [*UNANSWERED, *UNSAID])
async def test_without_a_positive_answer_only_a_read_counts(tmp_path: Path, name: str) -> None:
    answer = UNANSWERED.get(name) or UNSAID[name]
    peer = ScriptedPeer(tmp_path, {"batchCreate": [answer], "detail": [shown(1), lost]})
    results = await delivered(peer, [item(1), item(2)])
    assert results[1].code is ItemCode.OK
    assert results[2].code is ItemCode.UNKNOWN_OUTCOME
    assert len(peer.named("batchCreate")) == (2 if name in UNANSWERED else 1)


async def test_a_read_that_shows_an_absent_record_leaves_it_to_be_sent_again(
    tmp_path: Path,
) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [lost]})
    assert await codes(peer, item(1)) == [ItemCode.UNKNOWN_OUTCOME]


@pytest.mark.parametrize(
    "answer",
    [
        always(json_answer(1, "success", {"handle": "88.111.2/OTHER", "value": []})),
        always(json_answer(1, "success", {"handle": 7})),
        always(json_answer(1, "success", {"handle": "88.111.2/LOT-1", "value": [{}]})),
        shown(1, lot_no="other"),
    ],
)
async def test_a_read_that_shows_something_else_proves_nothing(
    tmp_path: Path, answer: Answer
) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [lost], "detail": [answer]})
    assert await codes(peer, item(1)) == [ItemCode.UNKNOWN_OUTCOME]


async def test_a_peer_that_answers_nothing_at_all_ends_the_session(tmp_path: Path) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [lost], "detail": [lost]})
    with pytest.raises(Unavailable):
        await delivered(peer, [item(number) for number in range(10)])
    assert len(peer.named("detail")) == 3


async def test_a_name_that_is_given_twice_is_as_good_as_the_worse_word(tmp_path: Path) -> None:
    twice = [
        {"handle": "88.111.2/LOT-1", "msg": "success"},
        {"handle": "88.111.2/LOT-1", "msg": "注册配额已用完"},
    ]
    peer = ScriptedPeer(tmp_path, {"batchCreate": [always(json_answer(1, "success", twice))]})
    assert await codes(peer, item(1)) == [ItemCode.QUOTA]


async def test_a_batch_refused_for_one_item_is_divided_until_it_stands_alone(
    tmp_path: Path,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if b"LOT-5" in request.content:
            return json_answer(-2, "标识属性内容格式错误", None)
        return each("success")(request)

    peer = ScriptedPeer(tmp_path, {"batchCreate": [answer]})
    results = await delivered(peer, [item(number) for number in range(8)])
    assert [i for i, r in results.items() if r.code is not ItemCode.OK] == [5]
    assert results[5].code is ItemCode.INVALID


async def test_a_batch_refused_for_its_prefix_is_refused_whole(tmp_path: Path) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [always(json_answer(-2, "注册配额已用完", 0))]})
    results = await delivered(peer, [item(number) for number in range(50)])
    assert {r.code for r in results.values()} == {ItemCode.QUOTA}
    assert len(peer.named("batchCreate")) == 1


async def test_a_prefix_that_was_refused_is_left_alone_for_a_while(tmp_path: Path) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [always(json_answer(-2, "该前缀已停用", None))]})
    async with peer.delivery() as delivery:
        for start in range(0, 5_000, 1_000):
            items = [item(number) for number in range(start, start + 1_000)]
            results = await delivery.deliver(items)
            assert {r.code for r in results} == {ItemCode.PREFIX_SUSPENDED}
        assert len(peer.named("batchCreate")) == 1
        peer.seconds += 21
        await delivery.deliver([item(7)])
    assert len(peer.named("batchCreate")) == 2


@given(
    batch=st.binary(max_size=200) | st.from_regex(rb'\{"status":1,"data":.{0,60}\}'),
    detail=st.binary(max_size=200),
)
@settings(max_examples=60, deadline=None)
def test_no_rubbish_makes_a_record_count_as_taken(batch: bytes, detail: bytes) -> None:
    answers = {
        "batchCreate": [always(httpx.Response(200, content=batch))],
        "detail": [always(httpx.Response(200, content=detail))],
    }
    with TemporaryDirectory() as directory:
        peer = ScriptedPeer(Path(directory), answers)
        try:
            results = asyncio.run(delivered(peer, [item(1)]))
        except XibiaoError:
            return
    assert not results[1].code.is_taken


async def test_a_stated_limit_is_kept_to(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if len(json.loads(request.content)) > 10:
            return json_answer(-2, "批量注册最大支持10条,超出限制", None)
        return each("success")(request)

    peer = ScriptedPeer(tmp_path, {"batchCreate": [answer]})
    assert set(await codes(peer, *map(item, range(25)))) == {ItemCode.OK}
    assert [len(batch) for batch in peer.named("batchCreate")] == [25, 10, 10, 5]


async def test_a_gateway_that_gives_up_makes_the_next_batches_smaller(tmp_path: Path) -> None:
    answers = [UNANSWERED["504"], each("success")]
    peer = ScriptedPeer(tmp_path, {"batchCreate": answers})
    await codes(peer, *map(item, range(800)))
    assert [len(batch) for batch in peer.named("batchCreate")] == [500, 500, 250, 50]


async def test_a_busy_peer_is_asked_again_a_few_times(tmp_path: Path) -> None:
    busy = always(json_answer(-1, "系统繁忙", None))
    peer = ScriptedPeer(tmp_path, {"batchCreate": [busy, busy, each("success")]})
    assert await codes(peer, item(1)) == [ItemCode.OK]
    assert len(peer.pauses) == 2
    assert len(peer.named("v1")) == 1  # busy under -1 is no reason to log in again
    peer = ScriptedPeer(tmp_path, {"batchCreate": [always(json_answer(-4, "内部错误", None))]})
    with pytest.raises(Unavailable):
        await codes(peer, item(1))


async def test_a_token_that_ended_is_replaced_once(tmp_path: Path) -> None:
    ended = always(json_answer(-1, "用户未登录", None))
    peer = ScriptedPeer(tmp_path, {"batchCreate": [ended, each("success")]})
    assert await codes(peer, item(1)) == [ItemCode.OK]
    assert len(peer.named("v1")) == 2
    peer = ScriptedPeer(tmp_path, {"batchCreate": [ended]})
    with pytest.raises(AccessDenied):
        await codes(peer, item(1))
    assert len(peer.named("v1")) == 2


async def test_a_call_that_is_forbidden_ends_the_session(tmp_path: Path) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [always(json_answer(-3, "没有权限", None))]})
    with pytest.raises(AccessDenied):
        await codes(peer, item(1))


async def test_a_call_that_is_not_offered_ends_the_session(tmp_path: Path) -> None:
    peer = ScriptedPeer(tmp_path, {"batchCreate": [always(httpx.Response(404))]})
    with pytest.raises(Unavailable):
        await codes(peer, item(1))


async def test_an_older_state_is_not_sent_after_a_newer_one(tmp_path: Path) -> None:
    peer = ScriptedPeer(
        tmp_path, {"batchCreate": [each("success")], "batchUpdate": [each("success")]}
    )
    async with peer.delivery() as delivery:
        await delivery.deliver([item(9, "A", kind="change")])
        (older,) = await delivery.deliver([item(4, "A")])
    assert older.code is ItemCode.ALREADY_SAME
    assert peer.named("batchCreate") == []


async def test_a_template_that_lacks_items_is_changed_and_foreign_ones_are_switched_off(
    tmp_path: Path,
) -> None:
    limits = {"type": "string", "minLength": 1, "maxLength": 9}
    peer = ScriptedPeer(tmp_path, {"batchCreate": [each("success")]})
    peer.template = {
        "items": [
            {"name": "a", "idType": "old", "idIndex": "2050", "metadata": limits, "state": 1},
            {"name": "b", "idType": "lot_no", "idIndex": 2007, "metadata": limits, "state": 1},
        ]
    }
    results = await delivered(peer, [item(1)])
    put = next(body for asked, body in peer.asked if asked == "PUT template")
    items = {i["idType"]: (i.get("idIndex"), i["state"]) for i in put["items"]}
    assert items == {
        "xibiao_status": (None, 1),
        "lot_no": (2007, 1),
        "stage": (None, 1),
        "old": (2050, 0),
    }
    # The peer kept what it was sent, without giving indexes to new items: they count from 2000.
    assert results[1].code is ItemCode.OK


@pytest.mark.parametrize(
    "answer",
    [
        always(json_answer(-2, "模板未审核,请联系管理员", None)),
        always(json_answer(1, "success", {"items": 7})),
        always(httpx.Response(504)),
        lost,
    ],
)
async def test_a_template_that_is_not_taken_keeps_its_records_waiting(
    tmp_path: Path, answer: Answer
) -> None:
    peer = ScriptedPeer(tmp_path, {"template": [answer]})
    assert await codes(peer, item(1), item(2)) == [ItemCode.TEMPLATE_MISSING] * 2
    assert peer.named("batchCreate") == []


@pytest.mark.parametrize("index", [1000, 1001, 1999, 7])
async def test_a_reserved_index_of_the_peer_is_refused(tmp_path: Path, index: int) -> None:
    limits = {"type": "string", "minLength": 1, "maxLength": 9}
    peer = ScriptedPeer(tmp_path)
    keys = {"xibiao_status": 2000, "lot_no": index, "stage": 2004}
    peer.template = {
        "items": [
            {"name": k, "idType": k, "idIndex": i, "metadata": limits} for k, i in keys.items()
        ]
    }
    assert await codes(peer, item(1)) == [ItemCode.TEMPLATE_MISSING]
