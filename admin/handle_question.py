"""`xibiao resolve --via udp|tcp`: one question to a Handle server, as any Handle client asks it.

Invariant: what is told has passed the checks of `resolver.handle.client`.
"""

from __future__ import annotations

import asyncio
import json

from admin.cli.surroundings import HandleAnswer
from node.errors import NotFound, Unavailable, XibiaoError
from resolver.handle.client import Answer, HandleClient
from resolver.handle.client_replies import Absent, Found, Referred, Refused
from resolver.handle.client_transports import ServerAddress
from resolver.handle.codes import ResponseCode, Transport
from resolver.handle.json_values import render_values

# UDP fails for long answers and behind some firewalls; TCP has no second way.
_TRANSPORTS = {"udp": (Transport.UDP, Transport.TCP), "tcp": (Transport.TCP,)}


def ask(host: str, port: int, handle: str, *, via: str) -> HandleAnswer:
    """Look `handle` up over `via`, `udp` or `tcp`; UDP that brings nothing gives way to TCP.

    Raises Unavailable, IntegrityFailure; NotFound when the server does not serve the prefix.
    """
    return _told(handle, asyncio.run(_ask(ServerAddress(host, port), handle, via)))


async def _ask(server: ServerAddress, handle: str, via: str) -> Answer:
    async with HandleClient(server, transports=_TRANSPORTS[via]) as client:
        return await client.resolve(handle)


def _told(handle: str, answer: Answer) -> HandleAnswer:
    via = answer.transport.name.lower()
    match answer.outcome:
        case Found() as found:
            body = json.loads(render_values(found.handle, found.values))
            is_primary = found.is_authoritative
            return HandleAnswer(handle, ResponseCode.SUCCESS, via, is_primary, body["values"])
        case Absent(code=code):
            return HandleAnswer(handle, code, via)
        case Referred(code=code, handle=referral):
            return HandleAnswer(handle, code, via, referral=referral)
        case Refused() as refused:
            raise _refusal(refused)


def _refusal(refused: Refused) -> XibiaoError:
    kind = NotFound if refused.code == ResponseCode.SERVER_NOT_RESPONSIBLE else Unavailable
    return kind(
        f"Handle 服务器拒绝回答,应答码 {refused.code}:{refused.message or '无说明'}",
        f"The Handle server refused, code {refused.code}: {refused.message or 'no reason given'}",
        code="handle_refused",
    )
