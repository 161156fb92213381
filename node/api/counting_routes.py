"""The handlers about counted look-ups: campaigns, and closing a period early."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from node.api.access_control import AccessControl
from node.api.exchange import decode, json_response, read_body
from node.counting.campaigns import Campaign, Campaigns
from node.counting.sealer import Sealer
from node.domain.counting.campaign import Selector
from node.domain.counting.moments import moment_text
from node.errors import InvalidInput, NotFound, Problem

MAX_BODY = 65_536
CANCEL = ":cancel"


class CampaignRequest(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"begins": "from"}
):
    """Declare a load test before it runs.

    `from` "": now; times are RFC 3339 with a zone. Look-ups are meant that fit one entry of each
    list that is given, and one list at least must be.
    """

    until: str
    reason: str
    begins: str = ""
    agents: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


_declare = msgspec.json.Decoder(CampaignRequest)


class CountingRoutes:
    """Reading needs any key; declaring, cancelling and sealing need an administrator's."""

    def __init__(
        self,
        access: AccessControl,
        campaigns: Campaigns,
        sealer: Sealer,
        *,
        settle_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`settle_s`: within this time what was answered is in the spools."""
        self._access = access
        self._campaigns = campaigns
        self._sealer = sealer
        self._settle_s = settle_s
        self._sleep = sleep

    def _operator(self, request: Request) -> str:
        actor = self._access.actor(request)
        actor.require_administrator()
        return actor.id

    async def campaigns(self, request: Request) -> Response:
        """Return the campaigns, declared and found, oldest first."""
        self._access.actor(request)
        shown = [_shown(each) for each in await self._campaigns.everyone()]
        return json_response({"campaigns": shown})

    async def declare(self, request: Request) -> Response:
        """Declare a campaign; answers 201. It cannot begin before this moment."""
        operator = self._operator(request)
        asked = decode(await read_body(request, MAX_BODY), _declare)
        campaign = await self._campaigns.declare(
            Selector(asked.agents, (), asked.keys, asked.networks, asked.prefixes),
            begins=_moment("from", asked.begins) if asked.begins else "",
            ends=_moment("until", asked.until),
            operator=operator,
            reason=asked.reason,
        )
        return json_response(_shown(campaign), 201)

    async def act(self, request: Request) -> Response:
        """End a campaign now: `POST /api/v1/campaigns/ID:cancel`."""
        self._operator(request)
        name = str(request.path_params["campaign_and_action"])
        if not name.endswith(CANCEL):
            raise NotFound("没有此操作", "No such action", code="no_action")
        campaign = await self._campaigns.cancel(name.removesuffix(CANCEL))
        return json_response(_shown(campaign))

    async def seal(self, request: Request) -> Response:
        """Close the running period of counted look-ups early and return its statement."""
        self._operator(request)
        # What was answered before this request is in the spools when the pause ends.
        await self._sleep(self._settle_s)
        statement = await self._sealer.seal_now()
        return json_response({"statement": statement})


def _shown(campaign: Campaign) -> dict[str, object]:
    return {
        "id": campaign.id,
        "declared": campaign.declared,
        "at": campaign.at,
        "from": campaign.begins,
        "until": campaign.ends,
        "operator": campaign.operator,
        "reason": campaign.reason,
        "state": campaign.state,
        "cancelled_at": campaign.cancelled_at,
        "selects": campaign.selector,
        "selects_sha256": campaign.selects,
        "leaf_index": campaign.leaf_index,
    }


def _moment(field: str, text: str) -> str:
    """Read a time with its zone, to the millisecond."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError
        return moment_text(int(at.timestamp() * 1000))
    except (ValueError, OverflowError) as error:
        zh = "须为带时区的时间,例如 2026-11-21T09:00:00+08:00"
        en = "give a time with its zone, such as 2026-11-21T09:00:00+08:00"
        raise InvalidInput(
            "时间格式有误", "The time is malformed", problems=[Problem(field, "time", zh, en)]
        ) from error
