"""The handlers of `/api/v1/sync…`: what waits at the link, and what operators decide about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from node.api.access_control import AccessControl
from node.api.exchange import decode, json_response, read_body
from node.errors import InvalidInput, NotFound, WrongState
from node.registration.register import moment
from node.storage import (
    alarm_queries,
    directive_queries,
    log_queries,
    receipt_queries,
    reconciliation_queries,
    sync_queries,
)
from node.storage.engine import Database
from node.storage.receipt_queries import Errand
from node.storage.reconciliation_queries import Reconciliation

MAX_BODY = 262_144
LISTED = 200
STATES = ("rejected", "blocked", "unknown", "retry", "dropped")
_INDEX = re.compile(r"\d{1,15}", re.ASCII)


class CompareRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a comparison: by digests, or of every record."""

    kind: Literal["digest", "full"] = "digest"


class ItemsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name items by leaf index, with the reason of the decision about them."""

    indexes: tuple[int, ...]
    reason: str = ""


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decide about an order of the secondary node."""

    accepted: bool
    note: str = ""


class ClearRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clear the standing alarm of a kind."""

    kind: str


class DayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Have a past day of Asia/Shanghai reported, YYYY-MM-DD."""

    day: date


class ReceiptRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a receipt about the first `size` leaves; 0: all there are."""

    size: Annotated[int, Meta(ge=0)] = 0


_day = msgspec.json.Decoder(DayRequest)
_receipt = msgspec.json.Decoder(ReceiptRequest)
_compare = msgspec.json.Decoder(CompareRequest)
_items = msgspec.json.Decoder(ItemsRequest)
_decision = msgspec.json.Decoder(DecisionRequest)
_clear = msgspec.json.Decoder(ClearRequest)


class SyncRoutes:
    """The operator's side of the link. Everything here needs an administrator's key."""

    def __init__(
        self,
        access: AccessControl,
        database: Database,
        clock: Callable[[], datetime],
        *,
        peer: str,
    ) -> None:
        self._access = access
        self._database = database
        self._clock = clock
        self._peer = peer

    def _operator(self, request: Request) -> str:
        actor = self._access.actor(request)
        actor.require_administrator()
        if not self._peer:
            raise NotFound("未配置二级节点", "No secondary node is configured", code="no_peer")
        return actor.id

    async def overview(self, request: Request) -> Response:
        """Return the items that wait, the orders and the alarms of the link."""
        self._operator(request)
        async with self._database.read() as scope:
            items = {
                state: await sync_queries.items(scope, self._peer, state, LISTED)
                for state in STATES
            }
            orders = await directive_queries.directives(scope, self._peer, LISTED)
            alarms = await alarm_queries.standing(scope)
        return json_response(
            {
                "peer": self._peer,
                "items": [item for found in items.values() for item in found],
                "directives": orders,
                "alarms": alarms,
            }
        )

    async def items(self, request: Request) -> Response:
        """Return items in one `state`, by leaf index from above `after` on.

        `next` is the `after` of the next page, null at the end.
        """
        self._operator(request)
        query = request.query_params
        state, after = query.get("state", STATES[0]), query.get("after", "")
        if state not in STATES:
            raise InvalidInput(
                f"state 须为 {'、'.join(STATES)} 之一", f"state must be one of {', '.join(STATES)}"
            )
        if after and not _INDEX.fullmatch(after):
            raise InvalidInput("after 须为叶序号", "after must be a leaf index")
        first = int(after) if after else -1
        async with self._database.read() as scope:
            found = await sync_queries.items_after(scope, self._peer, state, first, LISTED)
        going_on = found[-1].index if len(found) == LISTED else None
        return json_response({"items": found, "next": going_on})

    async def receipt(self, request: Request) -> Response:
        """Ask the secondary node for a receipt; answers 202 with the number of the errand.

        It is fetched once the secondary node has cosigned that size.
        """
        self._operator(request)
        asked = decode(await read_body(request, MAX_BODY) or b"{}", _receipt)
        async with self._database.write() as scope:
            held = (await log_queries.state(scope)).size
            if asked.size > held:
                raise InvalidInput(
                    f"日志只有 {held} 个叶", f"The log has {held} leaves", code="beyond_the_log"
                )
            size, at = asked.size or held, moment(self._clock)
            kind = receipt_queries.RECEIPT
            number = await receipt_queries.ask(scope, self._peer, kind, at, size=size)
        return json_response({"id": number, "kind": kind, "size": size}, 202)

    async def report_day(self, request: Request) -> Response:
        """Have a past day reported, again if it was; answers 202 with the number of the errand."""
        self._operator(request)
        asked = decode(await read_body(request, MAX_BODY), _day)
        async with self._database.write() as scope:
            kind, at = receipt_queries.DAY_REPORT, moment(self._clock)
            number = await receipt_queries.ask(scope, self._peer, kind, at, subject=str(asked.day))
        return json_response({"id": number, "kind": kind, "day": str(asked.day)}, 202)

    async def errand(self, request: Request) -> Response:
        """Return what became of something asked for; of a receipt, with the signed note."""
        self._operator(request)
        text = request.path_params["number"]
        async with self._database.read() as scope:
            number = int(text) if text.isdecimal() and len(text) < 16 else -1
            found = await receipt_queries.find_errand(scope, number)
            if found is None:
                raise NotFound("没有此任务", "No such errand", code="no_errand")
            note = b""
            if found.kind == receipt_queries.RECEIPT and found.done_at and not found.failure:
                kept = await receipt_queries.newest_receipt(scope, self._peer, found.size)
                note = kept.note if kept and kept.size == found.size else b""
        return json_response(_errand_shown(found) | {"note": note.decode()})

    async def compare(self, request: Request) -> Response:
        """Ask for a comparison with the secondary node; answers 202 with its number."""
        self._operator(request)
        asked = decode(await read_body(request, MAX_BODY) or b"{}", _compare)
        async with self._database.write() as scope:
            number = await reconciliation_queries.request(
                scope, self._peer, asked.kind, moment(self._clock)
            )
        return json_response({"id": number, "kind": asked.kind}, 202)

    async def comparison(self, request: Request) -> Response:
        """Return what a comparison found, or that it is still under way."""
        self._operator(request)
        text = request.path_params["number"]
        async with self._database.read() as scope:
            number = int(text) if text.isdecimal() and len(text) < 16 else -1
            found = await reconciliation_queries.find(scope, number)
        if found is None:
            raise NotFound("没有此比对", "No such comparison", code="no_comparison")
        return json_response(_shown(found))

    async def move_items(self, request: Request) -> Response:
        """Retry or drop items the secondary node did not take: `…/items:retry`, `…/items:drop`."""
        operator = self._operator(request)
        action = request.path_params["action"]
        if action not in ("retry", "drop"):
            raise NotFound("没有此操作", "No such action", code="no_action")
        asked = decode(await read_body(request, MAX_BODY), _items)
        state = "retry" if action == "retry" else "dropped"
        reason = f"{operator}: {asked.reason[:200]}"
        async with self._database.write() as scope:
            moved = await sync_queries.change_state(
                scope, self._peer, asked.indexes, state, reason, moment(self._clock)
            )
        return json_response({"moved": moved})

    async def decide(self, request: Request) -> Response:
        """Decide about an order that no rule decides."""
        operator = self._operator(request)
        number = request.path_params["id"]
        asked = decode(await read_body(request, MAX_BODY), _decision)
        async with self._database.write() as scope:
            orders = await directive_queries.undecided(scope, self._peer)
            found = next((order for order in orders if order.id == number), None)
            if found is None:
                raise WrongState("没有待处理的该指令", "No such order waits", code="no_directive")
            decided = replace(
                found,
                handled_at=moment(self._clock),
                handled_by=operator,
                accepted=asked.accepted,
                note=asked.note[:500],
            )
            await directive_queries.handle_directive(scope, decided)
        return json_response(decided)

    async def clear_alarm(self, request: Request) -> Response:
        """Clear an alarm a person has dealt with; it is raised again if its cause remains."""
        self._operator(request)
        asked = decode(await read_body(request, MAX_BODY), _clear)
        async with self._database.write() as scope:
            cleared = await alarm_queries.clear(scope, [asked.kind], moment(self._clock))
        return json_response({"cleared": cleared})


def _errand_shown(found: Errand) -> dict[str, object]:
    state = "waiting" if not found.done_at else "failed" if found.failure else "finished"
    return {
        "id": found.id,
        "kind": found.kind,
        "subject": found.subject,
        "size": found.size,
        "state": state,
        "asked_at": found.asked_at,
        "done_at": found.done_at,
        "failure": found.failure,
    }


def _shown(found: Reconciliation) -> dict[str, object]:
    return {
        "id": found.id,
        "kind": found.kind,
        "state": "finished" if found.finished_at else "running",
        "requested_at": found.requested_at,
        "finished_at": found.finished_at,
        "size": found.size,
        "records": found.total,
        "differences": found.differences,
        "mended": found.mended,
        "details": msgspec.Raw(found.details.encode()),
    }
