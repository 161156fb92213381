"""The requests of the SNMS interface that this node makes.

A token that is refused is replaced once; when the new one is refused too, `AccessDenied` ends the
session and raises an alarm, and nothing is tried in a loop. A busy peer is asked again after a
pause, a few times; then `Unavailable` ends the session, and the relay waits longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from node.errors import AccessDenied, Unavailable
from sync.snms.answers import (
    DONE,
    FORBIDDEN,
    INTERNAL,
    NOT_LOGGED_IN,
    REFUSED,
    Envelope,
    WireRecord,
    WireTemplate,
)
from sync.snms.channel import Call, Channel, Reply
from sync.snms.messages import Meaning, meaning_of
from sync.snms.session_token import SessionToken

PAUSES_S = (0.5, 1.0, 2.0, 4.0)
RECORDS, TEMPLATE = "/identityv2/data", "/snms/api/v{}/template"


class Verb(StrEnum):
    """What is done to records; also the name of the call."""

    CREATE = "batchCreate"
    UPDATE = "batchUpdate"
    DELETE = "batchDelete"


_METHODS = {Verb.CREATE: "POST", Verb.UPDATE: "PUT", Verb.DELETE: "DELETE"}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a prefix is resolved: this node's address, or the peer's server that hosts it.

    Ports 0: not offered; one of them is needed. `host_server` 0: not hosted.
    """

    ip: str = ""
    tcp_port: int = 0
    udp_port: int = 0
    http_port: int = 0
    host_server: int = 0


class Calls:
    """Requests on one channel, logged in."""

    def __init__(
        self,
        channel: Channel,
        token: SessionToken,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channel = channel
        self._token = token
        self._pause = pause

    async def log_in(self) -> None:
        """Make sure that there is a token."""
        await self._token.get(self._channel)

    async def records(self, verb: Verb, records: Sequence[WireRecord | str]) -> Reply:
        """Create or update records, or delete those of some identifiers."""
        return await self._ask(Call(_METHODS[verb], f"{RECORDS}/{verb}", body=list(records)))

    async def detail(self, handle: str) -> Reply:
        """Ask for one record."""
        return await self._ask(Call("GET", f"{RECORDS}/detail", {"handle": handle}))

    async def template(self, version: int, prefix: str, name: str) -> Reply:
        """Ask for a template; `version` of the interface: 3 or 5."""
        query = {"prefix": prefix, "version": name}
        return await self._ask(Call("GET", TEMPLATE.format(version), query))

    async def put_template(self, version: int, body: WireTemplate, *, method: str) -> Reply:
        """Create (POST) or change (PUT) a template."""
        return await self._ask(Call(method, TEMPLATE.format(version), body=body))

    async def prefix(self, prefix: str) -> Reply:
        """Ask for a prefix. Peers answer this to administrators only; others are `FORBIDDEN`."""
        return await self._ask(
            Call("GET", "/snms/api/prefix/query", {"prefix": prefix}), may_be_forbidden=True
        )

    async def put_route(self, prefix: str, route: Route) -> Reply:
        """Tell where a prefix is resolved; the last word counts."""
        return await self._ask(
            Call("POST", "/snms/api/ent/config", body=route_body(prefix, route)),
            may_be_forbidden=True,
        )

    async def _ask(self, call: Call, *, may_be_forbidden: bool = False) -> Reply:
        for pause_s in (*PAUSES_S, None):
            reply = await self._ask_logged_in(call)
            if not _is_busy(reply):
                break
            if pause_s is None:
                raise Unavailable("二级节点持续繁忙", "The peer stays busy", code="snms_busy")
            await self._pause(pause_s)
        if isinstance(reply, Envelope) and reply.status == FORBIDDEN and not may_be_forbidden:
            said = reply.text[:200]
            raise AccessDenied(
                f"二级节点不允许 {call.path}:{said}", f"The peer forbids {call.path}: {said}",
                code="snms_forbidden",
            )  # fmt: skip
        return reply

    async def _ask_logged_in(self, call: Call) -> Reply:
        token = await self._token.get(self._channel)
        reply = await self._channel.ask(call, token)
        if not _wants_login(reply):
            return reply
        token = await self._token.get(self._channel, instead_of=token)
        reply = await self._channel.ask(call, token)
        if _wants_login(reply):
            raise AccessDenied(
                "二级节点不承认刚签发的令牌",
                "The peer refuses the token it has just given",
                code="snms_token",
            )
        return reply


def route_body(prefix: str, route: Route) -> object:
    """Return the body that tells a route; ports travel as text, as the interface wants it."""
    if route.host_server:
        return {"proxyServerId": route.host_server, "entPrefixConfig": {"entPrefix": prefix}}
    return {
        "entPrefixConfig": {
            "entPrefix": prefix,
            "hdlType": "HS_SITE",
            "ipType": 6 if ":" in route.ip else 4,
            "ip": route.ip,
            "tcpPort": str(route.tcp_port or ""),
            "udpPort": str(route.udp_port or ""),
            "httpPort": str(route.http_port or ""),
        }
    }


def is_done(reply: Reply) -> bool:
    """Say whether a request without items was granted."""
    return isinstance(reply, Envelope) and reply.status == DONE


def _wants_login(reply: Reply) -> bool:
    if not isinstance(reply, Envelope) or _is_busy(reply):
        return False
    if reply.status == NOT_LOGGED_IN:
        return True
    return reply.status == REFUSED and meaning_of(reply.text) is Meaning.NOT_LOGGED_IN


def _is_busy(reply: Reply) -> bool:
    """Say whether to come back later. Peers say so under -1 as well as -2."""
    if not isinstance(reply, Envelope):
        return False
    if reply.status == INTERNAL:
        return True
    return reply.status in (NOT_LOGGED_IN, REFUSED) and meaning_of(reply.text) is Meaning.BUSY
