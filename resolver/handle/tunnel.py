"""The native protocol inside HTTP: a message posted to any path, its replies in the response.

A request body is one message with its envelope, a response body all replies to it, one after the
other, as they would be sent over TCP. Clients behind proxies that let nothing but HTTP through use
it; what may be asked there is what may be asked over TCP.
"""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from node.domain.resolution_event import Channel
from node.errors import LimitExceeded, Overloaded
from resolver.handle.api_request import Bodies
from resolver.handle.identity import Connection
from resolver.handle.noting import Note
from resolver.handle.server import HandleServer
from resolver.tally.outcomes import NotedLookUp
from resolver.tally.tally import NO_TALLY, AnyTally
from resolver.tally.web_clients import visitor_of

MEDIA_TYPE = "application/x-hdl-message"
_TUNNEL = Channel.HANDLE_HTTP.part
_MEDIA_TYPE = MEDIA_TYPE.encode()


class Tunnel:
    """Hands posted messages to the server. `bodies` reads them within limits."""

    def __init__(self, server: HandleServer, bodies: Bodies, tally: AnyTally = NO_TALLY) -> None:
        self._server = server
        self._bodies = bodies
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        noted: list[NotedLookUp] = []
        response = await self._answer(Request(scope, receive), noted.append)
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)
        for subject, actor in noted:
            self._tally.note_visit(_TUNNEL, subject, visitor_of(scope), actor)

    async def _answer(self, request: Request, note: Note) -> Response:
        peer = request.client.host if request.client else ""
        connection = Connection(peer, "http", allows_administration=True)
        try:
            async with self._bodies(request) as body:
                # Some clients put a line end in front of the message.
                message = body[1:] if body[:1] in (b"\r", b"\n") else body
                replies = [reply async for reply in self._server.answer(message, connection, note)]
        except LimitExceeded:
            return Response(status_code=413)
        except Overloaded as error:
            return Response(status_code=503, headers={"retry-after": str(error.retry_after_s)})
        except ClientDisconnect:
            return Response(status_code=499)
        # With a Content-Length, which clients of HTTP/1.0 need.
        return Response(b"".join(replies), headers={"content-type": MEDIA_TYPE})


def is_tunnelled(scope: Scope) -> bool:
    """Say whether a request (ASGI scope) carries a message of the native protocol."""
    return scope["method"] == "POST" and any(
        name == b"content-type" and value.partition(b";")[0].strip().lower() == _MEDIA_TYPE
        for name, value in scope["headers"]
    )
